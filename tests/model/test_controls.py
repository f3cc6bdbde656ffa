"""Controls: made by the same code, named wherever they go."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from multiomes import random_multiome

from bi2scope.data.errors import ConfigurationError
from bi2scope.data.multiome import Multiome
from bi2scope.data.pairs import Pairs
from bi2scope.data.training_report import accuracy_sentence
from bi2scope.model.checkpoint import Trained, load, save
from bi2scope.model.config import ModelConfig, TrainingConfig, protocol_defaults
from bi2scope.model.controls import named_control, with_shuffled_labels
from bi2scope.model.run import Run
from bi2scope.model.training import train
from bi2scope.server.wire import TrainingReport

CONTROLS = ("random-weights", "untrained", "shuffled-labels", "uniform-attention", "random-peaks")


@pytest.fixture(scope="module")
def tiny() -> Multiome:
    return random_multiome(3, n_cells=60)


def settings(protocol: str = "bi2scope", **changes: object) -> tuple[ModelConfig, TrainingConfig]:
    model, config = protocol_defaults(protocol, epochs=2, seed=4)
    return replace(model, id_dim=8, hidden=8), replace(config, batch_size=16, **changes)


@pytest.fixture(scope="module")
def model(tiny: Multiome) -> Trained:
    return train(tiny, *settings(), progress=False)


@pytest.mark.parametrize("control", CONTROLS)
def test_a_control_is_named_wherever_it_goes(tiny: Multiome, model: Trained, tmp_path: Path, control: str) -> None:
    made = train(tiny, *settings(control=control), progress=False)
    save(made, tmp_path / "control.safetensors")
    loaded = load(tmp_path / "control.safetensors")
    assert loaded.training_config.control == control
    assert TrainingReport.model_validate(loaded.report).control == control
    assert accuracy_sentence(loaded.report).startswith(f"Control {control}, not the model. Held-out accuracy ")
    assert loaded.digest == made.digest != model.digest
    kinds = {"uniform-attention": "uniform", "random-peaks": "random"}
    assert loaded.model_config.attention == kinds.get(control, "learned")
    # the same held-out pairs and the same baseline stand beside it
    for key in ("n_validation", "n_test", "baseline_accuracy", "chance"):
        assert made.report[key] == model.report[key]
    assert made.report["test"]["loss"] != model.report["test"]["loss"]


def test_the_model_is_no_control(model: Trained) -> None:
    assert "control" not in model.report
    assert TrainingReport.model_validate(model.report).control is None
    assert accuracy_sentence(model.report).startswith("Held-out accuracy ")


def test_the_untrained_network_is_that_which_training_starts_from(tiny: Multiome, monkeypatch) -> None:
    starts = []
    step = Run._step

    def first(self, batch, label, bounds):
        if not starts:
            starts.append({name: each.clone() for name, each in self.network.state_dict().items()})
        return step(self, batch, label, bounds)

    monkeypatch.setattr(Run, "_step", first)
    train(tiny, *settings(), progress=False)
    control = train(tiny, *settings(control="untrained"), progress=False)
    found = control.network.state_dict()
    assert all(torch.equal(found[name], each) for name, each in starts[0].items())
    assert (control.report["best_epoch"], control.report["n_train"], control.report["history"]) == (0, 0, [])


def test_random_weights_owe_nothing_to_the_counts(tiny: Multiome) -> None:
    control, start = (train(tiny, *settings(control=name), progress=False) for name in ("random-weights", "untrained"))
    assert (control.model_config.embedding_init, control.model_config.attention_init) == ("normal", "normal")
    name = "atac_idembedding.weight"
    found, from_counts = control.network.state_dict()[name], start.network.state_dict()[name]
    assert not torch.equal(found, from_counts)
    assert abs(float(found.std()) - 1) < 0.2
    assert (control.report["best_epoch"], control.report["history"]) == (0, [])


def test_labels_are_permuted_and_nothing_else() -> None:
    pairs = Pairs(np.arange(50), np.arange(50) // 2, (np.arange(50) % 3 == 0).astype(np.int64))
    shuffled = with_shuffled_labels(pairs, np.random.default_rng(0))
    assert (shuffled.rna_cell == pairs.rna_cell).all()
    assert (shuffled.atac_cell == pairs.atac_cell).all()
    assert shuffled.label.sum() == pairs.label.sum()
    assert (shuffled.label != pairs.label).any()


@pytest.mark.parametrize(("protocol", "negatives"), [("bi2scope", "fresh"), ("bi2scope", "fixed"), ("paper", "fixed")])
def test_training_labels_alone_are_shuffled(tiny: Multiome, monkeypatch, protocol: str, negatives: str) -> None:
    """Fresh pairs have labels permuted anew, fixed ones keep those that they were given; held-out pairs are honest."""
    seen: dict[str | None, list[Pairs]] = {None: [], "shuffled-labels": []}
    held: dict[str | None, list[int]] = {None: [], "shuffled-labels": []}
    drawn = Run._drawn

    def noted(self) -> Pairs:
        pairs = drawn(self)
        seen[self.config.control].append(pairs)
        held[self.config.control] += [*self.plan.validation.label, *self.plan.test.label]
        return pairs

    monkeypatch.setattr(Run, "_drawn", noted)
    for control in (None, "shuffled-labels"):
        train(tiny, *settings(protocol, negatives=negatives, control=control), progress=False)
    assert held[None] == held["shuffled-labels"]
    given = []
    for honest, shuffled in zip(seen[None], seen["shuffled-labels"], strict=True):
        assert (shuffled.rna_cell == honest.rna_cell).all()
        assert (shuffled.atac_cell == honest.atac_cell).all()
        assert shuffled.label.sum() == honest.label.sum()
        assert 0.3 < (shuffled.label == honest.label).mean() < 0.7
        given.append(dict(zip(zip(shuffled.rna_cell, shuffled.atac_cell, strict=True), shuffled.label, strict=True)))
    common = given[0].keys() & given[1].keys()
    kept = np.mean([given[0][pair] == given[1][pair] for pair in common])
    assert kept == 1 if negatives == "fixed" else 0.3 < kept < 0.7


def test_kinds_of_attention_and_controls_name_one_another() -> None:
    model, config = settings()
    assert named_control(model, config) == (model, config)
    uniform = named_control(replace(model, attention="uniform"), config)
    assert uniform[1].control == "uniform-attention"
    assert named_control(model, replace(config, control="uniform-attention")) == uniform == named_control(*uniform)
    assert named_control(model, replace(config, control="random-peaks"))[0].attention == "random"
    with pytest.raises(ConfigurationError, match=r"'uniform', which is the control uniform-attention, .* random-peaks"):
        named_control(replace(model, attention="uniform"), replace(config, control="random-peaks"))
