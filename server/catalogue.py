"""An open store with the columns of its tables, made once: what every answer starts from."""

from __future__ import annotations

import functools
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from bi2scope.data.errors import NotFoundError
from bi2scope.data.exchange.places import Places
from bi2scope.data.regions import natural_chromosome_order, tss
from bi2scope.server.decoded import DecodedCells
from bi2scope.server.every_peak import EveryPeak
from bi2scope.server.own_columns import OwnColumns
from bi2scope.server.profile import ProfileCounts
from bi2scope.server.wire import ChromosomeSpan

if TYPE_CHECKING:
    from bi2scope.data.store.reader import StoreReader

Ints = npt.NDArray[np.int64]
Texts = npt.NDArray[np.object_]


class Catalogue:
    """The columns of a store's genes and peaks as arrays, and the ways to find one by its name.

    Parameters
    ----------
    reader
        An open store; whoever opened it closes it.

    Attributes
    ----------
    n_cells
        Cells of the store.
    gene_id, gene_name, gene_chrom, gene_strand
        ``(n_genes,)`` text, in genome order.
    gene_tss
        ``(n_genes,)`` int64.
    peak, peak_chrom, peak_start, peak_end
        ``(n_peaks,)`` text, text, int64 and int64, in genome order.
    chromosomes
        Where each chromosome's genes and peaks stand, in natural order.
    profiles
        Counts for answers about what a cut leaves, made when first asked for.
    decoded
        The cells asked for last.
    """

    def __init__(self, reader: StoreReader) -> None:
        self.reader = reader
        genes, peaks = reader.genes, reader.peaks
        self.n_cells = len(reader.cells)  # reads the cells now: tables are lazy, and a served file may go
        self.gene_id, self.gene_name = _texts(genes.index), _texts(genes["name"])
        self.gene_chrom, self.gene_strand = _texts(genes["chrom"]), _texts(genes["strand"])
        self.gene_tss = tss(genes)
        self.peak, self.peak_chrom = _texts(peaks.index), _texts(peaks["chrom"])
        self.peak_start, self.peak_end = peaks["start"].to_numpy(np.int64), peaks["end"].to_numpy(np.int64)
        self.chromosomes = chromosome_spans(self.gene_chrom, self.peak_chrom)
        self.profiles = ProfileCounts(self)
        self.decoded = DecodedCells(reader)

    @functools.cached_property
    def places(self) -> Places:
        """The columns of cells, genes and peaks, ready to be put beside links."""
        return Places(self.reader)

    @functools.cached_property
    def every_peak(self) -> EveryPeak:
        """The columns of an answer about all peaks that are the same in each."""
        return EveryPeak.of(self.places.peaks)

    @functools.cached_property
    def _genes_by_name(self) -> dict[str, list[int]]:
        """Positions of the genes of each id and each symbol, whatever the case."""
        places: defaultdict[str, list[int]] = defaultdict(list)
        for names in (self.gene_id, self.gene_name):
            for position, name in enumerate(names):
                if not places[name.casefold()] or places[name.casefold()][-1] != position:
                    places[name.casefold()].append(position)
        return dict(places)

    @functools.cached_property
    def folded_genes(self) -> tuple[list[str], list[str]]:
        """Ids and symbols of all genes in folded case."""
        return [name.casefold() for name in self.gene_id], [name.casefold() for name in self.gene_name]

    @functools.cached_property
    def folded_peaks(self) -> list[str]:
        """Names of all peaks in folded case."""
        return [name.casefold() for name in self.peak]

    def gene_positions(self, name: str) -> Ints:
        """Positions of the genes with that id or symbol, whatever the case; several may share a symbol.

        An id goes before a symbol: a name that is the id of one gene and the symbol of another finds the first.

        Raises
        ------
        NotFoundError
            If no gene of the data set is called so; offers the nearest symbols and ids.
        """
        found = self._genes_by_name.get(name.strip().casefold())
        if not found:
            raise NotFoundError("gene", name, [*dict.fromkeys([*self.gene_name, *self.gene_id])])
        as_id = [place for place in found if self.gene_id[place].casefold() == name.strip().casefold()]
        return np.unique(np.array(as_id or found, dtype=np.int64))

    def chromosome(self, name: str) -> ChromosomeSpan:
        """The chromosome of that name, whatever the case, with or without ``chr``.

        Raises
        ------
        NotFoundError
            If the data set has no gene and no peak on it.
        """
        wanted = _bare(name)
        for span in self.chromosomes:
            if _bare(span.name) == wanted:
                return span
        raise NotFoundError("chromosome", name, [span.name for span in self.chromosomes])

    def cell(self, cell_id: str) -> tuple[int, str]:
        """Position and cell type of a cell.

        Raises
        ------
        NotFoundError
            If there is no such cell; offers the nearest names.
        """
        position = self.reader.cell_position(cell_id)
        return position, self._cell_type[position]

    @functools.cached_property
    def _cell_type(self) -> list[str]:
        """``(n_cells,)`` types of the cells."""
        return [str(name) for name in self.reader.cells["cell_type"]]

    def own_columns(self, cell: int) -> OwnColumns:
        """Columns of the genes and peaks of a cell, given by its position; kept like what was decoded of it."""
        return self.decoded.also((cell, "columns"), lambda: OwnColumns(self.places, self.decoded.graph(cell)))

    def require_cell_type(self, name: str) -> str:
        """The name of a cell type, checked.

        Raises
        ------
        NotFoundError
            If no cell is of that type.
        """
        if name not in self.reader.cell_types:
            raise NotFoundError("cell type", name, self.reader.cell_types)
        return name

    def require_head(self, layer: int, head: int) -> None:
        """Check that the model has a layer and a head.

        Raises
        ------
        NotFoundError
            If it has fewer.
        """
        attributes = self.reader.attributes
        for kind, asked, there in (("layer", layer, attributes.n_layers), ("head", head, attributes.n_heads)):
            if asked >= there:
                raise NotFoundError(kind, str(asked), [str(number) for number in range(there)])

    def probe(self) -> None:
        """Read one cell as it lies in the file, to see that the file can be read; takes a millisecond from the start.

        Raises
        ------
        StoreDamagedError
            If it cannot.
        """
        from bi2scope.data.store.opening import intact

        if self.n_cells:
            self.reader.graph(0)
            with intact(self.reader.path, "the links of cell 0"):
                self.reader.stored_links(0, 0).probe(0)

    def warm_up(self) -> None:
        """Read one cell and index names, so that the first request does not wait for it."""
        for name in ("places", "_cell_type", "_genes_by_name"):
            getattr(self, name)
        if self.n_cells:
            self.reader.graph(0)
            self.reader.attention(0)
            self.reader.cell_position(str(self.reader.cells.index[0]))


def chromosome_spans(gene_chrom: Texts, peak_chrom: Texts) -> list[ChromosomeSpan]:
    """Where each chromosome's genes and peaks stand, from the chromosomes of genes and peaks in genome order."""
    names = natural_chromosome_order({*gene_chrom, *peak_chrom})
    gene_bounds, peak_bounds = _bounds(gene_chrom, names), _bounds(peak_chrom, names)
    return [
        ChromosomeSpan(
            name=name,
            gene_start=int(gene_bounds[i]),
            gene_stop=int(gene_bounds[i + 1]),
            peak_start=int(peak_bounds[i]),
            peak_stop=int(peak_bounds[i + 1]),
        )
        for i, name in enumerate(names)
    ]


def _bounds(chrom: Texts, names: list[str]) -> Ints:
    """``(n_chromosomes + 1,)`` offsets; a chromosome without members gets an empty span in its place."""
    codes = pd.Index(names).get_indexer(pd.Index(chrom))
    return np.searchsorted(codes, np.arange(len(names) + 1)).astype(np.int64)


def _texts(values: pd.Index | pd.Series) -> Texts:
    return values.to_numpy(dtype=object)


def _bare(chromosome: str) -> str:
    return chromosome.strip().casefold().removeprefix("chr")
