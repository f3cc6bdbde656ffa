import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from multiomes import random_multiome
from scipy import sparse

from bi2scope.data.errors import DatasetError, TrainingError
from bi2scope.data.multiome import Multiome
from bi2scope.data.pairs import Pairs
from bi2scope.data.training_report import accuracy_sentence
from bi2scope.model import training
from bi2scope.model.config import ModelConfig, protocol_defaults
from bi2scope.model.evaluation import evaluate, pair_weights, predict
from bi2scope.model.run import Run
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
    plan = training.make_plan(tiny, trained.training_config, np.random.default_rng(training.Seeds.of(4).plan))
    found = evaluate(trained.network, known, plan.validation, balanced=True)
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


@pytest.mark.slow
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
    with pytest.raises(TrainingError) as found:
        train(tiny, *settings("bi2scope", learning_rate=1e38), progress=False)
    said = str(found.value)
    assert re.search(
        r"The loss became (nan|inf) in epoch 1, step \d of 6, on \d+ pairs of cells \([ACGT]+-\d+ with", said
    )
    assert re.search(r"The largest norm of a parameter is (nan|inf|\S+e\+\d+) \([\w.]+\); ", said)
    assert said.endswith("No epoch was through, so nothing is kept. Lower the learning rate.")


def test_a_loss_that_stops_being_finite_keeps_the_best_epoch(tiny: Multiome, monkeypatch) -> None:
    whole = train(tiny, *settings("bi2scope"), progress=False).report
    step, seen = Run._step, []

    def failing(self, batch, label, bounds):
        seen.append(bounds)
        if len(seen) == 8:  # the second step of the second epoch
            with torch.no_grad():
                self.network.fc3.bias[0] = torch.nan
        return step(self, batch, label, bounds)

    monkeypatch.setattr(Run, "_step", failing)
    report = train(tiny, *settings("bi2scope"), progress=False).report
    TrainingReport.model_validate(report)
    assert report["best_epoch"] == 1
    assert [row["validation_loss"] for row in report["history"]] == [whole["history"][0]["validation_loss"]]
    assert report["validation"]["loss"] == whole["history"][0]["validation_loss"]
    assert report["stopped"].startswith("The loss became nan in epoch 2, step 2 of 6, on 16 pairs of cells (")
    assert re.search(r"is nan \(fc3.bias\); the largest logit is \S+\. Epoch 1 is kept\.$", report["stopped"])


def test_a_network_that_is_not_finite_after_an_epoch_is_not_kept(tiny: Multiome, monkeypatch) -> None:
    def spoilt(self) -> None:
        epoch(self)
        with torch.no_grad():
            self.network.fc1.weight[0, 0] = torch.inf

    epoch = Run._epoch
    monkeypatch.setattr(Run, "_epoch", spoilt)
    with pytest.raises(TrainingError, match=r"validation loss is not finite after epoch 1\. .* is inf \(fc1\.weight\)"):
        train(tiny, *settings("bi2scope"), progress=False)


@pytest.mark.parametrize("batch_size", [1, 7])
def test_batches_of_one_and_uneven_ones_are_trained_on(tiny: Multiome, batch_size: int) -> None:
    report = train(tiny, *settings("bi2scope", batch_size=batch_size, epochs=1), progress=False).report
    assert np.isfinite(report["history"][0]["train_loss"])


def test_cells_of_one_type_have_no_easy_mismatches() -> None:
    alike = random_multiome(1, n_cells=60, cell_types=("B",))
    with pytest.raises(DatasetError, match=r"60 cells to pair are all of one cell type.*hard mismatches alone"):
        train(alike, *settings("bi2scope"), progress=False)
    report = train(alike, *settings("bi2scope", hard_share=1.0, epochs=1), progress=False).report
    assert report["test"]["accuracy_easy"] is None
    assert report["test"]["accuracy_hard"] == pytest.approx(report["test"]["accuracy"])


def test_cells_without_a_peak_beside_a_gene_and_with_few_peaks_are_trained_on(tiny: Multiome) -> None:
    rna, atac = tiny.rna.toarray(), tiny.atac.toarray()
    of_gene, of_peak = tiny.gene_chromosome, tiny.peak_chromosome
    rna[:20, of_gene != 0] = 0  # genes of the first chromosome alone, peaks of the others alone
    rna[:20, 0] = 1
    atac[:20, of_peak == 0] = 0
    atac[20:40] = 0  # one peak of a cell, fewer than the ten places of the softmax
    atac[np.arange(20, 40), np.arange(20)] = 1
    changed = replace(tiny, rna=sparse.csr_matrix(rna), atac=sparse.csr_matrix(atac))
    report = train(changed, *settings("bi2scope"), progress=False).report
    assert all(np.isfinite(row["train_loss"]) for row in report["history"])
    assert np.isfinite(report["test"]["loss"])


