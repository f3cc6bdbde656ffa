import numpy as np
import pytest
from simulations import few, simulated

from bi2scope.data.regions import distance_to_tss, tss
from bi2scope.data.simulation.genome import Genome, simulate_genome
from bi2scope.data.simulation.presets import preset
from bi2scope.data.simulation.programs import LINEAGE, ONE_TYPE, _pairs_within, simulate_programs


def test_pairs_within_a_distance_are_those_of_the_dense_definition():
    genome = simulate_genome(few(), np.random.default_rng(0))
    peaks = np.arange(0, 240, 3)
    gene, peak, distance = _pairs_within(300_000, genome, peaks)
    found = set(zip(gene.tolist(), peak.tolist(), distance.tolist(), strict=True))
    sites = tss(genome.genes)
    wanted = set()
    for j in peaks.tolist():
        for g in range(80):
            place = genome.peaks.iloc[j]
            away = int(distance_to_tss(sites[g], genome.genes["strand"].iloc[g], place["start"], place["end"]))
            if genome.genes["chrom"].iloc[g] == place["chrom"] and abs(away) <= 300_000:
                wanted.add((g, j, away))
    assert found == wanted
    assert len(found) == len(gene) > 50


def test_links_obey_chromosome_and_distance_and_become_rarer_with_it():
    data = simulated("small")
    links, config = data.programs.links, data.config
    assert not links.duplicated(["gene", "peak"]).any()
    genes, peaks = data.genes.iloc[links["gene"]], data.peaks.iloc[links["peak"]]
    assert (genes["chrom"].to_numpy() == peaks["chrom"].to_numpy()).all()
    away = distance_to_tss(tss(genes), genes["strand"], peaks["start"], peaks["end"])
    assert (away == links["distance"].to_numpy()).all()
    assert np.abs(away).max() <= config.max_distance

    regulated = np.flatnonzero(np.diff(data.programs.opening.indptr))
    _, _, possible = _pairs_within(
        config.max_distance, Genome(data.genes, data.peaks, np.empty(0, np.int64)), regulated
    )
    edges = [0, 10_000, 30_000, 100_000, 200_000, 500_000]
    planted, all_pairs = (np.histogram(np.abs(each), edges)[0] for each in (away, possible))
    share = planted / all_pairs
    assert (np.diff(share) < 0).all()
    for low, high, n, found in zip(edges, edges[1:], all_pairs, share, strict=False):
        within = np.abs(possible)[(np.abs(possible) >= low) & (np.abs(possible) < high)]
        chance = config.link_chance * (1 + within / config.contact_distance) ** -config.contact_exponent
        # Genes differ in how readily they are linked, which spreads the shares more than a binomial; the cut of chances
        # at 1 lowers those of the nearest pairs a little.
        assert found == pytest.approx(chance.mean(), rel=0.25, abs=4 / np.sqrt(n)), (low, high)


def test_every_type_has_a_factor_of_its_own_and_lineages_share_theirs():
    config = preset("pbmc10k")
    small = few(
        cell_types=config.cell_types[:7], n_factors=60, n_genes=6_000, n_peaks=9_000, chromosomes=("chr1", "chr2")
    )
    programs = simulate_programs(small, simulate_genome(small, np.random.default_rng(0)), np.random.default_rng(1))
    active = programs.activity > 0
    n_types = active.sum(axis=0)
    scope = programs.factors["scope"].to_numpy()
    assert (n_types[scope == ONE_TYPE] == 1).all()
    assert active[:, scope == ONE_TYPE].any(axis=1).all()
    lineages = np.array([each.lineage for each in small.cell_types])
    for factor in np.flatnonzero(scope == LINEAGE):
        (lineage,) = set(lineages[active[:, factor]])
        assert (active[:, factor] == (lineages == lineage)).all()
    assert (n_types[scope == "all types"] == 7).all()


def test_without_regulated_peaks_there_is_no_link():
    config = few(regulated_share=0.0)
    programs = simulate_programs(config, simulate_genome(config, np.random.default_rng(0)), np.random.default_rng(1))
    assert len(programs.links) == 0
    assert programs.opening.nnz == programs.effects.nnz == 0


def test_regulated_peaks_are_shut_where_their_factors_are_not_active():
    data = simulated("small")
    openness = data.programs.mean_openness()
    active = (data.programs.opening @ data.programs.activity.T).T > 0
    regulated = np.diff(data.programs.opening.indptr) > 0
    distal = regulated & (np.median(data.programs.background, axis=0) < 0.2)
    where_active, elsewhere = openness[:, distal][active[:, distal]], openness[:, distal][~active[:, distal]]
    assert np.median(where_active) > 4 * np.median(elsewhere)
