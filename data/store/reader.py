"""Read an attention store: one cell's graph and links, a cell type's cumulative scores and regulatory map.

A reader keeps offsets in memory, some bytes a cell; tables are read when first asked for, and the rest whenever it is
asked for. So opening takes no time worth speaking of, and memory does not grow with the number of links. It may be
shared by threads.
"""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import h5py
import hdf5plugin  # noqa: F401  registers the compression filter; without it no array can be read
import numpy as np
import numpy.typing as npt
import pandas as pd

from bi2scope.data.attention import CellAttention, Cut
from bi2scope.data.errors import NotFoundError, StoreDamagedError
from bi2scope.data.factors import Recompute
from bi2scope.data.graph import CellGraph
from bi2scope.data.store import schema
from bi2scope.data.store.across import PairLinks
from bi2scope.data.store.across_cells import AcrossCells
from bi2scope.data.store.chosen import CellSums, RecentScores
from bi2scope.data.store.cumulative import CumulativeScores, CutSums, cut_sums
from bi2scope.data.store.histogram import StoredHistogram, not_of_a_control
from bi2scope.data.store.links import StoredCounts, StoredLinks
from bi2scope.data.store.null import CellPlaces, NullSums, RankLinks, null_sums, read_null, read_rank_links
from bi2scope.data.store.opening import RESTORE, intact, lengths, open_file, read_attributes, read_factors, read_table
from bi2scope.data.store.regulatory import StoredMap
from bi2scope.data.store.tables import text_of

CellPositions = Sequence[int] | npt.NDArray[np.integer]


