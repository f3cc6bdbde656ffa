"""The measures of a TF-binding track and a cell type's scores, in words: names, meanings, table, what they say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import dash_mantine_components as dmc
from dash import html

from bi2scope.dashboard.components import Part
from bi2scope.server.wire_tf import Chance, Gain, Measure, MeasureName, TrackComparison

RIGHT = {"textAlign": "right"}
LEVEL = 0.05
"""A p above it counts as chance."""


class Meaning(NamedTuple):
    """How a measure is called and what it says; ``{top_n}`` is the size of the sets of highest peaks."""

    name: str
    text: str


MEANINGS: dict[MeasureName, Meaning] = {
    "cosine": Meaning("Cosine", "Angle between the two tracks; 1 is the same shape. High peaks dominate."),
    "cosine_of_ranks": Meaning(
        "Cosine of ranks",
        "The same on ranks. Ranks are all positive, so even unrelated tracks reach about 0.75.",
    ),
    "pearson": Meaning("Pearson", "Linear correlation over all peaks; 0 is none."),
    "jaccard_top_n": Meaning(
        "Jaccard, top {top_n:,}",
        "Shared part of the {top_n:,} highest peaks of either track; 1 is the same set.",
    ),
    "auroc": Meaning("AUROC", "Chance that a bound peak has a higher score than an unbound one; 0.5 is a coin."),
    "auprc": Meaning(
        "AUPRC",
        "Precision among the highest peaks, averaged over recall. "
        "Chance gives the base rate, the share of peaks that are bound.",
    ),
    "spearman": Meaning("Spearman", "Correlation of the ranks over all peaks; 0 is none."),
    "odds_ratio": Meaning(
        "Odds ratio, top {top_n:,}",
        "Odds of being bound among the {top_n:,} highest peaks, over those of the others; 1 is none.",
    ),
}
"""Every measure in the order of figure and table: the paper's four first."""

COLUMNS = {
    "Attention": "The measure of the track and the cumulative attention score.",
    "95 % interval": "From resampled blocks of neighbouring peaks: which regions were measured, not which cells.",
    "Accessibility": "The same measure when the score is just the share of the type's cells with the peak open.",
    "p matched": "Against the track moved among peaks alike in accessibility and width. "
    "Small: more than these explain. Correlations and AUROC are two-sided: ↓ marks less than these explain.",
    "p shift": "Against the track shifted along its chromosomes. "
    "Small: the agreement is more than both being clustered along the genome.",
    "Gain": "Once accessibility is regressed out: partial correlation (chance about 0) or AUROC of what is left "
    "(chance about 0.5), with its 95 % interval. Only for Pearson, Spearman and AUROC.",
}
"""Columns of the table after the first, and what each says."""


def ordered(comparison: TrackComparison) -> list[Measure]:
    """The measures of a comparison in the order of :data:`MEANINGS`."""
    given = {measure.name: measure for measure in comparison.measures}
    return [given[name] for name in MEANINGS if name in given]


def name_of(measure: MeasureName, comparison: TrackComparison) -> str:
    """Name of a measure, with the size of the sets where it compares sets."""
    return MEANINGS[measure].name.format(top_n=comparison.top_n)


def chance_level(measure: MeasureName, base_rate: float | None) -> float | None:
    """What a score that knows nothing of the track gives, where that is one number."""
    return {"pearson": 0.0, "spearman": 0.0, "auroc": 0.5, "odds_ratio": 1.0, "auprc": base_rate}.get(measure)


def figure_text(value: float | None) -> str:
    """A measure to three places; a dash where it is not defined (a track without variation)."""
    return "–" if value is None else f"{value:.3f}"


def interval_text(low: float | None, high: float | None) -> str:
    """Both bounds; a dash without them."""
    return "–" if low is None or high is None else f"{low:.3f} to {high:.3f}"


def p_text(chance: Chance | None, value: float | None = None) -> str:
    """A p to two figures that count, and whether a small one is of a value below chance; a dash without draws."""
    if chance is None:
        return "–"
    below = value is not None and value < chance.mean and chance.p <= LEVEL
    return f"{chance.p:.2g}" + (" ↓" if below else "")


def gain_text(gain: Gain | None) -> str:
    """Value and interval of a gain; empty for measures without one."""
    if gain is None:
        return ""
    bounds = "" if gain.low is None else f" ({interval_text(gain.low, gain.high)})"
    return figure_text(gain.value) + bounds


def explained(text: str, meaning: str) -> dmc.Tooltip:
    """A word whose meaning is shown when it is pointed at, touched or reached by keyboard."""
    return dmc.Tooltip(
        html.Span(text, className="explained", tabIndex="0"),
        label=meaning,
        multiline=True,
        w=300,
        events={"hover": True, "focus": True, "touch": True},
        boxWrapperProps={"display": "inline-block"},
    )


def measures_table(comparison: TrackComparison) -> dmc.Table:
    """Every measure with interval, accessibility alone, chance and gain."""
    head = [dmc.TableTh("Measure"), *(dmc.TableTh(explained(*column), style=RIGHT) for column in COLUMNS.items())]
    rows = [measure_row(measure, comparison) for measure in ordered(comparison)]
    return dmc.Table(
        [dmc.TableThead(dmc.TableTr(head)), dmc.TableTbody(rows)],
        tabularNums=True,
        withTableBorder=True,
        horizontalSpacing="xs",
        fz=13,
        className="measures",
    )