def test_cells_left_without_genes_or_peaks_are_in_no_pair(tiny: Multiome) -> None:
    rna = tiny.rna.toarray()
    rna[:6] = 0
    rna[:6, 0] = np.eye(6)[0]  # five cells without a gene, one with a gene of its own that is left out as rare
    rna[6:, 0] = 0
    changed = replace(tiny, rna=sparse.csr_matrix(rna))
    trained = train(changed, *settings("bi2scope", min_cells=2), progress=False)
    assert np.isfinite(trained.report["test"]["loss"])
    empty = Pairs(np.array([0, 1]), np.array([8, 9]), np.array([0, 0]))
    assert np.isfinite(predict(trained.network, trained.align(changed), empty)).all()


def test_training_stops_when_patience_is_out(tiny: Multiome) -> None:
    report = train(tiny, *settings("bi2scope", epochs=30, patience=2), progress=False).report
    assert len(report["history"]) == report["best_epoch"] + 2 < 30
    assert report["stopped"] == f"No better validation in 2 epochs after epoch {report['best_epoch']}."
    free = train(tiny, *settings("bi2scope", epochs=30), progress=False).report
    same = [
        {**row, "seconds": 0} == {**other, "seconds": 0}
        for row, other in zip(report["history"], free["history"], strict=False)
    ]
    assert all(same)


def test_a_clipped_gradient_is_no_longer_than_asked(tiny: Multiome, monkeypatch) -> None:
    norms = []
    step = torch.optim.Adam.step

    def seen(self, *args, **kwargs):
        gradients = [p.grad.norm() for group in self.param_groups for p in group["params"] if p.grad is not None]
        norms.append(float(torch.stack(gradients).norm()))
        return step(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.Adam, "step", seen)
    for clip_norm in (None, 0.01):
        norms.clear()
        train(tiny, *settings("paper", batch_size=16, clip_norm=clip_norm), progress=False)
        assert norms
        assert max(norms) == pytest.approx(0.01, rel=1e-3) if clip_norm else max(norms) > 0.02


def test_a_balanced_loss_weighs_the_classes_alike(tiny: Multiome) -> None:
    """With three mismatched pairs to a matched one and nothing to learn, the loss tells what the network answers."""
    chosen = {"mismatch_ratio": 3.0, "epochs": 12, "learning_rate": 0.02, "schedule": "constant"}
    mean = {}
    for balanced in (False, True):
        config = settings("bi2scope", class_balanced_loss=balanced, **chosen)
        report = train(tiny, *config, progress=False).report
        bins = report["test"]["reliability"]
        mean[balanced] = sum(each["share"] * each["predicted"] for each in bins)
    assert mean[False] == pytest.approx(0.25, abs=0.12)
    assert mean[True] == pytest.approx(0.5, abs=0.12)


def test_temperature_is_reported_and_not_applied(tiny: Multiome) -> None:
    trained = train(tiny, *settings("bi2scope"), progress=False)
    report = TrainingReport.model_validate(trained.report)
    assert report.calibration.temperature > 0
    known = trained.align(tiny)
    plan = training.make_plan(tiny, trained.training_config, np.random.default_rng(training.Seeds.of(4).plan))
    found = evaluate(trained.network, known, plan.test, balanced=True)
    assert found["loss"] == pytest.approx(report.test.loss)
    validation = predict(trained.network, known, plan.validation)
    odds, matched = validation[:, 1] - validation[:, 0], plan.validation.label == 1
    weight = pair_weights(plan.validation.label, balanced=True)
    losses = [
        (weight * np.logaddexp(0, np.where(matched, -odds, odds) / (t * report.calibration.temperature))).sum()
        for t in (0.9, 1.0, 1.1)
    ]
    assert min(losses) == losses[1] or report.calibration.temperature == pytest.approx(100, rel=0.01)


def test_node_dropout_leaves_a_node_at_least(tiny: Multiome) -> None:
    report = train(tiny, *settings("bi2scope", node_dropout=0.99), progress=False).report
    assert np.isfinite(report["test"]["loss"])
