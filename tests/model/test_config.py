import pytest

from bi2scope.data.errors import ConfigurationError
from bi2scope.model.config import ModelConfig, TrainingConfig, protocol_defaults


def test_the_papers_protocol_is_the_published_codes() -> None:
    model, training = protocol_defaults("paper")
    assert (model.id_dim, model.hidden, model.layers, model.heads, model.dropout) == (256, 128, 1, 1, 0.1)
    assert (model.counts, model.gene_attributes) == ("raw", "raw")
    assert (model.embedding_init, model.attention_init, training.attention_rate) == ("normal", "normal", 1)
    assert (training.optimiser, training.learning_rate, training.weight_decay) == ("adam", 5e-5, 1e-6)
    assert (training.split, training.negatives, training.min_cells, training.seed) == ("pairs", "fixed", 1, 906)
    assert (training.schedule, training.node_dropout, training.averaging) == ("constant", 0, 0)


def test_epochs_and_seed_take_the_place_of_the_protocols() -> None:
    _, training = protocol_defaults("bi2scope", epochs=3, seed=5)
    assert (training.epochs, training.seed) == (3, 5)
    assert protocol_defaults("bi2scope", epochs=training.epochs, seed=training.seed) == protocol_defaults(
        "bi2scope", epochs=3, seed=5
    )


def test_configurations_survive_a_round_trip() -> None:
    for config in protocol_defaults("bi2scope"):
        assert type(config).from_dict(config.as_dict()) == config


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"heads": 3}, "heads must divide"),
        ({"hidden": 0}, "hidden is 0; it must be at least 1"),
        ({"dropout": 1.0}, "dropout is 1; it must be at least 0 and below 1"),
        ({"dropout": float("nan")}, "dropout is nan"),
        ({"counts": "sqrt"}, "counts is 'sqrt'; it must be one of raw, log1p"),
        ({"attention_init": "zero"}, "attention_init is 'zero'; it must be one of normal, aligned"),
    ],
)
def test_models_out_of_range_are_refused(change: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        ModelConfig.from_dict(ModelConfig().as_dict() | change)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"epochs": 0}, "epochs is 0"),
        ({"learning_rate": 0.0}, "learning_rate is 0; it must be above 0"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"seed": -1}, "seed is -1"),
        ({"averaging": 1.0}, "averaging is 1"),
        ({"optimiser": "sgd"}, "one of adam, adamw"),
        ({"split": "pairs"}, "needs split='cells'"),
        ({"hard_share": 1.5}, "share of hard mismatches is 1.5; it must be from 0 to 1"),
        ({"mismatch_ratio": 0}, "ratio of mismatched to matched pairs is 0; it must be above 0"),
        ({"colour": 1}, "no setting named colour"),
        ({"warmup": 1.0}, "warmup is 1; it must be at least 0 and below 1"),
        ({"patience": 0}, "patience is 0"),
        ({"attention_rate": 0.0}, "attention_rate is 0; it must be above 0"),
        ({"clip_norm": 0.0}, "clip_norm is 0; it must be above 0"),
        ({"clip_norm": float("inf")}, "clip_norm is inf"),
        ({"control": "placebo"}, "control is 'placebo'; it must be one of random-weights, untrained"),
    ],
)
def test_trainings_out_of_range_are_refused(change: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        TrainingConfig.from_dict(protocol_defaults("bi2scope")[1].as_dict() | change)


def test_an_unknown_protocol_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="one of paper, bi2scope"):
        protocol_defaults("mine")


@pytest.mark.parametrize("value", [0, -1, 2.5, True, 2**63, "500kb"])
def test_a_limit_on_the_distance_is_a_whole_number_of_bases(value: object) -> None:
    with pytest.raises(ConfigurationError, match=r"max_distance is .*whole number of bases"):
        ModelConfig(max_distance=value)


def test_without_a_limit_the_configuration_is_that_of_older_models() -> None:
    assert "max_distance" not in ModelConfig().as_dict()
    assert ModelConfig.from_dict(ModelConfig().as_dict()) == ModelConfig()
    limited = ModelConfig(max_distance=500_000)
    assert ModelConfig.from_dict(limited.as_dict()) == limited


def test_trainings_from_before_hard_mismatches_had_none() -> None:
    for protocol in ("paper", "bi2scope"):
        training = protocol_defaults(protocol)[1]
        old = {k: v for k, v in training.as_dict().items() if k not in ("hard_share", "mismatch_ratio")}
        assert TrainingConfig.from_dict(old) == training
        assert (training.hard_share, training.mismatch_ratio) == (0, 1)
        mixed = protocol_defaults(protocol, hard_share=0.25, mismatch_ratio=3)[1]
        assert (mixed.hard_share, mixed.mismatch_ratio) == (0.25, 3)


def test_later_settings_are_left_out_at_their_defaults() -> None:
    for protocol in ("paper", "bi2scope"):
        training = protocol_defaults(protocol)[1]
        later = {"warmup": 0.1, "patience": 2, "clip_norm": 1.0, "class_balanced_loss": True, "control": "random-peaks"}
        assert not set(later) & set(training.as_dict())
        changed = TrainingConfig.from_dict(training.as_dict() | later)
        assert changed.as_dict() == training.as_dict() | later
