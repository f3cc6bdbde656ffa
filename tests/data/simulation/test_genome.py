import os
from pathlib import Path

import bioframe
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulations import few

from bi2scope.data.errors import ConfigurationError
from bi2scope.data.regions import check_intervals, genome_order, peak_name, tss
from bi2scope.data.simulation.config import HUMAN_CHROMOSOMES
from bi2scope.data.simulation.genome import EMPTY_BANDS, simulate_genome, simulate_landscape
from bi2scope.data.simulation.presets import preset

SHARED = Path(os.environ.get("BI2SCOPE_SHARED", Path(__file__).parents[4] / "shared"))
REAL_GENES = SHARED / "data" / "genome" / "hg38_ensembl93_genes.tsv.gz"
SIZES = bioframe.assembly_info("hg38").chromsizes


def check_places(genome):
    for table, what in ((genome.genes, "gene"), (genome.peaks, "peak")):
        check_intervals(table, what, "simulated")
        assert (genome_order(table) == np.arange(len(table))).all()
        assert table.index.is_unique
        assert (table["end"].to_numpy() <= SIZES[table["chrom"]].to_numpy()).all()
    assert list(genome.peaks.index) == [peak_name(*row) for row in genome.peaks.itertuples(index=False)]
    same = (genome.peaks["chrom"] == genome.peaks["chrom"].shift()).to_numpy()[1:]
    gap = genome.peaks["start"].to_numpy()[1:] - genome.peaks["end"].to_numpy()[:-1]
    assert (gap[same] > 0).all(), "peaks overlap or touch"


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**40),
    n_genes=st.integers(21, 120),
    n_peaks=st.integers(41, 400),
    chromosomes=st.sets(st.sampled_from(HUMAN_CHROMOSOMES), min_size=1, max_size=3),
    promoter_share=st.floats(0, 0.99),
)
def test_places_lie_on_their_chromosomes_in_order_without_overlap(seed, n_genes, n_peaks, chromosomes, promoter_share):
    config = few(
        n_genes=n_genes, n_peaks=n_peaks, chromosomes=tuple(sorted(chromosomes)), promoter_share=promoter_share
    )
    genome = simulate_genome(config, np.random.default_rng(seed))
    assert (len(genome.genes), len(genome.peaks)) == (n_genes, n_peaks)
    assert set(genome.genes["chrom"]) | set(genome.peaks["chrom"]) <= chromosomes
    check_places(genome)


def test_promoter_peaks_lie_at_the_start_of_their_gene():
    genome = simulate_genome(preset("small"), np.random.default_rng(0))
    promoters = np.flatnonzero(genome.promoter_of >= 0)
    assert len(promoters) / len(genome.peaks) == pytest.approx(preset("small").promoter_share, abs=0.01)
    genes, peaks = genome.genes.iloc[genome.promoter_of[promoters]], genome.peaks.iloc[promoters]
    assert (genes["chrom"].to_numpy() == peaks["chrom"].to_numpy()).all()
    middle = (peaks["start"] + peaks["end"]).to_numpy() // 2
    assert np.abs(middle - tss(genes)).max() < 1_000


def test_density_is_zero_in_centromeres_and_follows_its_power():
    landscape = simulate_landscape(("chr21",), np.random.default_rng(3))
    bands = bioframe.assembly_info("hg38").cytobands
    empty = bands[(bands["chrom"] == "chr21") & bands["stain"].isin(EMPTY_BANDS)]
    for power in (1.0, 0.45):
        drawn = landscape.draw(20_000, np.random.default_rng(1), power)
        for band in empty.itertuples():
            assert not ((drawn >= band.start) & (drawn < band.end)).any()
    densest = landscape.density >= np.quantile(landscape.density, 0.9)
    share = []
    for power in (1.0, 0.45):
        drawn = landscape.draw(20_000, np.random.default_rng(2), power)
        share.append(densest[np.searchsorted(landscape.bin_start, drawn, side="right") - 1].mean())
    assert share[0] > share[1] > 0.1


def spread_of_counts(chrom: np.ndarray, position: np.ndarray, size: int) -> float:
    """Variance over mean of the number of positions in bins of the main chromosomes."""
    counts = [
        np.bincount(position[chrom == name] // size, minlength=SIZES[name] // size + 1) for name in HUMAN_CHROMOSOMES
    ]
    together = np.concatenate(counts)
    return float(together.var() / together.mean())


@pytest.mark.skipif(not REAL_GENES.is_file(), reason="needs the real genes beside the repository")
def test_genes_cluster_as_real_ones_do_from_ten_kilobases_to_a_megabase():
    table = pd.read_csv(REAL_GENES, sep="\t")
    real = table[(table["gene_type"] == "protein_coding") & table["chrom"].isin(HUMAN_CHROMOSOMES)]
    genome = simulate_genome(preset("pbmc10k"), np.random.default_rng(0))
    chosen = np.random.default_rng(1).choice(len(genome.genes), len(real), replace=False)
    genes = genome.genes.iloc[np.sort(chosen)]
    for size in (10_000, 100_000, 1_000_000):
        ours = spread_of_counts(genes["chrom"].to_numpy(), tss(genes), size)
        theirs = spread_of_counts(real["chrom"].to_numpy(), real["tss"].to_numpy(), size)
        assert ours > 1.1, "not more clustered than by chance"
        assert 0.6 < ours / theirs < 1.6, (size, ours, theirs)


def test_more_peaks_than_fit_are_refused():
    config = few(n_peaks=60_000, peak_width=3_000.0, peak_width_spread=0.0, chromosomes=("chr21",))
    with pytest.raises(ConfigurationError, match=r"n_peaks is 60000, but only \d+ peaks"):
        simulate_genome(config, np.random.default_rng(0))
