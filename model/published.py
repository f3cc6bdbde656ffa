"""Published Bi2Former checkpoints, brought to a data set's genes and peaks in genome order.

The published code numbers genes and peaks by their rows in the files, and the one-hot columns of the chromosomes by
their first appearance along the genes and then along the peaks. Here both are in genome order, so the rows of the ID
embeddings and the one-hot columns of the first layer are permuted; nothing else changes, and the logits are the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from bi2scope.data.errors import CheckpointError, ConfigurationError
from bi2scope.data.multiome import DNA_LENGTH
from bi2scope.data.pairs import labelled_pairs
from bi2scope.data.reading import Reading
from bi2scope.model.checkpoint import IMPORTED, Trained
from bi2scope.model.config import ModelConfig, protocol_defaults
from bi2scope.model.evaluation import evaluate
from bi2scope.model.features import GENE_COLUMNS, PEAK_COLUMNS, Normalisation, feature_layout
from bi2scope.model.network import Bi2Former
from bi2scope.model.published_sizes import FIRST_LAYER, PublishedSizes, head_faults, shape_faults, sizes_of

FeatureOrder = Literal["file", "genome"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ImportOptions:
    """What a state dict does not say of itself.

    Parameters
    ----------
    heads
        Attention heads; ``None`` is 1, which a state dict with output projections cannot have.
    dropout
        Of the read-out; it plays no part unless the model is trained further.
    feature_order
        Whether its genes and peaks stand in the order of the files, as the published code has them, or in genome
        order, those without a place left out.
    chromosome_order
        Chromosomes of its one-hot columns, in order; ``None`` takes them as they first appear along the genes and
        then the peaks, in the order that ``feature_order`` says.
    """

    heads: int | None = None
    dropout: float = 0.1
    feature_order: FeatureOrder = "file"
    chromosome_order: tuple[str, ...] | None = None


@dataclass(frozen=True)
class _Rows:
    """Where the features and chromosomes of a data set stand in a state dict.

    Attributes
    ----------
    genes, peaks
        Row of each gene and peak of the data set, and how many rows that makes in all.
    n_genes, n_peaks
        Rows that the state dict must have.
    chromosomes
        Names of its one-hot columns.
    notes
        Sentences on how these were taken.
    """

    genes: Ints
    peaks: Ints
    n_genes: int
    n_peaks: int
    chromosomes: tuple[str, ...]
    notes: tuple[str, ...]


def import_published(
    state: dict[str, Tensor], reading: Reading, options: ImportOptions | None = None, name: str = "The checkpoint"
) -> Trained:
    """A model out of a published state dict and the files that it was trained on.

    Parameters
    ----------
    state
        Parameters by their published names (:func:`bi2scope.model.state_dict.read_state_dict`).
    reading
        The data set, with the order of its files.
    options
        What the state dict does not say.
    name
        The file, for messages.

    Returns
    -------
    The model; its report has the keys ``imported`` (a sentence), ``file`` and ``notes``, and no metrics.

    Raises
    ------
    CheckpointError
        If the parameters are not those of a Bi2Former or do not fit the data; the message lists every mismatch.
    ConfigurationError
        If the data set does not have the order asked for.
    """
    options = options or ImportOptions()
    sizes = sizes_of(state, name)
    rows = _rows(reading, sizes, options)
    faults = [*_misfits(sizes, rows, reading), *head_faults(sizes, options.heads), *shape_faults(state, sizes)]
    if faults:
        raise CheckpointError("\n  - ".join([f"{name} does not fit ({len(faults)} found):", *faults]))
    multiome = reading.multiome
    config = _model_config(sizes, options)
    network = Bi2Former(config, feature_layout(multiome.genes, multiome.peaks, Normalisation()))
    network.load_state_dict(_permuted(state, rows, multiome.chromosomes, config.id_dim))
    _, training = protocol_defaults("paper")
    sentence = f"The model was imported from {name}, not trained here; what it was trained on is not known."
    return Trained(
        network=network.eval(),
        model_config=config,
        training_config=replace(training, protocol="imported"),
        genes=multiome.genes[list(GENE_COLUMNS)],
        peaks=multiome.peaks[list(PEAK_COLUMNS)],
        normalisation=Normalisation(),
        report={IMPORTED: sentence, "file": name, "notes": list(rows.notes)},
        dataset_digest=multiome.digest,
    )


def evaluated(trained: Trained, reading: Reading, seed: int = 0) -> Trained:
    """The model with metrics on the data set's own pairs in its report, under ``evaluation``.

    Each cell's matched pair and one mismatch of its RNA with the ATAC of another type. The model may have been trained
    on these cells, so this tells whether the import is right, not how well the model does on unseen cells.

    Raises
    ------
    DatasetError
        If the cells are of one type.
    """
    multiome = trained.align(reading.multiome)
    codes = multiome.cells["cell_type"].cat.codes.to_numpy().astype(np.int64)
    pairs = labelled_pairs(np.arange(multiome.n_cells), codes, np.random.default_rng(seed))
    metrics = evaluate(trained.network, multiome, pairs, balanced=False)
    return replace(trained, report={**trained.report, "evaluation": metrics})


def parse_chromosome_order(text: str, reading: Reading) -> tuple[str, ...] | None:
    """Chromosomes in the order that an option names.

    Parameters
    ----------
    text
        ``file`` (of first appearance), ``natural``, names with commas between them, or a text file with one a line.
    reading
        The data set.

    Raises
    ------
    ConfigurationError
        If a name comes twice, or the file cannot be read.
    """
    if text == "file":
        return None
    if text == "natural":
        return reading.multiome.chromosomes
    path = Path(text)
    try:
        names = path.read_text(encoding="utf-8").split() if path.is_file() else text.split(",")
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} is not a text file of chromosomes: {error}.") from error
    order = tuple(name.strip() for name in names if name.strip())
    twice = sorted({name for name in order if order.count(name) > 1})
    if twice:
        raise ConfigurationError(f"The chromosome order has {', '.join(twice)} twice.")
    return order


def _model_config(sizes: PublishedSizes, options: ImportOptions) -> ModelConfig:
    return ModelConfig(
        id_dim=sizes.id_dim,
        hidden=sizes.hidden,
        layers=sizes.layers,
        heads=options.heads or 1,
        dropout=options.dropout,
    )


# ---------------------------------------------------------------- order of the features


def _rows(reading: Reading, sizes: PublishedSizes, options: ImportOptions) -> _Rows:
    multiome, order = reading.multiome, reading.order
    if options.feature_order == "genome":
        named = options.chromosome_order or multiome.chromosomes
        genes, peaks = np.arange(multiome.n_genes), np.arange(multiome.n_peaks)
        note = f"Genes and peaks were taken in genome order, the one-hot columns as {_listed(named)}."
        return _Rows(genes, peaks, len(genes), len(peaks), named, (note,))
    if order is None:
        raise ConfigurationError(
            "A prepared file does not keep the order of genes and peaks, by which published checkpoints number them.",
            "Give the files that it was prepared from, or --feature-order genome if the model has them in that order.",
        )
    ids, notes = order.genes, ["Genes and peaks were taken in the order of the files."]
    n_unplaced = int((~order.placed).sum())
    if n_unplaced and sizes.genes == int(order.placed.sum()):
        ids = ids[order.placed]
        notes.append(f"The {n_unplaced:,} genes without a place were taken to have no row in the checkpoint.")
    elif n_unplaced:
        notes.append(f"The rows of {n_unplaced:,} genes without a place are left out.")
    if options.chromosome_order is None:
        notes.append(
            "The one-hot columns were taken in the order in which chromosomes first appear along genes, then peaks: "
            f"{_listed(order.chromosomes)}."
        )
    else:
        notes.append(f"The one-hot columns were taken as given: {_listed(options.chromosome_order)}.")
    return _Rows(
        genes=_positions(ids, multiome.genes),
        peaks=_positions(order.peaks, multiome.peaks),
        n_genes=len(ids),
        n_peaks=len(order.peaks),
        chromosomes=options.chromosome_order or order.chromosomes,
        notes=tuple(notes),
    )


def _positions(names: pd.Index, table: pd.DataFrame) -> Ints:
    return names.get_indexer(table.index).astype(np.int64)


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names) if len(names) <= 8 else f"{', '.join(names[:7])}, ... ({len(names)} in all)"


# ---------------------------------------------------------------- what does not fit


def _misfits(sizes: PublishedSizes, rows: _Rows, reading: Reading) -> list[str]:
    """A sentence for each size that is not that of the data set."""
    faults = []
    for what, found, wanted in (("genes", sizes.genes, rows.n_genes), ("peaks", sizes.peaks, rows.n_peaks)):
        if found != wanted:
            faults.append(f"It has embeddings of {found:,} {what}; the data set has {wanted:,} {what}.")
    n_chromosomes = len(rows.chromosomes)
    if sizes.peak_chromosomes == sizes.gene_chromosomes + DNA_LENGTH:
        faults.append(f"It reads {DNA_LENGTH} bases of each peak (ISSAAC); bi2scope's network does not read sequences.")
    elif sizes.peak_chromosomes != sizes.gene_chromosomes:
        faults.append(
            f"By the width of its inputs it has {sizes.gene_chromosomes} chromosomes for genes and "
            f"{sizes.peak_chromosomes} for peaks; they must be the same."
        )
    if sizes.gene_chromosomes != n_chromosomes:
        faults.append(
            f"Its genes have {sizes.gene_chromosomes} one-hot columns of chromosomes; {n_chromosomes} are named "
            f"({_listed(rows.chromosomes)}); --chromosome-order names others."
        )
    absent = sorted(set(reading.multiome.chromosomes) - set(rows.chromosomes))
    if absent:
        faults.append(f"The chromosome order lacks {_listed(tuple(absent))} of the data set.")
    return faults


# ---------------------------------------------------------------- permutation


def _permuted(state: dict[str, Any], rows: _Rows, chromosomes: tuple[str, ...], id_dim: int) -> dict[str, Tensor]:
    """The parameters with embeddings and one-hot columns in the order of the data set."""
    permuted = dict(state)
    permuted["rna_idembedding.weight"] = state["rna_idembedding.weight"][torch.from_numpy(rows.genes)]
    permuted["atac_idembedding.weight"] = state["atac_idembedding.weight"][torch.from_numpy(rows.peaks)]
    start, n_columns = id_dim + 1, len(rows.chromosomes)
    one_hot = [start + rows.chromosomes.index(name) for name in chromosomes]
    for part in ("rna_query", "rna_value", "rna_self_attention", "atac_key", "atac_value", "atac_self_attention"):
        weight = state[f"{FIRST_LAYER}{part}.weight"]
        columns = [*range(start), *one_hot, *range(start + n_columns, weight.shape[1])]
        permuted[f"{FIRST_LAYER}{part}.weight"] = weight[:, columns]
    return permuted