def measure_row(measure: Measure, comparison: TrackComparison) -> dmc.TableTr:
    """One row of the table."""
    meaning = MEANINGS[measure.name].text.format(top_n=comparison.top_n)
    if measure.name == "auprc" and comparison.base_rate is not None:
        meaning += f" Here {comparison.base_rate:.3f}."
    texts = (
        figure_text(measure.value),
        interval_text(measure.low, measure.high),
        figure_text(measure.accessibility),
        p_text(measure.null_matched, measure.value),
        p_text(measure.null_shift, measure.value),
        gain_text(measure.gain).replace(" to ", "\u00a0to\u00a0"),  # a narrow column breaks before the interval
    )
    name = explained(name_of(measure.name, comparison), meaning)
    return dmc.TableTr([dmc.TableTd(name, fw=600), *(dmc.TableTd(text, ta="right") for text in texts)])


def words(comparison: TrackComparison) -> html.Div:
    """Whether attention says more than accessibility, by which numbers, and for which links."""
    notes = [links_meant(comparison), *comparison.notes]
    auroc = next((measure for measure in comparison.measures if measure.name == "auroc"), None)
    if auroc is None or auroc.value is None:
        told: list[Part] = [html.B("The AUROC is not defined: "), "no compared peak is bound, or every one is. "]
    elif auroc.null_matched is None:
        told = [waiting(comparison), numbers(auroc)]
    else:
        told = [html.B(verdict(auroc, comparison)), " ", numbers(auroc)]
        notes.insert(0, others(comparison.measures))
    return html.Div([html.P(told), html.P(" ".join(notes), className="caption")])


def waiting(comparison: TrackComparison) -> Part:
    """That the draws are on their way, if any were left out."""
    if comparison.draws:
        return html.B("Chance is not defined for this track. ")
    return html.Span([dmc.Loader(size=12, mr=6), html.B("Computing what chance gives… ")], role="status")


def verdict(auroc: Measure, comparison: TrackComparison) -> str:
    """The first sentence: more, less or nothing to tell, by AUROC, matched null, gain and the scores beside."""
    what = f"the binding of {comparison.track} in {comparison.cell_type}"
    side = gain_side(auroc.gain)
    moved = beyond(auroc)
    if moved > 0 and side > 0:
        higher = rivals(auroc)
        if not higher:
            return f"Attention says more about {what} than accessibility and peak width do."
        return (
            f"Attention adds to accessibility about {what}, but does not outdo every simpler score: "
            f"{' and '.join(higher)} alone {'reaches' if len(higher) == 1 else 'reach'} as high an AUROC."
        )
    if moved < 0 and side < 0:
        return (
            "Attention says no more than accessibility and peak width: "
            f"among peaks alike in these, it is lower where {comparison.track} is bound in {comparison.cell_type}."
        )
    return f"No clear sign that attention says more about {what} than accessibility and peak width do."


def beyond(measure: Measure) -> int:
    """1 if a measure lies above its matched null, -1 if below, 0 if within chance."""
    null = measure.null_matched
    if null is None or measure.value is None or null.p > LEVEL:
        return 0
    return 1 if measure.value > null.mean else -1


def gain_side(gain: Gain | None) -> int:
    """1 if the interval of a gain lies above the mean of its matched null, -1 if below, 0 if it holds it."""
    if gain is None or gain.null_matched is None or gain.low is None or gain.high is None:
        return 0
    mean = gain.null_matched.mean
    return int(gain.low > mean) - int(gain.high < mean)


def rivals(measure: Measure) -> list[str]:
    """Names of the simpler scores, and controls, whose measure is at least that of attention."""
    beside = {
        "accessibility": measure.accessibility,
        "accessibility in all cells": measure.accessibility_all,
        "the number of links": measure.degree,
        "peak width": measure.width,
        **{f"the control {name}": value for name, value in measure.controls.items()},
    }
    return [
        name
        for name, value in beside.items()
        if value is not None and measure.value is not None and value >= measure.value
    ]


def numbers(auroc: Measure) -> str:
    """The AUROC with everything that it is judged by."""
    interval = "" if auroc.low is None else f" (95 % {interval_text(auroc.low, auroc.high)})"
    said = f"AUROC {figure_text(auroc.value)}{interval}; accessibility alone {figure_text(auroc.accessibility)}"
    if auroc.null_matched is not None:
        said += f"; matched tracks {auroc.null_matched.mean:.3f} (p {p_text(auroc.null_matched, auroc.value)})"
    if auroc.gain is not None and auroc.gain.value is not None:
        said += f"; with accessibility regressed out {gain_text(auroc.gain)}"
        if auroc.gain.null_matched is not None:
            said += f", where matched tracks have {auroc.gain.null_matched.mean:.3f}"
    return said + "."


def others(measures: Sequence[Measure]) -> str:
    """How many measures lie above their matched null; p is not corrected for their number."""
    tested = [measure for measure in measures if measure.null_matched is not None]
    above = sum(beyond(measure) > 0 for measure in tested)
    return f"Above the matched null at p ≤ {LEVEL:g}: {above} of {len(tested)} measures (p as is, not corrected)."


def links_meant(comparison: TrackComparison) -> str:
    """Which links the scores sum over, and what another choice would do."""
    k = "without a limit k" if comparison.top_k is None else f"of rank k ≤ {comparison.top_k:,}"
    draws = f" {comparison.draws:,} draws of each null model." if comparison.draws else ""
    return (
        f"This holds for links with a score above {comparison.threshold:g}, {k}.{draws} "
        "Moving the sliders until p is small makes p too small. An association, no proof of an effect."
    )
