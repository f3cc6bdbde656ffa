"""A trained model in one ``.safetensors`` file: parameters, configuration, features and report; nothing is pickled.

The parameters are named as in published checkpoints. The metadata, text by text, holds JSON: ``configuration``
(model, training), ``features`` (genes and peaks, column by column, in order), ``normalisation``, ``report`` and the
digest of the data set.
"""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from bi2scope.data.errors import CheckpointError, ConfigurationError
from bi2scope.data.files import replacing
from bi2scope.data.multiome import Multiome
from bi2scope.model.alignment import MIN_OVERLAP, aligned
from bi2scope.model.config import ModelConfig, TrainingConfig
from bi2scope.model.features import GENE_COLUMNS, PEAK_COLUMNS, Normalisation, feature_layout
from bi2scope.model.network import Bi2Former, FeatureLayout, StaticFactors, Tables

FORMAT = "bi2scope-checkpoint"
FORMAT_VERSION = 1

IMPORTED = "imported"
"""Key of the report that says, in a sentence, that a model was imported and not trained here."""


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained model with all that is needed to use it.

    Attributes
    ----------
    network
        In evaluation mode; not to be trained further.
    model_config, training_config
        How it was made.
    genes, peaks
        Its features in genome order, with the columns of :class:`bi2scope.data.multiome.Multiome`.
    normalisation
        Of the gene attributes.
    report
        How training went, with the keys of ``TrainingReport`` (``server/wire.py``); of an imported model, how it was
        imported (:mod:`bi2scope.model.published`).
    dataset_digest
        Digest of the data set that it was trained on.
    """

    network: Bi2Former
    model_config: ModelConfig
    training_config: TrainingConfig
    genes: pd.DataFrame
    peaks: pd.DataFrame
    normalisation: Normalisation
    report: dict[str, Any] = field(default_factory=dict)
    dataset_digest: str = ""

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of the model's configuration, features and parameters."""
        sha = hashlib.sha256(json.dumps(self.model_config.as_dict(), sort_keys=True).encode())
        for table in (self.genes, self.peaks):
            sha.update(json.dumps(_columns(table), sort_keys=True).encode())
        for name, tensor in sorted(self.network.state_dict().items()):
            sha.update(name.encode())
            sha.update(np.ascontiguousarray(tensor.cpu().numpy(), dtype="<f4").tobytes())
        return sha.hexdigest()

    @functools.cached_property
    def tables(self) -> Tables:
        """Projections of all features, each computed once for all cells."""
        return self.network.tables()

    @functools.cached_property
    def factors(self) -> StaticFactors:
        """First-layer queries and keys of every gene and peak, without their counts."""
        return self.network.static_factors()

    @property
    def training_report(self) -> dict[str, Any] | None:
        """The report, where there is one of a training here; ``None`` of a model that was imported."""
        return None if IMPORTED in self.report else self.report or None

    @property
    def provenance(self) -> tuple[str, ...]:
        """One sentence on where a model comes from that was not trained here; nothing of others."""
        return (str(self.report[IMPORTED]),) if IMPORTED in self.report else ()

    def align(self, multiome: Multiome, min_overlap: float = MIN_OVERLAP) -> Multiome:
        """The cells of a data set over the model's genes and peaks (:func:`bi2scope.model.alignment.aligned`).

        Raises
        ------
        CheckpointError
            If the data set lacks more than a share of ``1 - min_overlap`` of the model's genes or peaks, or has genes
            elsewhere in the genome.
        """
        return aligned(multiome, self.genes, self.peaks, min_overlap)


def save(trained: Trained, path: str | Path) -> None:
    """Write a checkpoint; it stands at ``path`` when it is whole and not before."""
    metadata = {
        "format": FORMAT,
        "format_version": str(FORMAT_VERSION),
        "configuration": json.dumps(
            {"model": trained.model_config.as_dict(), "training": trained.training_config.as_dict()}
        ),
        "features": json.dumps({"genes": _columns(trained.genes), "peaks": _columns(trained.peaks)}),
        "normalisation": json.dumps(asdict(trained.normalisation)),
        "report": json.dumps(trained.report),
        "dataset_digest": trained.dataset_digest,
    }
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in trained.network.state_dict().items()}
    with replacing(Path(path)) as temporary:
        save_file(tensors, temporary, metadata)


def load(path: str | Path) -> Trained:
    """Read a checkpoint.

    Raises
    ------
    CheckpointError
        If the file is missing, is no checkpoint of bi2scope, or does not fit its own configuration.
    """
    target = Path(path)
    metadata, tensors = _read(target)
    try:
        configuration = json.loads(metadata["configuration"])
        model_config = ModelConfig.from_dict(configuration["model"])
        training_config = TrainingConfig.from_dict(configuration["training"])
        features = json.loads(metadata["features"])
        genes, peaks = _table(features["genes"], GENE_COLUMNS), _table(features["peaks"], PEAK_COLUMNS)
        normalisation = _normalisation(json.loads(metadata["normalisation"]))
        report, dataset_digest = dict(json.loads(metadata["report"])), metadata["dataset_digest"]
        layout = _layout(genes, peaks, normalisation, model_config.max_distance)
    except (
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        OverflowError,
        RecursionError,
        ConfigurationError,
    ) as error:
        raise CheckpointError(
            f"{target}: the checkpoint's description cannot be used: {type(error).__name__}: {error}.",
            "Train the model again, or fetch the file again.",
        ) from error
    _check_sizes(model_config, (len(genes), len(peaks)), tensors, target)
    network = Bi2Former(model_config, layout)
    _fill(network, tensors, target)
    return Trained(network.eval(), model_config, training_config, genes, peaks, normalisation, report, dataset_digest)


