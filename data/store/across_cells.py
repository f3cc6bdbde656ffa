"""Answer what concerns one gene, or one peak, in many cells of an open store, cell type by cell type."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import h5py
import numpy as np
import numpy.typing as npt

from bi2scope.data.attention import Cut, Ints
from bi2scope.data.errors import NotFoundError
from bi2scope.data.store import schema
from bi2scope.data.store.across import Asked, Found, PairLinks, joined
from bi2scope.data.store.across_factors import FactorLinks
from bi2scope.data.store.gene_index import StoredIndex
from bi2scope.data.store.opening import intact
from bi2scope.data.store.transposed import CellOrder, StoredTransposed

if TYPE_CHECKING:
    from bi2scope.data.store.reader import StoreReader


class AcrossCells:
    """Links of one gene, or to one peak, across the cells of an open store.

    Parameters
    ----------
    reader
        The store.
    file
        Its file.
    type_codes
        ``(n_cells,)`` cell types.

    Attributes
    ----------
    counts
        The counts turned round.
    """

    def __init__(self, reader: StoreReader, file: h5py.File, type_codes: Ints) -> None:
        self._reader, self._file, self._places = reader, file, reader.places
        self._type_code = np.asarray(type_codes, dtype=np.int64)
        with intact(reader.path, schema.ACROSS):
            order = CellOrder.of(self._type_code, len(reader.cell_types))
            self.counts = StoredTransposed(file, order, reader.places.peak_chromosome)
        self._in_type = np.empty(len(order.cell), dtype=np.int64)
        self._in_type[order.cell] = np.arange(len(order.cell)) - order.type_start[self._type_code[order.cell]]

    def counts_of_gene(self, gene: int) -> npt.NDArray[np.float64]:
        """``(n_cells,)`` RNA counts of one gene.

        Raises
        ------
        NotFoundError
            If there is no such gene.
        StoreDamagedError
            If the file is damaged where it is read.
        """
        if not 0 <= gene < len(self._places.gene_chromosome):
            raise NotFoundError("gene", f"position {gene}")
        counts, order = np.zeros(len(self._type_code)), self.counts.order
        with intact(self._reader.path, f"{schema.ACROSS_RNA}, gene {gene}"):
            for code in range(len(order.type_start) - 1):
                read = self.counts.genes(code, gene, gene + 1)
                counts[order.of_type(code)[read.position]] = read.count
        return counts

    def links_of_gene(self, gene: int, cells: Ints, place: tuple[int, int], cut: Cut | None = None) -> PairLinks:
        """The links of one gene in each of some cells, by cell and then by rank.

        Those that the store keeps, or those that survive a cut. Where the factors give the layer's attention, that is
        all of them, kept or not; elsewhere what was cut off is missing, and ``truncated`` says so. From the factors,
        ranks are those of the store but for logits that agree to float32 rounding
        (:mod:`bi2scope.data.store.across_factors`).

        Parameters
        ----------
        gene
            Its position.
        cells
            Positions, each once and ascending.
        place
            Layer and head.
        cut
            Which links; those that the store keeps when left out.

        Raises
        ------
        NotFoundError
            If there is no such gene, layer or head.
        StoreDamagedError
            If the file is damaged where it is read.
        """
        asked = self._asked(place, cut, ("gene", gene, len(self._places.gene_chromosome)))
        factors = self._factors(place[0])

        def of_type(code: int, own: Ints) -> Found:
            if factors is not None:
                return factors.of_gene(gene, code, own, place[1], asked)
            _, peaks = self._chromosome(int(self._places.gene_chromosome[gene]))
            return self._index(place, code).of_gene(gene, peaks, own, asked)

        return self._answer(f"{schema.across_path(*place)}, gene {gene}", cells, of_type)

    def links_of_peak(self, peak: int, cells: Ints, place: tuple[int, int], cut: Cut | None = None) -> PairLinks:
        """The links to one peak in each of some cells, by cell and then by gene; else as :meth:`links_of_gene`."""
        asked = self._asked(place, cut, ("peak", peak, len(self._places.peak_chromosome)))
        factors, chromosome = self._factors(place[0]), int(self._places.peak_chromosome[peak])
        genes, peaks = self._chromosome(chromosome)

        def of_type(code: int, own: Ints) -> Found:
            if factors is not None:
                all_kept = asked.top <= self._reader.attributes.k_max
                last = self._group(place, code)[schema.LAST] if all_kept else None
                return factors.of_peak(peak, code, own, place[1], asked, last)
            holders = self.counts.holders(chromosome, code, peak - peaks.start, peaks.stop - peaks.start)
            return self._index(place, code).of_peak(peak, (genes, peaks), holders[np.isin(holders, own)], asked)

        return self._answer(f"{schema.across_path(*place)}, peak {peak}", cells, of_type)

    def _asked(self, place: tuple[int, int], cut: Cut | None, feature: tuple[str, int, int]) -> Asked:
        kind, position, number = feature
        self._reader.stored_links(*place)  # says that there is no such layer or head
        if not 0 <= position < number:
            raise NotFoundError(kind, f"position {position}")
        return Asked.of(cut, self._reader.attributes)

    def _factors(self, layer: int) -> FactorLinks | None:
        """What works links out, where they are those of the factors."""
        recompute = self._reader.recompute if layer == 0 and self._reader.attributes.attention != "random" else None
        return None if recompute is None else FactorLinks(recompute, self.counts)

    def _chromosome(self, code: int) -> tuple[slice, slice]:
        """Genes and peaks of a chromosome."""
        genes, peaks = (
            slice(*np.searchsorted(codes, [code, code + 1]).tolist())
            for codes in (self._places.gene_chromosome, self._places.peak_chromosome)
        )
        return genes, peaks

    def _group(self, place: tuple[int, int], code: int) -> h5py.Group:
        return self._file[schema.across_path(*place)][schema.of_type(code)]

    def _index(self, place: tuple[int, int], code: int) -> StoredIndex:
        return StoredIndex(self._group(place, code), self.counts, code, self._reader.attributes.floor)

    def _answer(self, what: str, cells: Ints, of_type: Callable[[int, Ints], Found]) -> PairLinks:
        """Ask each type for its cells, and put the answers together."""
        codes = self._type_code[cells]
        types = np.unique(codes).tolist()
        with intact(self._reader.path, what):
            parts = [of_type(code, self._in_type[cells[codes == code]]) for code in types]
            return joined(parts, [self.counts.order.of_type(code) for code in types])