class StoreReader:
    """An open attention store; a context manager, safe to share between threads.

    Made by :meth:`open`.

    Attributes
    ----------
    path
        The file.
    attributes
        What the store says of itself.
    cell_types
        Names of the cell types, in natural order.
    embedding_method
        How ``umap_1`` and ``umap_2`` were made.
    """

    def __init__(self, path: Path, file: h5py.File) -> None:
        self.path = path
        self._file = file
        self.attributes = read_attributes(path, file)
        with intact(path, "the cells, counts and links"):
            for key, found, wanted in lengths(file, self.attributes):
                if found != wanted:
                    raise StoreDamagedError(f"{path} is damaged: {key} has shape {found}, wanted {wanted}.", RESTORE)
            kinds = file[f"{schema.CELLS}/cell_type"]
            self.cell_types = [text_of(name) for name in kinds["categories"][:]]
            self._type_code = kinds["codes"][:]
            self.embedding_method = text_of(file[schema.CELLS].attrs[schema.EMBEDDING_METHOD])
            self._rna, self._atac = StoredCounts(file[schema.RNA]), StoredCounts(file[schema.ATAC])
            self._links = [
                [self._links_at(layer, head) for head in range(self.attributes.n_heads)]
                for layer in range(self.attributes.n_layers)
            ]
        self._recent = RecentScores()

    def _links_at(self, layer: int, head: int) -> StoredLinks:
        group = self._file[schema.links_path(layer, head)]
        return StoredLinks(group, self._rna, self._atac, self.attributes.attention, self.attributes.floor)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Open a store.

        Raises
        ------
        StoreError
            If there is no such file or it may not be read.
        StoreFormatError
            If it is no HDF5 file, no attention store, or one of another format version.
        StoreDamagedError
            If it is cut short or its parts disagree.
        """
        file = open_file(Path(path))
        try:
            return cls(Path(path), file)
        except BaseException:
            file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; tables that were read stay."""
        self._file.close()

    def status(self) -> os.stat_result:
        """Status of the open file, which need not be the one that now stands at its path."""
        return os.fstat(self._file.id.get_vfd_handle())

    @functools.cached_property
    def cells(self) -> pd.DataFrame:
        """``(n_cells,)`` rows; index ``cell_id``; ``cell_type`` (categorical), counts of genes and peaks, embedding.

        Columns of quality control follow, when there are any.
        """
        return read_table(self.path, self._file, schema.CELLS)

    @functools.cached_property
    def genes(self) -> pd.DataFrame:
        """Genes as in :class:`bi2scope.data.multiome.Multiome`."""
        return read_table(self.path, self._file, schema.GENES)

    @functools.cached_property
    def peaks(self) -> pd.DataFrame:
        """Peaks as in :class:`bi2scope.data.multiome.Multiome`."""
        return read_table(self.path, self._file, schema.PEAKS)

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return len(self._rna.indptr) - 1

    @functools.cached_property
    def n_peaks(self) -> int:
        """Number of peaks."""
        return int(self._file[f"{schema.CUMULATIVE}/{schema.N_OPEN}"].shape[1])

    @property
    def has_factors(self) -> bool:
        """Whether the first layer's factors are here."""
        return schema.FACTORS in self._file

    @property
    def has_pooled(self) -> bool:
        """Whether the model's representation of the cells is here."""
        return schema.POOLED in self._file

    @functools.cached_property
    def controls(self) -> list[str]:
        """Names of the control models whose cumulative scores are here."""
        return sorted(self._file[schema.CONTROLS]) if schema.CONTROLS in self._file else []

    def cell_position(self, cell_id: str) -> int:
        """Position of a cell by its name.

        Raises
        ------
        NotFoundError
            If there is no cell of that name; the nearest names are offered.
        """
        try:
            return int(self.cells.index.get_loc(cell_id))  # type: ignore[arg-type]  # one place: names differ
        except KeyError:
            raise NotFoundError("cell", cell_id, self.cells.index) from None

    def cells_of(self, cell_type: str) -> npt.NDArray[np.intp]:
        """Positions of the cells of a type, ascending.

        Raises
        ------
        NotFoundError
            If there is no such type.
        """
        return np.flatnonzero(self._type_code == self._type(cell_type))

    def graph(self, cell: int) -> CellGraph:
        """The counts of one cell: its genes and peaks that are not zero."""
        self._check_cell(cell)
        with intact(self.path, f"the counts of cell {cell}"):
            return CellGraph(
                gene_index=self._rna.indices(cell, cell + 1).astype(np.int64),
                gene_count=self._rna.data(cell),
                peak_index=self._atac.indices(cell, cell + 1).astype(np.int64),
                peak_count=self._atac.data(cell),
            )

    def attention(self, cell: int, layer: int = 0, head: int = 0, top_k: int | None = None) -> CellAttention:
        """The kept links of one cell in one layer and head; with ``top_k`` those up to that rank, and no more is read.

        Raises
        ------
        NotFoundError
            If there is no such cell, layer or head.
        StoreDamagedError
            If the file fails its checksums there.
        """
        self._check_cell(cell)
        links = self.stored_links(layer, head)
        with intact(self.path, f"{schema.links_path(layer, head)}, cell {cell}"):
            return links.cell(cell, top_k)

    def attention_for(self, cell: int, cut: Cut, layer: int = 0, head: int = 0) -> CellAttention:
        """Attention of one cell that holds all links that survive a cut, if there is any way to have them.

        Those that are kept, when they suffice; else, in the first layer, all that the cut asks for, recomputed from the
        factors. In deeper layers, and in stores without factors, the kept links remain, and say ``truncated``.
        """
        kept = self.attention(cell, layer, head, cut.top_k)
        if layer or not kept.cut_off(cut) or self.recompute is None:
            return kept
        return self.recompute.attention(self.graph(cell), cut.top_k, head)

    @functools.cached_property
    def recompute(self) -> Recompute | None:
        """First-layer attention of any cell from the model's factors; ``None`` in a store without them."""
        if not self.has_factors:
            return None
        with intact(self.path, schema.FACTORS):
            factors = read_factors(self._file[schema.FACTORS], self.attributes.n_heads)
            if (len(factors.query), len(factors.key)) != (len(self.genes), len(self.peaks)):
                raise ValueError("they are of other genes or peaks")
        return self.places.recompute(factors, self.attributes.attention)

    @functools.cached_property
    def places(self) -> CellPlaces:
        """Where genes and peaks lie."""
        return CellPlaces.of(self.genes, self.peaks, self.attributes.max_distance)

    @functools.cached_property
    def across(self) -> AcrossCells:
        """What concerns one gene, or one peak, in many cells."""
        return AcrossCells(self, self._file, self._type_code)

    def links_of_gene(
        self, gene: int, cells: CellPositions, layer: int = 0, head: int = 0, cut: Cut | None = None
    ) -> PairLinks:
        """:meth:`AcrossCells.links_of_gene` of any cells."""
        return self.across.links_of_gene(gene, self._known(cells), (layer, head), cut)

    def links_of_peak(
        self, peak: int, cells: CellPositions, layer: int = 0, head: int = 0, cut: Cut | None = None
    ) -> PairLinks:
        """:meth:`AcrossCells.links_of_peak` of any cells."""
        return self.across.links_of_peak(peak, self._known(cells), (layer, head), cut)

    def _known(self, cells: CellPositions) -> npt.NDArray[np.int64]:
        """Cells, each once and ascending."""
        chosen = np.unique(np.asarray(cells, dtype=np.int64))
        for cell in chosen[[0, -1]] if len(chosen) else ():
            self._check_cell(int(cell))
        return chosen

    def cumulative(
        self, cell_type: str, cut: Cut, layer: int = 0, head: int = 0, control: str | None = None
    ) -> CumulativeScores:
        """Cumulative scores of a cell type, of the model or of a control.

        Summed from the type's histogram, where it has one and that holds the threshold and k; else from the links, of
        one cell at a time. Both give the same numbers. The last few are kept. The arrays are shared and cannot be
        written to.

        Raises
        ------
        NotFoundError
            If there is no such cell type, layer, head or control, or a control's histogram does not hold the
            cut: its links are not here.
        StoreDamagedError
            If the file fails its checksums on the way.
        """
        code = self._type(cell_type)
        links = self.stored_links(layer, head)
        if control is not None and control not in self.controls:
            raise NotFoundError("control", control, self.controls)

        def summed() -> CumulativeScores:
            cells = self.cells_of(cell_type)
            with intact(self.path, f"the cumulative scores of {cell_type}"):
                sums = self._sums_of_type((layer, head), control, code, cut)
                if sums is None and control is None:
                    sums = cut_sums(links, cells, self.n_peaks, cut)
            if sums is None:
                raise not_of_a_control(cut, self.attributes.k_max)
            return CumulativeScores.of(sums, len(cells))

        return self._recent.of((cell_type, cut, layer, head, control), summed)

    def _sums_of_type(self, place: tuple[int, int], control: str | None, code: int, cut: Cut) -> CutSums | None:
        """Sums of a whole type from its histogram; ``None`` when that does not hold the cut."""
        histogram = self.histogram(code, *place, control)
        if histogram is None or (sums := histogram.sums(cut)) is None:
            return None
        n_open = self._file[f"{schema.CUMULATIVE}/{schema.N_OPEN}"][code].astype(np.int64)
        return CutSums(sums, n_open, cut.threshold < self.attributes.floor or histogram.truncates(cut))

    def histogram(self, type_code: int, layer: int, head: int, control: str | None = None) -> StoredHistogram | None:
        """The histogram of a type by its position; ``None`` when it has none, being of few links."""
        group = self._of_type(type_code, layer, head, control)
        return StoredHistogram(group, self.n_peaks) if schema.OFFSET in group else None

    def rank_links(self, cell_type: str, layer: int, head: int, control: str | None = None) -> RankLinks:
        """Links of a cell type by rank and bin of the score; raises as :meth:`cumulative`."""
        with intact(self.path, f"the counted links of {cell_type}"):
            return read_rank_links(self._of_type(self._type(cell_type), layer, head, control))

    def _of_type(self, type_code: int, layer: int, head: int, control: str | None = None) -> h5py.Group:
        root = schema.CUMULATIVE if control is None else f"{schema.CONTROLS}/{control}"
        return self._file[schema.cumulative_path(layer, head, root)][schema.of_type(type_code)]

    def cumulative_of_cells(
        self, cells: CellPositions, cut: Cut, layer: int = 0, head: int = 0, from_links: bool = False
    ) -> CumulativeScores:
        """Cumulative scores over any cells; see :meth:`cumulative`.

        Links are read up to the cut's k, of at most half of the cells of each type where its histogram holds the cut.
        With ``from_links`` those of all the cells are, and nothing else: for whoever doubts the histogram.
        """
        links, chosen = self.stored_links(layer, head), self._known(cells)
        kept = functools.partial(self._sums_of_type, (layer, head), None)
        of_types = CellSums(links, self.n_peaks, self._type_code, kept)
        with intact(self.path, "the links of the chosen cells"):
            sums = cut_sums(links, chosen, self.n_peaks, cut) if from_links else of_types.over(chosen, cut)
        return CumulativeScores.of(sums, len(chosen))

    def null(self, cell_type: str, cut: Cut | None = None, layer: int = 0, head: int = 0) -> NullSums:
        """Expected cumulative scores of a cell type and their variances (:mod:`bi2scope.data.expectation`).

        Those of all kept links are stored; for a cut they are computed from the links.
        """
        code = self._type(cell_type)
        self.stored_links(layer, head)
        if cut is not None and cut != Cut():
            return self.null_of_cells(self.cells_of(cell_type), cut, layer, head)
        with intact(self.path, f"the expected scores of {cell_type}"):
            return read_null(self._of_type(code, layer, head))

    def null_of_cells(self, cells: CellPositions, cut: Cut, layer: int = 0, head: int = 0) -> NullSums:
        """Expected cumulative scores of any cells and their variances, computed from the links that survive a cut."""
        links = self.stored_links(layer, head)
        with intact(self.path, "the links of the chosen cells"):
            return null_sums(links, np.asarray(cells, dtype=np.int64), self._rna, self.places, cut).sums

    def regulatory_map(self, cell_type: str, layer: int = 0, head: int = 0) -> StoredMap:
        """The regulatory map of a cell type, over all kept links.

        Raises
        ------
        NotFoundError
            If there is no such cell type, layer or head.
        """
        code = self._type(cell_type)
        self.stored_links(layer, head)
        with intact(self.path, f"the regulatory map of {cell_type}"):
            return StoredMap(self._file[schema.map_path(layer, head)][schema.of_type(code)], self.path)

    def pooled(self) -> npt.NDArray[np.float32] | None:
        """``(n_cells, 2 * hidden)`` the model's own representation of every cell; ``None`` when it is not here."""
        if not self.has_pooled:
            return None
        with intact(self.path, schema.POOLED):
            return np.asarray(self._file[schema.POOLED][:], dtype=np.float32)

    def stored_links(self, layer: int, head: int) -> StoredLinks:
        """The links of one layer and head, to be read in blocks.

        Raises
        ------
        NotFoundError
            If there is no such layer or head.
        """
        for kind, number, count in (("layer", layer, len(self._links)), ("head", head, self.attributes.n_heads)):
            if not 0 <= number < count:
                raise NotFoundError(kind, str(number), [str(known) for known in range(count)])
        return self._links[layer][head]

    def layers_and_heads(self) -> Iterator[tuple[int, int]]:
        """Every layer with every head."""
        yield from itertools.product(range(self.attributes.n_layers), range(self.attributes.n_heads))

    @property
    def counts(self) -> tuple[StoredCounts, StoredCounts]:
        """Counts of RNA and ATAC, to be read in blocks."""
        return self._rna, self._atac

    def _type(self, cell_type: str) -> int:
        if cell_type not in self.cell_types:
            raise NotFoundError("cell type", cell_type, self.cell_types)
        return self.cell_types.index(cell_type)

    def _check_cell(self, cell: int) -> None:
        if not 0 <= cell < self.n_cells:
            raise NotFoundError("cell", f"position {cell}")
