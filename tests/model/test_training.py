from dataclasses import replace

import numpy as np
import pytest
import torch
from multiomes import random_multiome
from scipy import sparse

from bi2scope.data.errors import TrainingError
from bi2scope.data.multiome import Multiome
from bi2scope.data.training_report import accuracy_sentence
from bi2scope.model import training
from bi2scope.model.config import ModelConfig, protocol_defaults
from bi2scope.model.training import train
from bi2scope.server.wire import TrainingReport

SMALL = {"id_dim": 8, "hidden": 8}


def learnable(n_cells: int = 150) -> Multiome:
    """Two cell types that share half of their features: a pair of two types can be told."""
    multiome = random_multiome(1, n_cells=n_cells, n_genes=30, n_peaks=60, cell_types=("A", "B"))
    rng = np.random.default_rng(2)
    kind = multiome.cells["cell_type"].cat.codes.to_numpy()[:, None]

    def counts(n: int) -> sparse.csr_matrix:
        rate = np.where((np.arange(n) % 2) == kind, 2.0, 0.1)
        return sparse.csr_matrix(1.0 * rng.poisson(rate), dtype=np.float32)

    return replace(multiome, rna=counts(30), atac=counts(60))


@pytest.fixture(scope="module")
def tiny() -> Multiome:
    return random_multiome(3, n_cells=60)


def settings(protocol: str, **changes: object) -> tuple[ModelConfig, training.TrainingConfig]:
    model, config = protocol_defaults(protocol, epochs=2, seed=4)
    return replace(model, **SMALL), replace(config, **changes)


@pytest.mark.parametrize("protocol", ["bi2scope", "paper"])
def test_a_report_has_the_shape_of_the_wire(tiny: Multiome, protocol: str) -> None:
    trained = train(tiny, *settings(protocol), progress=False)
    report = TrainingReport.model_validate(trained.report)
    assert report.protocol == protocol
    assert [record.epoch for record in report.history] == [1, 2]
    best = max(report.history, key=lambda record: (record.validation_accuracy, -record.validation_loss))
    assert report.best_epoch == best.epoch
    assert report.validation.accuracy == best.validation_accuracy
    assert report.chance == pytest.approx(0.5, abs=0.1)
    assert trained.dataset_digest == tiny.digest
    assert not trained.network.training


def test_the_kept_network_is_that_of_the_best_epoch(tiny: Multiome) -> None:
    trained = train(tiny, *settings("bi2scope", averaging=0.5), progress=False)
    known = trained.align(tiny)
    plan_seed = np.random.SeedSequence(4).spawn(4)[0]
    plan = training.make_plan(tiny, trained.training_config, np.random.default_rng(plan_seed))
    found = training.evaluate(trained.network, known, plan.validation, balanced=True)
    kept = trained.report["validation"]
    assert found.pop("reliability")[0] == pytest.approx(kept["reliability"][0])
    assert found == pytest.approx({name: value for name, value in kept.items() if name != "reliability"})


def test_one_seed_gives_one_model(tiny: Multiome) -> None:
    state = torch.get_rng_state()
    digests = [train(tiny, *settings("bi2scope"), progress=False).digest for _ in range(2)]
    other = train(tiny, *settings("bi2scope", seed=5), progress=False).digest
    assert digests[0] == digests[1] != other
    assert torch.equal(torch.get_rng_state(), state)


def test_it_learns_what_can_be_learnt() -> None:
    model, config = protocol_defaults("bi2scope", epochs=8, seed=1)
    report = train(learnable(), replace(model, id_dim=16, hidden=32), config, progress=False).report
    assert report["test"]["accuracy"] > 0.9
    assert report["baseline_accuracy"] > 0.9
    assert "accuracy_hard" not in report["test"]


def test_accuracy_is_given_against_easy_and_hard_mismatches() -> None:
    model, config = protocol_defaults("bi2scope", epochs=8, seed=1, hard_share=0.5)
    report = train(learnable(), replace(model, id_dim=16, hidden=32), config, progress=False).report
    test = TrainingReport.model_validate(report).test
    # types can be told, and within a type RNA and ATAC are drawn independently: nothing tells a hard pair
    assert test.accuracy_easy > 0.75
    assert test.accuracy_hard < 0.65
    easy, hard = (f"{kind} {getattr(test, f'accuracy_{kind}'):.3f}" for kind in ("easy", "hard"))
    assert accuracy_sentence(report).endswith(f"of one kind alone (chance 0.500): {easy}, {hard}.")


def test_rare_features_are_left_out_by_the_training_cells(tiny: Multiome) -> None:
    trained = train(tiny, *settings("bi2scope", min_cells=2), progress=False)
    assert 0 < len(trained.genes) <= tiny.n_genes
    rare = tiny.rna.toarray().copy()
    rare[1:, 0] = 0
    rare[0, 0] = 1
    changed = replace(tiny, rna=sparse.csr_matrix(rare))
    assert tiny.genes.index[0] not in train(changed, *settings("bi2scope", min_cells=2), progress=False).genes.index


def test_a_loss_that_is_not_finite_at_once_is_an_error(tiny: Multiome) -> None:
    with pytest.raises(TrainingError, match=r"The loss became nan in epoch 1\. Lower the learning rate"):
        train(tiny, *settings("bi2scope", learning_rate=1e38), progress=False)


def test_a_loss_that_stops_being_finite_keeps_the_best_epoch(tiny: Multiome, monkeypatch) -> None:
    step, seen = training._Run._step, []

    def failing(self, graphs, label):
        seen.append(len(label))
        if sum(seen) > 96:  # the second epoch
            raise training._NotFiniteError("nan")
        return step(self, graphs, label)

    monkeypatch.setattr(training._Run, "_step", failing)
    report = train(tiny, *settings("bi2scope"), progress=False).report
    assert report["best_epoch"] == 1
    assert len(report["history"]) == 1


def test_node_dropout_leaves_a_node_at_least(tiny: Multiome) -> None:
    report = train(tiny, *settings("bi2scope", node_dropout=0.99), progress=False).report
    assert np.isfinite(report["test"]["loss"])