def _normalisation(values: dict[str, list[float]]) -> Normalisation:
    found = Normalisation(**{name: tuple(map(float, value)) for name, value in values.items()})
    numbers = np.array([found.location, found.scale], dtype=np.float64)
    if numbers.shape != (2, 4) or not np.isfinite(numbers).all() or not (numbers[1] > 0).all():
        raise ValueError("normalisation is not four finite locations and four scales above 0")
    return found


def _layout(
    genes: pd.DataFrame, peaks: pd.DataFrame, normalisation: Normalisation, max_distance: int | None
) -> FeatureLayout:
    with np.errstate(over="ignore", invalid="ignore"):
        layout = feature_layout(genes, peaks, normalisation, max_distance)
    if not np.isfinite(layout.gene_attributes).all():
        raise ValueError("the attributes of the genes are not finite")
    for name, codes in (("genes", layout.gene_chromosome), ("peaks", layout.peak_chromosome)):
        if (np.diff(codes) < 0).any():
            raise ValueError(f"the {name} are not in genome order")
    return layout


def _check_sizes(
    config: ModelConfig, n_features: tuple[int, int], tensors: dict[str, torch.Tensor], path: Path
) -> None:
    """Refuse a configuration that is not that of the parameters before a network of its size is made."""
    n_layers = len({name.split(".")[1] for name in tensors if name.startswith("cross_attention_layers.")})
    if config.layers != n_layers:
        raise CheckpointError(
            f"{path}: there are parameters of {n_layers} layer(s) in it; its configuration wants {config.layers}.",
            _TWO_MODELS,
        )
    wanted = {
        "rna_idembedding.weight": (n_features[0], config.id_dim),
        "atac_idembedding.weight": (n_features[1], config.id_dim),
        "fc1.weight": (config.hidden, 2 * config.hidden),
    }
    for name, shape in wanted.items():
        _check_shape(name, tuple(tensors[name].shape) if name in tensors else None, shape, path)


def _read(path: Path) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            _check_format(path, metadata)
            return metadata, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: there is no such file.", "Make one with: bi2scope train.") from error
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(
            f"{path} is not a .safetensors file, or is cut short: {error}.",
            "A checkpoint of `bi2scope train` is wanted.",
        ) from error


def _check_format(path: Path, metadata: dict[str, str]) -> None:
    if metadata.get("format") != FORMAT:
        raise CheckpointError(
            f"{path} is a .safetensors file, but not a checkpoint of bi2scope: its metadata lack format={FORMAT}.",
            "A checkpoint of `bi2scope train` is wanted.",
        )
    if metadata.get("format_version") != str(FORMAT_VERSION):
        raise CheckpointError(
            f"{path} is a checkpoint of format version {metadata.get('format_version')}; "
            f"this program reads version {FORMAT_VERSION}.",
            "Train the model again with this version of bi2scope.",
        )


_TWO_MODELS = "The file is damaged or was put together from two models."


def _fill(network: Bi2Former, tensors: dict[str, torch.Tensor], path: Path) -> None:
    wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    for name in sorted({*wanted, *tensors}):
        found = tensors.get(name)
        _check_shape(name, None if found is None else tuple(found.shape), wanted.get(name), path)
        if found is not None and found.dtype != torch.float32:
            kind = str(found.dtype).removeprefix("torch.")
            raise CheckpointError(f"{path}: parameter {name} holds {kind}; float32 was wanted.", _TWO_MODELS)
        if found is not None and not torch.isfinite(found).all():
            raise CheckpointError(f"{path}: parameter {name} holds values that are not finite.", _TWO_MODELS)
    network.load_state_dict(tensors)


def _check_shape(name: str, found: tuple[int, ...] | None, wanted: tuple[int, ...] | None, path: Path) -> None:
    if found != wanted:
        raise CheckpointError(
            f"{path}: parameter {name} is {_shape(found)} in the file; its configuration wants {_shape(wanted)}.",
            _TWO_MODELS,
        )


def _shape(shape: tuple[int, ...] | None) -> str:
    return "absent" if shape is None else " x ".join(map(str, shape))


def _columns(table: pd.DataFrame) -> dict[str, list[Any]]:
    """A table as lists of plain values, the index under ``id``."""
    kept = [column for column in (*GENE_COLUMNS,) if column in table.columns]
    plain: dict[str, list[Any]] = {"id": [str(name) for name in table.index]}
    for column in kept:
        values = table[column]
        text = isinstance(values.dtype, pd.CategoricalDtype) or not pd.api.types.is_numeric_dtype(values.dtype)
        plain[column] = [str(value) for value in values] if text else values.to_numpy().tolist()
    return plain


def _table(columns: dict[str, list[Any]], wanted: tuple[str, ...]) -> pd.DataFrame:
    """Features out of their columns, checked; ValueError and the like if they cannot be features."""
    table = pd.DataFrame({column: columns[column] for column in wanted})
    names = columns["id"]
    if not all(isinstance(name, str) for name in names) or len(set(names)) != len(names):
        raise ValueError("the ids of the features are not texts that differ")
    for column in wanted:
        kinds = {type(value) for value in columns[column]}
        if not kinds <= _KINDS[column]:
            raise ValueError(f"{column} of the features holds {', '.join(sorted(kind.__name__ for kind in kinds))}")
    if table.select_dtypes("number").isna().any(axis=None) or not (table["start"] < table["end"]).all():
        raise ValueError("the features have no places")
    table.index = pd.Index(names, dtype=object)
    return table


_KINDS: dict[str, set[type]] = {
    "name": {str},
    "chrom": {str},
    "start": {int},
    "end": {int},
    "strand": {str},
    "means": {int, float},
    "variances_norm": {int, float},
    "highly_variable": {bool},
}
"""Types of the values of each column, as JSON gives them back."""
