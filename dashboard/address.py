"""What is shown, as the query of the page's address; and the addresses of the API's downloads."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Literal, get_args
from urllib.parse import parse_qs, urlencode

from bi2scope.dashboard.client import Cut, api_root, quoted
from bi2scope.dashboard.comparison import BESIDE, Beside
from bi2scope.dashboard.figures.colours import SCORES, Colouring, Colours, Scale
from bi2scope.server.wire import Definition
from bi2scope.server.wire_tf import MeasureName

View = Literal["overview", "cell", "locus", "celltype", "tf"]
VIEWS: tuple[View, ...] = get_args(View)
DEFINITIONS: tuple[Definition, ...] = get_args(Definition)
COLOURS: tuple[Colouring, ...] = get_args(Colouring)
SCALES: tuple[Scale, ...] = get_args(Scale)

MODEL_K = 10
"""Peaks per gene that the model itself attends to: where the k slider stands on a page opened without a query."""


Quantity = Literal["lift", "links", "score", "weight"]
Height = Literal["share", "score", "logit", "distance"]
Part = Literal["peaks", "difference", "map"]
Feature = Literal["peaks", "genes"]
Panels = Literal["one", "each"]
QUANTITIES: tuple[Quantity, ...] = get_args(Quantity)
HEIGHTS: tuple[Height, ...] = get_args(Height)
PARTS: tuple[Part, ...] = get_args(Part)
FEATURES: tuple[Feature, ...] = get_args(Feature)
PANELS: tuple[Panels, ...] = get_args(Panels)
TfTab = Literal["tracks", "scatter", "measures", "matrix"]
MatrixMeasure = Literal[MeasureName, "gain_auroc", "gain_pearson", "gain_spearman"]
TF_TABS: tuple[TfTab, ...] = get_args(TfTab)
MATRIX_MEASURES: tuple[MatrixMeasure, ...] = get_args(MatrixMeasure)
DROPPED = "dropped"
"""Stands in the place of a track's id for a file that was dropped and is not kept by the service."""

OF_VIEW: dict[View, tuple[str, ...]] = {
    "overview": ("by", "lasso"),
    "cell": ("cell", "colour", "scale", "only", "window", "beside", "other", "link"),
    "locus": ("gene", "region", "cell_type", "cell", "quantity", "height", "track"),
    "celltype": ("cell_type", "quantity", "span", "part", "against", "feature", "chromosome", "panels", "window"),
    "tf": ("cell_type", "definition", "track", "tab", "measure", "span"),
}
"""Names in the query by the view that they belong to."""

KNOWN = frozenset({"store", "view", "threshold", "k", "layer", "head"}.union(*OF_VIEW.values()))
"""All names that a query may hold."""


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
class TypeShown:
    """What the cell-type view shows, beside what it shares with the others.

    Attributes
    ----------
    part
        Cumulative scores by peak, the difference of two types, or the regulatory map.
    against
        The other type of a difference; ``None`` for all other cells.
    feature
        Whose difference: that of peaks, or of genes.
    chromosome
        Of the map.
    panels
        Tracks along one axis, or a panel for each chromosome.
    """

    part: Part = "peaks"
    quantity: Quantity = "lift"
    against: str | None = None
    feature: Feature = "peaks"
    chromosome: str | None = None
    panels: Panels = "one"

    @classmethod
    def of_query(cls, first: Mapping[str, str]) -> TypeShown:
        """Read the first value of each name; ``definition`` is what older addresses call the quantity."""
        quantity = first.get("quantity", first.get("definition"))
        return cls(
            part=next((known for known in PARTS if known == first.get("part")), "peaks"),
            quantity=next((known for known in QUANTITIES if known == quantity), "lift"),
            against=first.get("against"),
            feature=next((known for known in FEATURES if known == first.get("feature")), "peaks"),
            chromosome=first.get("chromosome"),
            panels=next((known for known in PANELS if known == first.get("panels")), "one"),
        )


