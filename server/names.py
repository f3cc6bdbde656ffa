"""Genes and peaks to offer while a name or a place is typed."""

from __future__ import annotations

import re

import numpy as np
from natsort import natsort_keygen, ns

from bi2scope.data.errors import RegionError
from bi2scope.data.exchange.columns import Lazy, narrow, picked
from bi2scope.server.catalogue import Catalogue, Ints
from bi2scope.server.exports import whole_table
from bi2scope.server.loci import locus, parse_place
from bi2scope.server.params import NamesQuery
from bi2scope.server.tabular import Answer, TableBody

_PLACE = re.compile(r".+:[0-9, ]+-[0-9, ]+")
_PLACE_BEGUN = re.compile(r"[^,]+:[0-9, ]*(-[0-9, ]*)?")
_by_nature = natsort_keygen(alg=ns.IGNORECASE)


def gene_names(catalogue: Catalogue, query: NamesQuery) -> Answer:
    """Genes whose symbol or id begins as asked, or that overlap a place.

    Of a name: what is called exactly so, then symbols that begin so, then ids, each in natural order. Of a place, or
    with nothing asked: in genome order.

    Raises
    ------
    RegionError, NotFoundError
        If a place does not start below its end, or lies on a chromosome that the data set does not have.
    """
    asked = (query.query or "").strip()
    if _PLACE.fullmatch(asked):
        found = locus(catalogue, asked).genes(catalogue)
    elif asked:
        found = _genes_called(catalogue, asked.casefold())
    else:
        found = np.arange(len(catalogue.gene_id))
    shown = found[: query.limit]
    return _answer(catalogue, query, "genes", len(found), gene_columns(catalogue, shown))


def gene_columns(catalogue: Catalogue, genes: Ints) -> Lazy:
    """Names and places of genes, given by their positions."""
    there = catalogue.reader.genes.iloc[genes]
    own = picked(catalogue.places.genes, genes)
    bounds = {
        "gene_start": lambda: narrow(there["start"].to_numpy(np.int64)),
        "gene_end": lambda: narrow(there["end"].to_numpy(np.int64)),
    }
    order = ("gene_id", "gene_name", "gene_chrom", "gene_start", "gene_end", "gene_tss", "gene_strand")
    return Lazy({**own, **bounds}).only(order)


def peak_names(catalogue: Catalogue, query: NamesQuery) -> Answer:
    """Peaks whose name begins as asked, or that overlap a place: the one called exactly so, then in genome order.

    Raises
    ------
    RegionError, NotFoundError
        As :func:`gene_names`.
    """
    asked = (query.query or "").strip()
    found = _peaks_called(catalogue, asked) if asked else np.arange(len(catalogue.peak))
    return _answer(catalogue, query, "peaks", len(found), Lazy(picked(catalogue.places.peaks, found[: query.limit])))


def _answer(catalogue: Catalogue, query: NamesQuery, kind: str, n_found: int, columns: Lazy) -> Answer:
    limited = query.limit < n_found
    comments = [
        *([f"query: {query.query}"] if query.query else []),
        f"{kind}: {n_found}",
        *([f"the first {query.limit} only"] if limited else []),
    ]
    fields = {"query": query.query, "n_found": n_found, "limited": limited}
    return Answer(
        lambda: TableBody(fields, columns, kind),
        lambda: whole_table(catalogue.reader, kind, comments, columns),
        ("bi2scope", kind, query.query),
    )


def _genes_called(catalogue: Catalogue, asked: str) -> Ints:
    """Positions of the genes whose symbol or id begins so (``asked`` in folded case), the best match first."""
    found = []
    for position, (gene, name) in enumerate(zip(*catalogue.folded_genes, strict=True)):
        by_name, by_id = name.startswith(asked), gene.startswith(asked)
        if by_name or by_id:
            matched = name if by_name else gene
            found.append((asked not in (gene, name), not by_name, _by_nature(matched), position))
    return np.array([position for *_, position in sorted(found)], dtype=np.int64)


def _peaks_called(catalogue: Catalogue, asked: str) -> Ints:
    place = _place(asked)
    if place is not None:
        found = locus(catalogue, asked).peaks(catalogue)
        there = np.array([catalogue.peak_start[found] != place[1], catalogue.peak_end[found] != place[2]])
        return found[np.argsort(there.any(axis=0), kind="stable")]
    begun = asked.replace(",", "").replace(" ", "") if _PLACE_BEGUN.fullmatch(asked) else asked
    folded = begun.casefold()
    return np.array([at for at, name in enumerate(catalogue.folded_peaks) if name.startswith(folded)], dtype=np.int64)


def _place(asked: str) -> tuple[str, int, int] | None:
    """The place that a text spells in any of the three ways of a peak's name; ``None`` if it is only a beginning."""
    try:
        return parse_place(asked)
    except RegionError:
        if _PLACE.fullmatch(asked) and not _still_typed(asked):
            raise
        return None


def _still_typed(asked: str) -> bool:
    """Whether more digits at the end may yet bring the end above the start."""
    start, end = re.sub(r"[, ]", "", asked.rpartition(":")[2]).split("-")
    return len(end) <= len(start)
