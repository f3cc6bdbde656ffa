from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from simulations import simulated

from bi2scope.data.attention import score_of
from bi2scope.data.errors import ConfigurationError, DatasetError
from bi2scope.data.graph import cell_graph
from bi2scope.data.multiome import Multiome
from bi2scope.data.regions import tss
from bi2scope.data.simulator import Simulated
from bi2scope.model.checkpoint import Trained
from bi2scope.model.config import protocol_defaults
from bi2scope.model.evaluation import auprc
from bi2scope.model.planted import Candidates, candidates, pair_attention
from bi2scope.model.training import Execution, train
from bi2scope.precompute.attend import attend


@pytest.fixture(scope="module")
def world() -> Simulated:
    return simulated("tiny")


def untrained(multiome: Multiome, **changes: object) -> Trained:
    model, training = protocol_defaults("bi2scope", seed=1)
    training = replace(training, control="untrained", min_cells=1)
    return train(multiome, replace(model, **changes), training, progress=False, execution=Execution("cpu", test=False))


@pytest.fixture(scope="module")
def model(world: Simulated) -> Trained:
    return untrained(world.multiome)


@pytest.fixture(scope="module")
def pairs(world: Simulated, model: Trained) -> Candidates:
    return candidates(world.links, model.genes, model.peaks, np.random.default_rng(0))


def distances(model: Trained, gene: np.ndarray, peak: np.ndarray) -> np.ndarray:
    middle = ((model.peaks["start"] + model.peaks["end"]) // 2).to_numpy()
    return np.abs(middle[peak] - tss(model.genes)[gene])


def test_candidates_hold_each_link_once_and_others_as_far_apart(
    world: Simulated, model: Trained, pairs: Candidates
) -> None:
    names = list(zip(model.genes.index[pairs.gene], model.peaks.index[pairs.peak], strict=True))
    assert len(set(names)) == len(names)
    links = world.links[world.links["gene_id"].isin(model.genes.index) & world.links["peak"].isin(model.peaks.index)]
    assert {name for name, planted in zip(names, pairs.planted, strict=True) if planted} == set(
        zip(links["gene_id"], links["peak"], strict=True)
    )
    assert 0 < (~pairs.planted).sum() <= 10 * pairs.planted.sum()
    assert (model.genes["chrom"].to_numpy()[pairs.gene] == model.peaks["chrom"].to_numpy()[pairs.peak]).all()
    apart = distances(model, pairs.gene, pairs.peak)
    assert apart.max() == apart[pairs.planted].max()
    # by distance alone planted pairs are hardly told from the others
    assert auprc(-apart.astype(float), pairs.planted, np.ones(len(apart))) < 1.3 * pairs.planted.mean()


def test_links_of_other_features_are_refused(model: Trained) -> None:
    links = pd.DataFrame({"gene_id": ["nothing"], "peak": ["chr1:1-2"]})
    with pytest.raises(DatasetError, match="None of the 1 planted links"):
        candidates(links, model.genes, model.peaks, np.random.default_rng(0))


def test_means_over_cells_are_those_of_the_dense_scores(world: Simulated, model: Trained, pairs: Candidates) -> None:
    cells = np.arange(0, world.multiome.n_cells, 10)
    found = pair_attention(model, world.multiome, pairs, cells)
    known, network = model.align(world.multiome), model.network
    n_genes, n_peaks = len(model.genes), len(model.peaks)
    total, number = np.zeros((n_genes, n_peaks)), np.zeros((n_genes, n_peaks))
    factors = network.static_factors()
    same = network.layout.gene_chromosome[:, None] == network.layout.peak_chromosome[None]
    for cell in cells:
        graph = cell_graph(known, int(cell), int(cell))
        gene, peak = (torch.from_numpy(index) for index in (graph.gene_index, graph.peak_index))
        counts = [network.scaled(torch.from_numpy(count)) for count in (graph.gene_count, graph.peak_count)]
        query = factors.query[gene] + counts[0][:, None] * factors.query_per_count
        key = factors.key[peak] + counts[1][:, None] * factors.key_per_count
        at = np.ix_(graph.gene_index, graph.peak_index)
        total[at] += torch.sigmoid(query @ key.T).detach().numpy() * same[at]
        number[at] += same[at]
    np.testing.assert_array_equal(found["n_cells"], number[pairs.gene, pairs.peak])
    seen = (found["n_cells"] > 0).to_numpy()
    assert 0 < seen.sum() < len(seen)
    gene, peak = pairs.gene[seen], pairs.peak[seen]
    mean = total[gene, peak] / number[gene, peak]
    usual = (total.sum(axis=0) / np.maximum(number.sum(axis=0), 1))[peak]
    np.testing.assert_allclose(found["score"][seen], mean, atol=1e-5)
    np.testing.assert_allclose(found["lift"][seen], mean - usual, atol=1e-5)
    assert found["score"][~seen].isna().all()


def test_attention_that_starts_from_the_data_finds_planted_links_and_a_random_start_does_not(
    world: Simulated, model: Trained, pairs: Candidates
) -> None:
    cells = np.arange(world.multiome.n_cells)
    area = {}
    for name, each in (
        ("data", model),
        ("normal", untrained(world.multiome, embedding_init="normal", attention_init="normal")),
    ):
        found = pair_attention(each, world.multiome, pairs, cells)
        seen = (found["n_cells"] > 0).to_numpy()
        base = pairs.planted[seen].mean()
        area[name] = auprc(found["score"].to_numpy()[seen], pairs.planted[seen], np.ones(seen.sum())) / base
    assert area["data"] > 1.5
    assert area["normal"] < 1.3


def test_models_of_several_heads_are_refused(world: Simulated, pairs: Candidates) -> None:
    several = untrained(world.multiome, heads=2)
    with pytest.raises(ConfigurationError, match="1 layers and 2 heads"):
        pair_attention(several, world.multiome, pairs, np.arange(3))


def test_after_training_thresholds_still_cut_different_sets(world: Simulated) -> None:
    settings = protocol_defaults("bi2scope", epochs=3, seed=1)
    trained = train(world.multiome, *settings, progress=False, execution=Execution("cpu"))
    known = trained.align(world.multiome)
    logits = [attend(trained, cell_graph(known, cell, cell), 50)[0][0].logit for cell in range(0, 200, 20)]
    score = score_of(np.concatenate(logits))
    above = [float((score > threshold).mean()) for threshold in (0.5, 0.8, 0.9, 0.95)]
    assert above[0] == 1
    assert (np.diff(above) < -0.02).all()
    assert above[-1] > 0.01
