"""What is shown, as the query of the page's address; and the addresses of the API's downloads."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal, get_args
from urllib.parse import parse_qs, urlencode

from bi2scope.dashboard.client import API, Cut, quoted
from bi2scope.server.wire import Definition

View = Literal["overview", "cell", "locus", "celltype", "tf"]
VIEWS: tuple[View, ...] = get_args(View)
DEFINITIONS: tuple[Definition, ...] = get_args(Definition)

MODEL_K = 10
"""Peaks per gene that the model itself attends to: where the k slider stands on a page opened without a query."""


Quantity = Literal["lift", "links", "score", "weight"]
Height = Literal["share", "score", "logit", "distance"]
QUANTITIES: tuple[Quantity, ...] = get_args(Quantity)
HEIGHTS: tuple[Height, ...] = get_args(Height)


@dataclass(frozen=True, slots=True)
class LocusShown:
    """What the gene / locus view shows, beside what it shares with the others.

    Of the cell types of the address the first is that whose links are drawn; with a cell, that cell's are.
    """

    gene: str | None = None
    region: str | None = None
    quantity: Quantity = "lift"
    height: Height = "share"
    tracks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page shows. A query that leaves ``k`` out means "no limit"; no query at all means the defaults."""

    view: View = "cell"
    cell: str | None = None
    cell_types: tuple[str, ...] = ()
    definition: Definition = "score"
    cut: Cut = field(default_factory=lambda: Cut(top_k=MODEL_K))
    locus: LocusShown = field(default_factory=LocusShown)

    @classmethod
    def of_query(cls, query: str) -> Shown:
        """Read a query such as ``?view=cell&cell=AAAC-1&threshold=0.9&k=5``; what does not parse is left out."""
        given = {name: values for name, values in parse_qs(query.removeprefix("?")).items() if values}
        if not given:
            return cls()
        first = {name: values[0] for name, values in given.items()}
        cell_types = tuple(given.get("cell_type", ()))
        return cls(
            view=next((view for view in VIEWS if view == first.get("view")), "celltype" if cell_types else "cell"),
            cell=first.get("cell"),
            cell_types=cell_types,
            definition=next((known for known in DEFINITIONS if known == first.get("definition")), "score"),
            cut=Cut(
                threshold=min(max(number(first.get("threshold"), 0.5), 0.5), 1.0),
                top_k=whole(first.get("k"), 1),
                layer=whole(first.get("layer"), 0) or 0,
                head=whole(first.get("head"), 0) or 0,
            ),
            locus=LocusShown(
                gene=first.get("gene"),
                region=first.get("region"),
                quantity=next((known for known in QUANTITIES if known == first.get("quantity")), "lift"),
                height=next((known for known in HEIGHTS if known == first.get("height")), "share"),
                tracks=tuple(given.get("track", ())),
            ),
        )


def number(text: str | None, default: float) -> float:
    """A number out of an address, or the default."""
    try:
        value = float(text) if text is not None else default
    except ValueError:
        return default
    return value if value == value else default  # NaN is no place on a slider


def whole(text: str | None, least: int) -> int | None:
    """A whole number of at least ``least`` and at most nine digits out of an address, or ``None``."""
    return int(text) if text is not None and re.fullmatch(r"[0-9]{1,9}", text) and int(text) >= least else None


def links_csv(cell_id: str, cut: Cut, public_api: str = "") -> str:
    """Address of the CSV of a cell's links under a cut."""
    return f"{public_api}{API}/cells/{quoted(cell_id)}/links.csv?{urlencode(cut.parameters())}"


def scores_csv(cell_type: str, cut: Cut, public_api: str = "") -> str:
    """Address of the CSV of a cell type's cumulative scores under a cut."""
    return f"{public_api}{API}/celltypes/{quoted(cell_type)}/scores.csv?{urlencode(cut.parameters())}"


def gene_peaks_file(cell_type: str, gene: str, cut: Cut, form: str, public_api: str = "") -> str:
    """Address of the peaks of a gene in a cell type under a cut, as ``csv`` or ``bedpe``."""
    path = f"/celltypes/{quoted(cell_type)}/genes/{quoted(gene)}/peaks.{form}"
    return f"{public_api}{API}{path}?{urlencode(cut.parameters())}"


def gene_links_file(cell_id: str, gene: str, cut: Cut, form: str, public_api: str = "") -> str:
    """Address of a gene's links in one cell under a cut, as ``csv`` or ``bedpe``."""
    path = f"{public_api}{API}/cells/{quoted(cell_id)}/links.{form}"
    return f"{path}?{urlencode({**cut.parameters(), 'gene': gene})}"


def strongest_file(of: str, region: str, cut: Cut, limit: int, form: str, public_api: str = "") -> str:
    """Address of the strongest links around a region; ``of`` is ``celltypes/NAME`` or ``cells/NAME``."""
    named: dict[str, str | int | float] = {"region": region, "limit": limit}
    heads: dict[str, str | int | float] = {"layer": cut.layer, "head": cut.head}
    given = named | (cut.parameters() if of.startswith("cells/") else heads)
    return f"{public_api}{API}/{of}/strongest.{form}?{urlencode(given)}"