@dataclass(frozen=True, slots=True)
class TfShown:
    """What the TF-binding view shows, beside what it shares with the others; ``track`` is an id."""

    track: str | None = None
    tab: TfTab = "tracks"
    measure: MatrixMeasure = "auroc"


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page shows. A query that leaves ``k`` out means "no limit"; no query at all means the defaults.

    Attributes
    ----------
    by
        What the cells of the overview are coloured by: ``type``, ``quality:NAME`` or ``gene:NAME``.
    colours, only
        Of the cell view: what colour stands for, and the cell type that the picker keeps to.
    beside, other
        What stands beside the cell's map, and which cell if it is one.
    link
        The chosen link of the cell, ``GENE@peak``.
    lasso
        Outlines round cells of the overview, as the query has them.
    window, span
        What the map, and the tracks, are zoomed to, as the query has it.
    problems
        What the query asked for and did not get, in sentences.
    """

    view: View = "cell"
    cell: str | None = None
    cell_types: tuple[str, ...] = ()
    definition: Definition = "score"
    cut: Cut = field(default_factory=lambda: Cut(top_k=MODEL_K))
    locus: LocusShown = field(default_factory=LocusShown)
    kinds: TypeShown = field(default_factory=TypeShown)
    tf: TfShown = field(default_factory=TfShown)
    by: str = "type"
    colours: Colours = SCORES
    only: str = ""
    beside: Beside = "alone"
    other: str | None = None
    link: str | None = None
    lasso: str | None = None
    window: str | None = None
    span: str | None = None
    problems: tuple[str, ...] = ()

    @classmethod
    def of_query(cls, query: str) -> Shown:
        """Read a query such as ``?view=cell&cell=AAAC-1&threshold=0.9&k=5``; what does not parse is a problem."""
        given = {name: values for name, values in parse_qs(query.removeprefix("?")).items() if values}
        if not given.keys() - {"store"}:
            return cls()
        first = {name: values[0] for name, values in given.items()}
        cell_types, tracks = tuple(given.get("cell_type", ())), tuple(given.get("track", ()))
        view = next((view for view in VIEWS if view == first.get("view")), "celltype" if cell_types else "cell")
        return cls(
            view=view,
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
                tracks=() if view == "tf" else tracks,
            ),
            tf=TfShown(
                track=tracks[0] if view == "tf" and tracks else None,
                tab=next((known for known in TF_TABS if known == first.get("tab")), "tracks"),
                measure=next((known for known in MATRIX_MEASURES if known == first.get("measure")), "auroc"),
            ),
            kinds=TypeShown.of_query(first),
            by=first.get("by", "type"),
            colours=Colours(
                next((known for known in COLOURS if known == first.get("colour")), "score"),
                next((known for known in SCALES if known == first.get("scale")), "linear"),
            ),
            only=first.get("only", ""),
            beside=next((known for known in BESIDE if known == first.get("beside")), "alone"),
            other=first.get("other"),
            link=first.get("link"),
            lasso=first.get("lasso"),
            window=first.get("window"),
            span=first.get("span"),
            problems=tuple(problems(first)),
        )


def problems(first: Mapping[str, str]) -> Iterator[str]:
    """What a query asks for that no page can show, and what is shown instead."""
    choices: dict[str, Sequence[str]] = {
        "view": VIEWS,
        "definition": DEFINITIONS,
        "colour": COLOURS,
        "scale": SCALES,
        "beside": BESIDE,
        "quantity": QUANTITIES,
        "height": HEIGHTS,
        "part": PARTS,
        "feature": FEATURES,
        "panels": PANELS,
        **({"tab": TF_TABS, "measure": MATRIX_MEASURES} if first.get("view") == "tf" else {}),
    }
    for name, known in choices.items():
        if name in first and first[name] not in known:
            yield f"{name} is “{first[name][:40]}”; it can be {listed(known)}.{nearest_of(first[name], known)}"
    if "threshold" in first:
        text = first["threshold"]
        value = number(text, -1.0)
        if not 0.5 <= value <= 1:
            shown = min(max(number(text, 0.5), 0.5), 1.0)
            yield f"threshold is “{text[:40]}”; it goes from 0.5 to 1. {shown:g} is shown."
    for name, least, instead in (
        ("k", 1, "No limit on k"),
        ("layer", 0, "The first layer"),
        ("head", 0, "The first head"),
    ):
        if name in first and whole(first[name], least) is None:
            yield f"{name} is “{first[name][:40]}”; it is a whole number from {least} up. {instead} is shown."
    for name in sorted(first.keys() - KNOWN):
        yield f"“{name[:40]}” is nothing that an address can say.{nearest_of(name, sorted(KNOWN))}"


def missing_track(shown: Shown, held: Sequence[str]) -> Iterator[str]:
    """What is to be said of a TF-binding track that a query asks for and the service does not hold."""
    track = shown.tf.track
    if track == DROPPED:
        yield "The BED file that was dropped is not part of an address. Drop it again; to share it, keep it first."
    elif track is not None and track not in held:
        yield f"The service holds no track “{track[:40]}”: it may have been deleted, or the service started anew."


def missing(shown: Shown, types: Sequence[str], k_max: int) -> Iterator[str]:
    """What a query asks for that this data set does not have, with the nearest names."""
    for name in dict.fromkeys((*shown.cell_types, *filter(None, [shown.only, shown.kinds.against]))):
        if name not in types:
            yield f"There is no cell type “{name[:80]}”.{nearest_of(name, types)} Others are shown."
    if shown.cut.top_k is not None and shown.cut.top_k > k_max:
        yield f"k is {shown.cut.top_k}; the store keeps the {k_max} best links of each gene. {k_max} is shown."


def nearest_of(name: str, known: Sequence[str]) -> str:
    """A sentence with the nearest of the names, or nothing when none is near."""
    folded = {one.casefold(): one for one in known}
    near = [folded[one] for one in get_close_matches(name.casefold(), list(folded), n=3, cutoff=0.5)]
    return f" Nearest: {listed(near, 'or')}." if near else ""


def listed(names: Sequence[str], last: str = "or") -> str:
    """Names in a sentence: "a, b or c"."""
    return f" {last} ".join(filter(None, (", ".join(names[:-1]), names[-1])))


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
    return f"{public_api}{api_root()}/cells/{quoted(cell_id)}/links.csv?{urlencode(cut.parameters())}"


def scores_csv(cell_type: str, cut: Cut, public_api: str = "") -> str:
    """Address of the CSV of a cell type's cumulative scores under a cut."""
    return f"{public_api}{api_root()}/celltypes/{quoted(cell_type)}/scores.csv?{urlencode(cut.parameters())}"


