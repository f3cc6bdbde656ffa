from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bi2scope.dashboard.figures.pairs import SQUARES, Box, pairs_figure, spoken, squares
from bi2scope.server.wire_genes import MapColumns, RegionPairs

Row = tuple[int, int, int]
ROWS = st.lists(st.tuples(st.integers(0, 999), st.integers(0, 999), st.integers(1, 9)), max_size=30)


def pairs(rows: list[Row]) -> MapColumns:
    """Of (TSS, middle of the peak, cells with the link) each."""
    n = len(rows)
    return MapColumns(
        gene_id=[f"g{i}" for i in range(n)], gene_name=[f"G{i}" for i in range(n)], gene_chrom=["chr1"] * n,
        gene_tss=[tss for tss, _, _ in rows], gene_strand=["+"] * n,
        peak=[f"chr1:{middle}-{middle + 1}" for _, middle, _ in rows], peak_chrom=["chr1"] * n,
        peak_start=[middle for _, middle, _ in rows], peak_end=[middle + 1 for _, middle, _ in rows],
        distance_to_tss=[middle - tss for tss, middle, _ in rows], n_cells=[cells for _, _, cells in rows],
        n_both=[9] * n, mean_score=[0.75] * n, mean_weight=[0.1] * n,
    )  # fmt: skip


@given(ROWS, st.integers(0, 400), st.integers(0, 400))
def test_squares_hold_the_pair_in_most_cells_as_a_plain_loop_finds_it(rows: list[Row], left: int, bottom: int) -> None:
    box = Box(left, left + 600, bottom, bottom + 600)
    found = squares(pairs(rows), box)
    expected: dict[tuple[int, int], list[int]] = {}
    for i, (tss, middle, _) in enumerate(rows):
        if left <= middle < left + 600 and bottom <= tss < bottom + 600:
            expected.setdefault(((tss - bottom) // 3, (middle - left) // 3), []).append(i)
    assert SQUARES == 200
    assert {tuple(place) for place in np.argwhere(found.best >= 0).tolist()} == set(expected)
    for place, members in expected.items():
        best = max(members, key=lambda i: (rows[i][2], -i))
        assert (found.best[place], found.n_cells[place], found.n_pairs[place]) == (best, rows[best][2], len(members))


def test_what_is_spoken_of_a_square_is_that_of_its_pair() -> None:
    columns, box = pairs([(10, 900, 3), (11, 901, 5), (500, 500, 1)]), Box(0, 1000, 0, 1000)
    said = spoken(columns, squares(columns, box), box)
    assert said["place"] == [2 * SQUARES + 180, 100 * SQUARES + 100]
    assert (said["gene_name"], said["n_pairs"], said["n_cells"]) == (["G1", "G2"], [2, 1], [5, 1])
    assert np.isclose(said["x0"], 2.5e-6)


def test_the_matrix_names_its_axes_and_its_colour() -> None:
    columns, box = pairs([(10, 900, 3)]), Box(0, 1000, 0, 1000)
    body = RegionPairs(
        cell_type="B", n_cells=10, least_cells=2, layer=0, head=0, region="chr1", n_pairs=1, n_inside=1,
        truncated=False, limited=False, pairs=columns,
    )  # fmt: skip
    figure = pairs_figure(body, squares(columns, box), box, 1000)
    assert figure.layout.xaxis.title.text == "Middle of the peak on chr1 (Mb)"
    assert figure.layout.yaxis.title.text == "TSS on chr1 (Mb)"
    heatmap = figure.data[1]
    assert "B cells" in heatmap.colorbar.title.text
    assert np.isclose(heatmap.zmin, np.log10(0.2))
