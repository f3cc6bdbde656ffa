"""What the sliders leave: links, genes with none, links per gene, distances, the share that a control shows, too.

Drawn as plain boxes rather than as plots, and told as HTML, so that they follow the slider at no cost.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from dash import html

from bi2scope.dashboard.components import Part, Parts, aria
from bi2scope.dashboard.controls import truncated_note
from bi2scope.server.wire_profile import ControlLinks, LinkProfile

MOST_BARS = 26
"""Bars of links per gene; neighbours share one when there are more."""

FALSE_DISCOVERY = (
    "Links of this control that survive threshold and k in all cells of the type, over the model's there. With random "
    "weights: an empirical false-discovery rate, the share of links that a network which learned nothing shows, too."
)
ALIKE = 0.8
"""Share of a control from which on the cut is said to tell little."""

DISTANCE_TICKS = ((1_000, "1 kb"), (10_000, "10 kb"), (100_000, "100 kb"), (1_000_000, "1 Mb"), (10_000_000, "10 Mb"))


def consequences(profile: LinkProfile, k_max: int) -> Parts:
    """The part of the side bar below the sliders."""
    return [
        html.H2("What this cut leaves", className="left-title"),
        html.P(subject(profile), className="left-subject"),
        html.Dl(
            [
                fact("Links", f"{profile.n_links:,}"),
                fact("Genes with none", share_text(profile.n_without, profile.n_genes)),
                *[control_fact(control) for control in profile.controls or []],
            ],
            className="left-facts",
        ),
        *controls_note(profile.controls),
        *([truncated_note(k_max)] if profile.truncated else []),
        links_per_gene(profile),
        distances(profile),
    ]


def subject(profile: LinkProfile) -> str:
    """Whose links are counted."""
    if profile.cell_id is not None:
        return f"in cell {profile.cell_id}"
    return f"in all {profile.n_cells:,} cells of {profile.cell_type}"


def fact(name: Part, value: str, detail: str | None = None) -> html.Div:
    """One number and what it is."""
    return html.Div([html.Dt(name), html.Dd(value, title=detail)])


def share_text(part: int, whole: int) -> str:
    """A number out of another, with the percentage."""
    return f"{part:,} of {whole:,}" + (f" ({percent(part / whole)})" if whole else "")


def percent(share: float) -> str:
    """A share as a percentage; one that is not 0 is never called 0."""
    return "< 1 %" if 0 < share < 0.01 else f"{100 * share:.0f} %"


def control_fact(control: ControlLinks) -> html.Div:
    """The share of links that a control shows, too, explained on hover and focus."""
    told = html.Span(FALSE_DISCOVERY, className="explanation", role="tooltip")
    explained = html.Span([f"Also in {control.name}", told], className="explained", tabIndex=0)
    value = "–" if control.share is None else percent(control.share)
    detail = f"{control.n_links:,} of the control over {control.n_links_of_model:,} of the model"
    return fact(explained, value, detail)


def controls_note(controls: Sequence[ControlLinks] | None) -> Parts:
    """Why no control is shown, or which of them the cut does not tell from the model."""
    if controls is None:
        text = "Controls are counted at the slider's steps of the threshold only."
    else:
        alike = [control.name for control in controls if control.share is not None and control.share >= ALIKE]
        text = f"This cut does not tell the model from {' and '.join(alike)}." if alike else ""
    return [html.P(text, className="left-note")] if text else []


def links_per_gene(profile: LinkProfile) -> html.Figure:
    """Histogram of the number of links of a gene."""
    counts, width = grouped(profile.links_per_gene)
    linked = profile.n_genes - profile.n_without
    mean = profile.n_links / linked if linked else 0.0
    names = [classes(i * width, (i + 1) * width - 1) for i in range(len(counts))]
    bars = [
        bar(count, max(counts), f"{name}: {count:,} genes", "bar none" if i == 0 and width == 1 else "bar")
        for i, (name, count) in enumerate(zip(names, counts, strict=True))
    ]
    last = len(counts) * width - 1
    ticks = [(0.5 / len(counts), "0"), *([(1 - 0.5 / len(counts), f"{last:,}")] if last else [])]
    said = f"Links per gene, over {profile.n_genes:,} expressed genes; mean of those with one {mean:.1f}"
    return chart("Links per gene", f"mean {mean:.1f} of those linked", bars, ticks, said)


def grouped(counts: Sequence[int]) -> tuple[list[int], int]:
    """Counts of 0, 1, 2, ... put together so that :data:`MOST_BARS` are enough, and how many each holds."""
    width = max(1, -(-len(counts) // MOST_BARS))
    return [sum(counts[start : start + width]) for start in range(0, len(counts), width)], width


def classes(low: int, high: int) -> str:
    """A number of links, or a range of them, in words."""
    return f"{low} link{'' if low == 1 else 's'}" if low == high else f"{low} to {high} links"


def distances(profile: LinkProfile) -> html.Figure:
    """Distances to the TSS on a logarithmic axis, beside those of all pairs that could be links."""
    edges = profile.distance_edges
    linked, possible = shares(profile.distances), shares(profile.distances_possible)
    highest = max([*linked, *possible])
    names = [
        "below " + bases(edges[0]),
        *[f"{bases(low)} to {bases(high)}" for low, high in itertools.pairwise(edges)],
        "from " + bases(edges[-1]),
    ]
    bars = [
        bar(own, highest, f"{name}: {percent(own)} of links, {percent(chance)} of possible pairs", mark=chance)
        for name, own, chance in zip(names, linked, possible, strict=True)
    ]
    ticks = [((edges.index(edge) + 1) / len(bars), text) for edge, text in DISTANCE_TICKS if edge in edges]
    sample = "" if profile.n_cells_measured == profile.n_cells else f" ({profile.n_cells_measured} cells measured)"
    said = f"Share of links by distance to TSS, from below 1 kb to above 100 Mb, beside that of possible pairs{sample}"
    legend = html.Span([html.I(className="chance"), f"possible pairs{sample}"], className="left-legend")
    return chart("Distance to TSS", legend, bars, ticks, said)


def shares(counts: Sequence[int]) -> list[float]:
    """Each over the sum of all; zeros where there is nothing."""
    total = sum(counts)
    return [count / total if total else 0.0 for count in counts]


def bases(number: int) -> str:
    """Base pairs in the largest unit that leaves a whole number."""
    for size, unit in ((1_000_000, "Mb"), (1_000, "kb")):
        if number % size == 0:
            return f"{number // size} {unit}"
    return f"{number:,} bp"


def bar(value: float, highest: float, said: str, class_name: str = "bar", mark: float | None = None) -> html.Div:
    """One column of a chart; ``mark`` is a line across it."""
    inside = [html.Div(className=class_name, style={"height": height(value, highest)})]
    if mark is not None:
        inside.append(html.Div(className="chance", style={"bottom": height(mark, highest)}))
    return html.Div(inside, className="column", title=said)


def height(value: float, highest: float) -> str:
    """Height of a bar; what is not 0 can be seen."""
    share = 100 * value / highest if highest else 0.0
    return f"{max(share, 2.0 if value else 0.0):.1f}%"


def chart(
    name: str, note: str | html.Span, bars: list[html.Div], ticks: Sequence[tuple[float, str]], said: str
) -> html.Figure:
    """A small chart with its name, its bars and the labels under them."""
    labels = [html.Span(text, style={"left": f"{100 * place:.1f}%"}) for place, text in ticks]
    return html.Figure(
        [
            html.Figcaption([html.B(name), html.Span(note)]),
            html.Div(bars, className="columns", role="img", **aria(label=said)),
            html.Div(labels, className="ticks", **aria(hidden="true")),
        ],
        className="left-chart",
    )