def difference_csv(
    cell_type: str, contrast: Mapping[str, str], feature: Feature, cut: Cut, public_api: str = ""
) -> str:
    """Address of the CSV of a difference between a cell type and another, or all other cells."""
    path = f"{public_api}{api_root()}/celltypes/{quoted(cell_type)}/difference/{feature}.csv"
    return f"{path}?{urlencode({**cut.parameters(), **contrast})}"


def map_csv(cell_type: str, region: str, cut: Cut, public_api: str = "") -> str:
    """Address of the CSV of a cell type's regulatory map around a region."""
    named = {"region": region, "layer": cut.layer, "head": cut.head}
    return f"{public_api}{api_root()}/celltypes/{quoted(cell_type)}/map.csv?{urlencode(named)}"


def matrix_csv(measure: MeasureName, definition: Definition, cut: Cut, public_api: str = "") -> str:
    """Address of the CSV of a measure of all tracks in all cell types."""
    named: dict[str, str | int | float] = {"measure": measure, "definition": definition}
    return f"{public_api}{api_root()}/tf/matrix.csv?{urlencode(cut.parameters() | named)}"


def gene_peaks_file(cell_type: str, gene: str, cut: Cut, form: str, public_api: str = "") -> str:
    """Address of the peaks of a gene in a cell type under a cut, as ``csv`` or ``bedpe``."""
    path = f"/celltypes/{quoted(cell_type)}/genes/{quoted(gene)}/peaks.{form}"
    return f"{public_api}{api_root()}{path}?{urlencode(cut.parameters())}"


def gene_links_file(cell_id: str, gene: str, cut: Cut, form: str, public_api: str = "") -> str:
    """Address of a gene's links in one cell under a cut, as ``csv`` or ``bedpe``."""
    path = f"{public_api}{api_root()}/cells/{quoted(cell_id)}/links.{form}"
    return f"{path}?{urlencode({**cut.parameters(), 'gene': gene})}"


def strongest_file(of: str, region: str, cut: Cut, limit: int, form: str, public_api: str = "") -> str:
    """Address of the strongest links around a region; ``of`` is ``celltypes/NAME`` or ``cells/NAME``."""
    named: dict[str, str | int | float] = {"region": region, "limit": limit}
    heads: dict[str, str | int | float] = {"layer": cut.layer, "head": cut.head}
    given = named | (cut.parameters() if of.startswith("cells/") else heads)
    return f"{public_api}{api_root()}/{of}/strongest.{form}?{urlencode(given)}"
