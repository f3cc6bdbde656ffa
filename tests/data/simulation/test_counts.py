import dataclasses
import tracemalloc

import numpy as np
import pytest
from scipy import stats
from simulations import few, simulated

from bi2scope.data.errors import ConfigurationError
from bi2scope.data.simulation.counts import (
    _draw,
    cells_one_by_one,
    check_reachable,
    draw_state,
    pilot_depths,
    sample_counts,
)
from bi2scope.data.simulation.genome import simulate_genome
from bi2scope.data.simulation.programs import simulate_programs
from bi2scope.data.simulator import simulate


def programs_of(config):
    return simulate_programs(config, simulate_genome(config, np.random.default_rng(0)), np.random.default_rng(1))


def test_peaks_open_as_often_as_the_formula_says():
    config = few(activity_spread=0.0)
    programs = programs_of(config)
    rng = np.random.default_rng(2)
    seen = np.zeros(config.n_peaks)
    for _ in range(4_000):
        seen[draw_state(config, programs, 1, rng).open_peaks] += 1
    chance = programs.mean_openness()[1]
    z = (seen - 4_000 * chance) / np.sqrt(4_000 * chance * (1 - chance) + 1e-9)
    assert np.abs(z).max() < 5
    assert z.std() == pytest.approx(1, abs=0.15)


def test_activity_varies_between_cells_and_keeps_its_mean():
    config = few(activity_spread=0.6)
    programs = programs_of(config)
    rng = np.random.default_rng(3)
    drawn = np.array([draw_state(config, programs, 0, rng).activity for _ in range(4_000)])
    active = programs.activity[0] > 0
    assert not drawn[:, ~active].any()
    assert drawn[:, active].mean(axis=0) == pytest.approx(programs.activity[0, active], rel=0.08)
    assert np.log(drawn[:, active]).std(axis=0) == pytest.approx(0.6, rel=0.08)


def test_open_enhancers_raise_their_gene_by_their_effects():
    config = few(dispersion=1e7)  # no noise left
    programs = programs_of(config)
    state = draw_state(config, programs, 0, np.random.default_rng(4))
    is_open = np.isin(np.arange(config.n_peaks), state.open_peaks)
    boost = np.ones(config.n_genes)
    for link in programs.links.itertuples():
        boost[link.gene] += link.effect * is_open[link.peak]
    assert boost.max() > 2
    assert state.expression == pytest.approx(programs.expression[0] * boost, rel=2e-3)


def test_molecules_are_drawn_by_the_rates_and_the_ambient_profile():
    features, rates = np.array([1, 4, 6]), np.array([1.0, 2.0, 5.0], np.float32)
    positions, counts = _draw(features, rates, 200_000, np.arange(1.0, 11.0), 0.1, np.random.default_rng(5))
    assert positions.tolist() == list(range(10))
    assert counts.sum() == 200_000
    expected = np.full(10, 0.01)
    expected[features] += 0.9 * rates / 8
    assert stats.chisquare(counts, 200_000 * expected).pvalue > 1e-4


def test_a_cell_without_an_open_peak_shows_the_ambient_alone():
    positions, counts = _draw(
        np.empty(0, np.int64), np.empty(0, np.float32), 50, np.cumsum(np.ones(4)), 0.0, np.random.default_rng(6)
    )
    assert counts.sum() == 50
    assert set(positions) <= {0, 1, 2, 3}


def test_a_cell_does_not_depend_on_the_others():
    config = few()
    programs = programs_of(config)
    types = np.array([0, 1, 1, 0, 1, 0])
    all_six = sample_counts(config, programs, types, seed=9)
    first_three = sample_counts(config, programs, types[:3], seed=9)
    for one, two in ((all_six.rna, first_three.rna), (all_six.atac, first_three.atac)):
        assert (one[:3] != two).nnz == 0
    assert (all_six.activity[:3] == first_three.activity).all()
    assert (all_six.rna != sample_counts(config, programs, types, seed=10).rna).nnz > 0


def test_counts_are_canonical():
    data = simulated("tiny")
    for counts in (data.rna, data.atac):
        counts = counts.copy()
        stored = counts.indices.copy()
        counts.has_sorted_indices = False
        counts.sort_indices()
        assert (counts.indices == stored).all()
        assert counts.dtype == np.float32
        assert counts.data.min() >= 1
        assert (counts.data == np.floor(counts.data)).all()


def test_cells_of_a_type_show_the_median_number_of_features():
    data = simulated("small")
    types = data.cells["cell_type"].astype(str).to_numpy()
    for each in data.config.cell_types:
        of_type = types == each.name
        for counts, wanted in ((data.rna, each.genes), (data.atac, each.peaks)):
            seen = np.median(np.diff(counts.indptr)[of_type])
            assert seen == pytest.approx(wanted, rel=0.12), (each.name, wanted)


def test_depths_of_rna_and_atac_correlate_as_asked():
    config = dataclasses.replace(few(n_cells=600, depth_correlation=0.8, genes_spread=0.3), ambient=0.0)
    data = simulate(config, seed=3)
    of_a = (data.cells["cell_type"] == "A").to_numpy()
    logs = [np.log(np.asarray(counts.sum(axis=1)).ravel()[of_a]) for counts in (data.rna, data.atac)]
    assert stats.spearmanr(*logs).statistic == pytest.approx(0.75, abs=0.12)


def test_both_ends_of_every_fragment_make_even_counts():
    ends, fragments = (simulate(few(both_ends=share), seed=2).atac for share in (1.0, 0.0))
    assert (ends.data % 2 == 0).all()
    assert (ends != 2 * fragments).nnz == 0


def test_medians_that_cells_cannot_show_are_refused_by_name():
    config = few()
    types = tuple(dataclasses.replace(each, peaks=239.0) for each in config.cell_types)
    config = dataclasses.replace(config, cell_types=types)
    with pytest.raises(
        ConfigurationError, match=r"cell_types\['A'\].peaks is 239, but its cells show \d+ peaks at most"
    ):
        check_reachable(config, *pilot_depths(config, programs_of(config), 0))


def test_memory_does_not_grow_with_the_cells():
    config = few(n_genes=2_000, n_peaks=20_000, chromosomes=("chr1", "chr2"))
    programs = programs_of(config)
    depths = pilot_depths(config, programs, 0)

    def peak_while_drawing(n_cells):
        tracemalloc.start()
        for _ in cells_one_by_one(config, programs, np.zeros(n_cells, np.int64), 0, depths):
            pass
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    one, many = peak_while_drawing(3), peak_while_drawing(300)
    assert many < 1.2 * one
    assert (
        many < 30 * config.n_peaks
    )  # bytes: some vectors of one cell; 300 cells alone would take 80 times n_peaks * 4
