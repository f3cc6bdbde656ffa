"""What the measures of a TF-binding track say, in a table and in words."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from screen import every, text_of
from wires import comparison, gain, measure

from bi2scope.dashboard import measures
from bi2scope.server.wire_tf import Measure, MeasureName, TrackComparison


def spoken(given: TrackComparison) -> str:
    return " ".join(text_of(measures.words(given)).split())


def said(auroc: Measure, **changes: Any) -> str:
    return spoken(comparison(measures=[auroc], draws=1000, **changes))


def test_every_measure_of_the_service_has_a_meaning_and_the_papers_four_come_first() -> None:
    assert set(measures.MEANINGS) == set(get_args(MeasureName))
    assert list(measures.MEANINGS)[:4] == ["cosine", "cosine_of_ranks", "pearson", "jaccard_top_n"]


def test_the_table_has_value_interval_accessibility_chance_and_gain() -> None:
    given = comparison(
        measures=[measure("auroc", gain=gain()), measure("jaccard_top_n", None), measure("cosine", 0.5, 0.6)]
    )
    rows = [
        " ".join(text_of(row).split())
        for row in every(measures.measures_table(given))
        if type(row).__name__ == "TableTr"
    ][1:]
    assert rows == [
        "Cosine 0.500 0.480 to 0.520 0.620 0.002 ↓ 0.002 ↓",
        "Jaccard, top 1 – – 0.620 – –",
        "AUROC 0.700 0.680 to 0.720 0.620 0.002 0.002 0.570 (0.550 to 0.590)",
    ]


def test_every_column_and_measure_is_explained_to_mouse_and_keyboard() -> None:
    tree = measures.measures_table(comparison(measures=[measure("auprc")], base_rate=0.25))
    tips = [one for one in every(tree) if type(one).__name__ == "Tooltip"]
    assert len(tips) == len(measures.COLUMNS) + 1
    assert all(tip.label and tip.children.tabIndex == "0" and tip.events["focus"] for tip in tips)
    assert tips[-1].label.endswith("Here 0.250.")


def test_attention_says_more_only_if_null_gain_and_simpler_scores_are_passed() -> None:
    told = said(measure("auroc", gain=gain()))
    assert told.startswith("Attention says more about the binding of ctcf.bed in B than accessibility")
    assert "AUROC 0.700 (95 % 0.680 to 0.720); accessibility alone 0.620; matched tracks 0.600 (p 0.002)" in told
    assert "regressed out 0.570 (0.550 to 0.590), where matched tracks have 0.500" in told


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"degree": 0.71}, "the number of links alone reaches"),
        ({"controls": {"untrained": 0.7}}, "the control untrained alone reaches"),
        ({"accessibility": 0.8, "width": 0.9}, "accessibility and peak width alone reach"),
    ],
)
def test_a_simpler_score_that_does_as_well_is_named(changes: dict[str, Any], named: str) -> None:
    told = said(measure("auroc", gain=gain(), **changes))
    assert "does not outdo every simpler score" in told
    assert named in told


@pytest.mark.parametrize(
    "auroc",
    [
        measure("auroc", gain=gain(0.49, 0.59)),
        measure("auroc", gain=None),
        measure("auroc", 0.7, 0.8, gain=gain()),
    ],
)
def test_without_null_and_gain_on_one_side_there_is_no_clear_sign(auroc: Measure) -> None:
    assert said(auroc).startswith("No clear sign")


def test_a_p_above_the_level_is_chance() -> None:
    null = measure("auroc").null_matched
    assert null is not None
    within = measure("auroc", gain=gain(), null_matched=null.model_copy(update={"p": 0.06}))
    assert said(within).startswith("No clear sign")
    assert measures.beyond(within) == 0


def test_attention_below_the_null_is_said_to_be_lower() -> None:
    told = said(measure("auroc", 0.55, 0.6, gain=gain(0.42, 0.46)))
    assert told.startswith("Attention says no more than accessibility")
    assert "it is lower where ctcf.bed is bound in B" in told
    assert "(p 0.002 ↓)" in told
    assert "0 of 1 measures" in told


def test_until_chance_is_known_nothing_is_concluded() -> None:
    given = comparison(measures=[measure("auroc", null=None, gain=gain(null=None))])
    told = spoken(given)
    assert told.startswith("Computing what chance gives… AUROC 0.700; accessibility alone 0.620")
    assert "more about" not in told
    assert "draws" not in told


def test_words_name_threshold_and_k_and_what_the_service_notes() -> None:
    told = said(measure("auroc", gain=gain()), notes=["The control x has no cumulative scores."])
    assert "links with a score above 0.5, of rank k ≤ 10. 1,000 draws" in told
    assert "The control x has" in told
    assert "without a limit k" in said(measure("auroc"), top_k=None)


def test_an_auroc_that_is_not_defined_is_told() -> None:
    assert said(measure("auroc", None)).startswith("The AUROC is not defined")
    assert spoken(comparison()).startswith("The AUROC is not defined")
