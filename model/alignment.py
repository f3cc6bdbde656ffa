"""Bringing the cells of a data set to the genes and peaks that a model knows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from bi2scope.data.errors import CheckpointError, ConfigurationError
from bi2scope.data.multiome import Multiome
from bi2scope.data.regions import bare_chromosome

MIN_OVERLAP = 0.8
"""Share of a model's genes, and of its peaks, that a data set has at least unless told otherwise."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Found:
    """Where the features of a model stand in a data set.

    Attributes
    ----------
    what
        ``genes`` or ``peaks``.
    position
        ``(n_features,)`` column in the data set of each of the model's features, -1 where it has none.
    first_missing
        Name of the first feature that is missing; empty when all are there.
    notes
        Sentences on how they were found.
    """

    what: str
    position: Ints
    first_missing: str
    notes: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        """Share of the model's features that the data set has."""
        return float((self.position >= 0).mean())

    @property
    def number(self) -> str:
        """Found of all, in words."""
        return f"{int((self.position >= 0).sum()):,} of the model's {len(self.position):,} {self.what}"


def aligned(multiome: Multiome, genes: pd.DataFrame, peaks: pd.DataFrame, min_overlap: float = MIN_OVERLAP) -> Multiome:
    """The cells of a data set over a model's genes and peaks.

    Genes are looked up by id or, when no id of the model is in the data set and the symbols of both are unique, by
    symbol; peaks by their place. Features that the data set lacks count as zero in every cell, which the notes of the
    result say; those that the model does not know are left out.

    Parameters
    ----------
    multiome
        The cells.
    genes, peaks
        The model's features, in its order; the result has these tables.
    min_overlap
        Share of the genes, and of the peaks, that the data set must have.

    Raises
    ------
    CheckpointError
        If too many features are missing, or genes lie elsewhere in the genome than in the model.
    ConfigurationError
        If ``min_overlap`` is not between 0 and 1.
    """
    if not 0 <= min_overlap <= 1:
        raise ConfigurationError(f"min_overlap is {min_overlap:g}; it must be between 0 and 1.")
    found = (_find_genes(multiome.genes, genes), _find_peaks(multiome.peaks, peaks))
    _check_overlap(*found, min_overlap)
    _check_places(multiome.genes, genes, found[0].position)
    notes = tuple(note for each in found for note in (*each.notes, *_missing(each)))
    return replace(
        multiome,
        genes=genes,
        peaks=peaks,
        rna=_columns(multiome.rna, found[0].position),
        atac=_columns(multiome.atac, found[1].position),
        notes=(*multiome.notes, *notes),
        peak_dna=None if multiome.peak_dna is None else _rows(multiome.peak_dna, found[1].position),
    )


def _find_genes(here: pd.DataFrame, wanted: pd.DataFrame) -> _Found:
    position = here.index.get_indexer(wanted.index)
    notes: tuple[str, ...] = ()
    unique = here["name"].is_unique and wanted["name"].is_unique
    if (position < 0).all() and unique and wanted["name"].isin(here["name"]).any():
        position = pd.Index(here["name"]).get_indexer(pd.Index(wanted["name"]))
        notes = (
            f"No gene id of the model (such as {wanted.index[0]}) is in this data set (such as {here.index[0]}): "
            "the genes are matched by symbol.",
        )
    return _found("genes", position, wanted.index, notes)


def _find_peaks(here: pd.DataFrame, wanted: pd.DataFrame) -> _Found:
    position = here.index.get_indexer(wanted.index)
    notes: tuple[str, ...] = ()
    if (position < 0).all():
        bare_here, bare_wanted = (pd.Index([bare_chromosome(name) for name in table.index]) for table in (here, wanted))
        if bare_here.is_unique and bare_wanted.isin(bare_here).any():
            position = bare_here.get_indexer(bare_wanted)
            notes = (
                f"The model writes peaks as {wanted.index[0]}, this data set as {here.index[0]}: "
                "they are matched without the chr.",
            )
    return _found("peaks", position, wanted.index, notes)


def _found(what: str, position: npt.NDArray[Any], names: pd.Index, notes: tuple[str, ...]) -> _Found:
    missing = names[position < 0]
    return _Found(what, position.astype(np.int64), str(missing[0]) if len(missing) else "", notes)


def _check_overlap(genes: _Found, peaks: _Found, min_overlap: float) -> None:
    short = [each for each in (genes, peaks) if each.share < min_overlap or each.share == 0]
    if short:
        first = " and ".join(f"{each.first_missing} of the {each.what}" for each in short)
        raise CheckpointError(
            f"The data set has {genes.number} ({genes.share:.1%}) and {peaks.number} ({peaks.share:.1%}); wanted at "
            f"least {min_overlap:.0%} of each. The first that is missing: {first}.",
            "Use data of the same annotation and peak set, train a model on this data set, or ask for less with "
            "--min-overlap."
            if all(each.share > 0 for each in short)
            else "Are both of one genome, with the same kind of gene ids and one set of peaks?",
        )


def _missing(found: _Found) -> tuple[str, ...]:
    n_missing = int((found.position < 0).sum())
    if not n_missing:
        return ()
    return (
        f"{n_missing:,} of the model's {len(found.position):,} {found.what} are not in this data set "
        f"(the first is {found.first_missing}): counted as zero.",
    )


def _check_places(here: pd.DataFrame, wanted: pd.DataFrame, position: Ints) -> None:
    mine, theirs = wanted[position >= 0], here.iloc[position[position >= 0]]
    differ = np.zeros(len(mine), dtype=bool)
    for column in ("chrom", "start", "end", "strand"):
        one, other = (table[column].astype(str) for table in (mine, theirs))
        if column == "chrom":
            one, other = one.map(bare_chromosome), other.map(bare_chromosome)
        differ |= one.to_numpy() != other.to_numpy()
    if differ.any():
        there, place = mine[differ].iloc[0], theirs[differ].iloc[0]
        raise CheckpointError(
            f"{int(differ.sum()):,} genes lie elsewhere in this data set than in the model: {mine.index[differ][0]} at "
            f"{place.chrom}:{place.start}-{place.end} ({place.strand}), in the model at "
            f"{there.chrom}:{there.start}-{there.end} ({there.strand}).",
            "Give the data set the gene annotation that the model was trained with.",
        )


def _columns(counts: sparse.csr_matrix, position: Ints) -> sparse.csr_matrix:
    """``(n_cells, n_features)`` the columns asked for, one without a count where the position is -1."""
    there = np.flatnonzero(position >= 0)
    chosen = counts[:, position[there]]
    shape = (counts.shape[0], len(position))
    columns = sparse.csr_matrix((chosen.data, there[chosen.indices], chosen.indptr), shape=shape)
    columns.sort_indices()  # genes matched by symbol may tie in the genome and stand in another order
    return columns


def _rows(values: npt.NDArray[np.float32], position: Ints) -> npt.NDArray[np.float32]:
    rows = np.zeros((len(position), values.shape[1]), dtype=values.dtype)
    rows[position >= 0] = values[position[position >= 0]]
    return rows
