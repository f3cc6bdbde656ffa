"""The row of a gene: which of its peaks a cut leaves, and what is said of them."""

from __future__ import annotations

import pytest
from screen import text_of
from wires import link_table

from bi2scope.dashboard.client import Cut
from bi2scope.dashboard.figures.row import cut_lines, kept, logit_of, row_figure
from bi2scope.dashboard.row import of_one_gene, row_caption, row_part
from bi2scope.server.wire import LinkColumns, LinkTable

PEAKS = ["chr1:10-20", "chr1:30-40", "chr1:50-60", "chr2:5-9"]


def links() -> LinkColumns:
    """Three peaks of one gene and one of another that has the same symbol."""
    return LinkColumns(
        gene_id=["g1", "g1", "g1", "g2"], gene_name=["TWIN"] * 4, gene_chrom=["chr1"] * 3 + ["chr2"], gene_tss=[5] * 4,
        gene_strand=["+"] * 4, peak=PEAKS, peak_chrom=["chr1"] * 3 + ["chr2"], peak_start=[10, 30, 50, 5],
        peak_end=[20, 40, 60, 9], distance_to_tss=[10, 30, 50, 2], logit=[3.0, 2.0, 0.5, 1.0],
        score=[0.953, 0.881, 0.622, 0.731], rank=[1, 2, 3, 1], weight=[0.12, 0.11, 0.1, 0.1], gene_count=[1.0] * 4,
        peak_count=[1.0] * 4,
    )  # fmt: skip


def table(**changes: object) -> LinkTable:
    return link_table(links=links(), n_genes=2, truncated=False, **changes)


@pytest.mark.parametrize(
    ("cut", "stays"),
    [
        (Cut(0.5, None), [True, True, True]),
        (Cut(0.881, None), [True, False, False]),  # strict
        (Cut(0.5, 2), [True, True, False]),
        (Cut(0.9, 2), [True, False, False]),
        (Cut(1.0, None), [False, False, False]),
    ],
)
def test_a_cut_leaves_what_lies_above_the_threshold_and_within_k(cut: Cut, stays: list[bool]) -> None:
    own = of_one_gene(table(), PEAKS[0])
    assert kept(own, cut) == stays
    figure = row_figure(own, cut, PEAKS[1])
    assert [len(trace.x) for trace in figure.data[:3]] == [sum(stays), 3 - sum(stays), 1]
    assert figure.data[2].x == (2,)
    assert f"leave {sum(stays)}." in text_of(row_caption(table(), own, cut, "TWIN"))


def test_of_genes_with_one_symbol_the_one_linked_to_the_peak_is_shown() -> None:
    assert of_one_gene(table(), PEAKS[3]).gene_id == ["g2"]
    assert of_one_gene(table(), PEAKS[2]).peak == PEAKS[:3]
    assert of_one_gene(table(), "chr9:1-2").gene_id == ["g1"] * 3


def test_lines_stand_where_the_sliders_cut_and_none_beyond_the_plot() -> None:
    across, down = cut_lines(Cut(0.8, 2), top=3.0, last=9.5, scheme="light")
    assert across["y0"] == across["y1"] == pytest.approx(1.386, abs=1e-3) == logit_of(0.8)
    assert down["x0"] == down["x1"] == 2.5
    assert cut_lines(Cut(1.0, None), 3.0, 9.5, "dark") == []
    assert cut_lines(Cut(0.99, 50), 3.0, 9.5, "dark") == []


def test_a_gene_without_peaks_is_explained() -> None:
    none = links().model_copy(update={name: [] for name in LinkColumns.model_fields})
    empty = link_table(links=none, n_genes=0)
    assert "is not expressed in this cell" in text_of(row_caption(empty, none, Cut(), "GONE"))
    assert row_figure(none, Cut(), None).data[0].x == ()
    assert "not stored" in text_of(row_caption(table().model_copy(update={"truncated": True}), links(), Cut(), "TWIN"))


def test_the_address_names_a_link_whose_gene_may_hold_an_at_sign() -> None:
    assert row_part("IGH@@chr14:1-2").children[0].data == {"gene": "IGH@", "peak": "chr14:1-2"}
    assert row_part(None).children[0].data is None
