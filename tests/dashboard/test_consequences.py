"""What the sliders leave, as trees."""

from __future__ import annotations

from typing import Any

import pytest
from screen import every, text_of
from wires import link_profile

from bi2scope.dashboard.consequences import bases, consequences, grouped, percent
from bi2scope.server.wire_profile import ControlLinks


def bars(tree: Any, class_name: str) -> list[float]:
    """Heights of the bars of one chart, in percent of the highest."""
    found = [one for one in every(tree) if class_name in str(getattr(one, "className", "")).split()]
    return [
        float(one.style["height"].removesuffix("%")) for one in found if "height" in (getattr(one, "style", None) or {})
    ]


def test_links_and_genes_without_one_are_counted() -> None:
    said = text_of(consequences(link_profile(), 50))
    assert "in cell AAAC-1" in said
    assert "Links 5" in said
    assert "Genes with none 2 of 5 (40 %)" in said
    assert "mean 1.7 of those linked" in said


def test_bars_stand_in_proportion() -> None:
    tree = consequences(link_profile(), 50)
    per_gene, distances = bars(tree, "bar")[:4], bars(tree, "bar")[4:]
    assert per_gene == [100, 100, 0, 50]
    assert distances == [25, 100, 0]
    marks = [one.style["bottom"] for one in every(tree) if "bottom" in (getattr(one, "style", None) or {})]
    assert marks == ["31.2%", "31.2%", "62.5%"]
    titles = [one.title for one in every(tree) if getattr(one, "className", "") == "column"]
    assert titles[1] == "1 link: 2 genes"
    assert titles[5] == "1 kb to 10 kb: 80 % of links, 25 % of possible pairs"


def test_a_type_says_how_many_cells_were_measured() -> None:
    said = text_of(consequences(link_profile(cell_id=None, n_cells=300, n_cells_measured=64), 50))
    assert "in all 300 cells of B" in said
    assert "64 cells measured" in said


def test_nothing_left_divides_by_nothing() -> None:
    empty = link_profile(n_links=0, n_without=0, n_genes=0, links_per_gene=[0], distances=[0] * 3)
    assert "Genes with none 0 of 0" in text_of(consequences(empty, 50))
    assert set(bars(consequences(empty, 50), "bar")) == {0.0}


def test_a_control_is_a_share_with_its_definition() -> None:
    control = ControlLinks(name="random-weights", n_links=87, n_links_of_model=100, share=0.87)
    tree = consequences(link_profile(controls=[control]), 50)
    assert "Also in random-weights Links of this control" in text_of(tree)
    assert "87 of the control over 100 of the model 87 %" in text_of(tree)
    assert "does not tell the model from random-weights" in text_of(tree)
    less = control.model_copy(update={"n_links": 20, "share": 0.2})
    assert "does not tell" not in text_of(consequences(link_profile(controls=[less]), 50))
    labels = [text_of(one) for one in every(tree) if getattr(one, "role", "") == "tooltip"]
    assert "empirical false-discovery rate" in labels[0]
    assert "steps of the threshold" in text_of(consequences(link_profile(controls=None), 50))
    none = ControlLinks(name="random-weights", n_links=0, n_links_of_model=0, share=None)
    assert "of the model –" in text_of(consequences(link_profile(controls=[none]), 50))


@pytest.mark.parametrize(("length", "width", "n_bars"), [(1, 1, 1), (26, 1, 26), (27, 2, 14), (51, 2, 26), (53, 3, 18)])
def test_many_classes_share_bars(length: int, width: int, n_bars: int) -> None:
    counts, each = grouped([1] * length)
    assert (each, len(counts), sum(counts)) == (width, n_bars, length)


def test_shares_and_distances_are_written_to_be_read() -> None:
    assert [percent(share) for share in (0, 0.001, 0.5, 1.2)] == ["0 %", "< 1 %", "50 %", "120 %"]
    assert [bases(number) for number in (500, 20_000, 5_000_000)] == ["500 bp", "20 kb", "5 Mb"]
