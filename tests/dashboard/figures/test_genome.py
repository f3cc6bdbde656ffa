from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from wires import dataset

from bi2scope.dashboard.figures.genome import (
    CHARACTER,
    LINE,
    Span,
    chromosome_ticks,
    evenly,
    gene_spans,
    gene_ticks,
    peak_spans,
    peak_ticks,
)

lengths = st.lists(st.integers(1, 500), min_size=1, max_size=30)


def spans_of(sizes: list[int]) -> list[Span]:
    ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]
    return [Span(f"chr{i + 1}", end - size, end) for i, (size, end) in enumerate(zip(sizes, ends, strict=True))]


@given(lengths)
def test_names_on_one_line_never_cover_each_other(sizes: list[int]) -> None:
    total, pixels = sum(sizes), 600.0
    ticks = chromosome_ticks(spans_of(sizes), 0, total, pixels=pixels)
    lines: dict[int, list[tuple[float, float]]] = {}
    for at, text in zip(ticks.positions, ticks.texts, strict=True):
        half = CHARACTER * len(text.replace("<br>", "")) / 2
        lines.setdefault(text.count("<br>"), []).append((at * pixels / total - half, at * pixels / total + half))
    assert all(left[1] <= right[0] for line in lines.values() for left, right in pairwise(line))


@given(lengths)
def test_names_in_one_column_never_cover_each_other(sizes: list[int]) -> None:
    total, pixels = sum(sizes), 480.0
    ticks = chromosome_ticks(spans_of(sizes), 0, total, pixels=pixels, direction="down")
    columns: dict[int, list[float]] = {}
    for at, text in zip(ticks.positions, ticks.texts, strict=True):
        columns.setdefault(text.count("\N{NO-BREAK SPACE}"), []).append(at * pixels / total)
    assert all(below - above >= LINE - 1e-6 for column in columns.values() for above, below in pairwise(column))


def test_all_human_chromosomes_are_named() -> None:
    megabases = [
        248,
        242,
        198,
        190,
        182,
        171,
        159,
        145,
        138,
        134,
        135,
        133,
        114,
        107,
        102,
        90,
        83,
        80,
        59,
        64,
        47,
        51,
        156,
    ]
    spans = spans_of([4 * size for size in megabases])
    ticks = chromosome_ticks(spans, 0, spans[-1].stop, pixels=560)
    assert [text.replace("<br>", "") for text in ticks.texts] == [span.label for span in spans]


def test_only_chromosomes_in_view_are_named_in_the_middle_of_their_part() -> None:
    ticks = chromosome_ticks(spans_of([100, 100, 100]), 50, 150, pixels=500)
    assert (ticks.texts, ticks.positions) == (["1", "2"], [74.5, 124.5])


def test_a_chromosome_without_peaks_has_no_place_on_their_axis() -> None:
    info = dataset()
    bare = info.chromosomes[0].model_copy(update={"peak_stop": 0})
    assert [span.name for span in peak_spans([bare, info.chromosomes[1]])] == ["chr2"]
    assert [span.name for span in gene_spans([bare, info.chromosomes[1]])] == ["chr1", "chr2"]


def test_near_peaks_are_named_by_their_place() -> None:
    names = [f"chr2:{1_000_000 + 1000 * i}-{1_000_500 + 1000 * i}" for i in range(3)]
    ticks = peak_ticks(spans_of([100, 100]), names, 150, 153, pixels=600)
    assert ticks.texts == ["1.000", "1.001", "1.002"]
    assert ticks.positions == [150, 151, 152]
    assert "chr2 in Mb" in ticks.suffix


def test_near_peaks_of_two_chromosomes_carry_their_names() -> None:
    ticks = peak_ticks(spans_of([100, 100]), ["chr1:5000000-5000100", "chr2:7000-7100"], 99, 101, pixels=600)
    assert ticks.texts == ["1:5.000", "2:0.007"]


def test_near_genes_are_named() -> None:
    ticks = gene_ticks(spans_of([100, 100]), ["A", "B"], 10, 12, pixels=500)
    assert (ticks.positions, ticks.texts) == ([10, 11], ["A", "B"])


def test_far_genes_show_chromosomes() -> None:
    assert gene_ticks(spans_of([100, 100]), ["x"] * 200, 0, 200, pixels=500).texts == ["1", "2"]


@given(st.integers(0, 1000), st.integers(1, 1000), st.integers(1, 50))
def test_evenly_spread_positions_lie_inside_and_are_few(start: int, length: int, count: int) -> None:
    positions = evenly(start, start + length, count)
    assert 1 <= len(positions) <= count
    assert all(start <= at < start + length for at in positions)
