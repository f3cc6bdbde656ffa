"""From a trained model and paired cells to an attention store."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bi2scope.data.attention import FLOOR
from bi2scope.data.factors import Factors
from bi2scope.data.graph import cell_graph
from bi2scope.data.multiome import Multiome
from bi2scope.data.progress import progress_bar
from bi2scope.data.store.schema import StoreAttributes
from bi2scope.data.store.writer import StoreWriter
from bi2scope.model.alignment import MIN_OVERLAP
from bi2scope.model.checkpoint import Trained
from bi2scope.precompute.attend import attend
from bi2scope.precompute.embed import embed
from bi2scope.precompute.summarize import summarize


@dataclass(frozen=True)
class BuildOptions:
    """What a store shall hold.

    Parameters
    ----------
    k_max
        Links kept per gene, cell, layer and head.
    name
        What the data set is called on the screen; the file's name without its ending when empty.
    overwrite
        Whether a file that is there may be replaced.
    min_overlap
        Share of the model's genes, and of its peaks, that the data set must have.
    """

    k_max: int = 50
    name: str = ""
    overwrite: bool = False
    min_overlap: float = MIN_OVERLAP


def precompute(
    trained: Trained,
    multiome: Multiome,
    path: str | Path,
    options: BuildOptions | None = None,
    *,
    progress: bool = True,
) -> Path:
    """Write the attention of every cell into one store.

    The store holds the cells with the genes and peaks that the model knows; memory does not grow with the links.

    Parameters
    ----------
    trained
        The model.
    multiome
        The cells, as they were read.
    path
        Where the store shall stand; it appears there when it is whole and not before.
    options
        What it shall hold; the defaults when left out.
    progress
        Whether to show what is being done, with cells per second and the time left.

    Returns
    -------
    The path.

    Raises
    ------
    CheckpointError
        If the data set lacks too many features of the model (:meth:`Trained.align`).
    StoreError
        If the store cannot be written.
    """
    options = options or BuildOptions()
    target = Path(path)
    aligned = trained.align(multiome, options.min_overlap)
    for note in aligned.notes[len(multiome.notes) :] if progress else ():
        print(f"note: {note}", file=sys.stderr, flush=True)
    attributes = _attributes(trained, multiome, aligned, options.name or target.stem, options.k_max)
    with StoreWriter(target, aligned, attributes, overwrite=options.overwrite) as writer:
        if progress:
            print(f"Embed {multiome.n_cells:,} cells by their RNA", file=sys.stderr, flush=True)
        writer.write_embedding(embed(multiome))
        if trained.model_config.attention != "random":
            writer.write_factors(_factors(trained))
        for cell in progress_bar(range(aligned.n_cells), what="Attend", unit="cell", shown=progress):
            writer.write_cell(attend(trained, cell_graph(aligned, cell, cell), options.k_max))
        summarize(writer, aligned.cell_types, progress)
    return target


def _attributes(trained: Trained, multiome: Multiome, aligned: Multiome, name: str, k_max: int) -> StoreAttributes:
    return StoreAttributes(
        name=name,
        model_digest=trained.digest,
        n_layers=trained.model_config.layers,
        n_heads=trained.model_config.heads,
        n_parameters=sum(parameter.numel() for parameter in trained.network.parameters()),
        k_max=k_max,
        notes=tuple(dict.fromkeys((*aligned.notes, *trained.provenance))),
        configuration=_configuration(trained, k_max),
        training=trained.training_report,
        max_distance=trained.model_config.max_distance,
        dataset_digest=multiome.digest,
        attention=trained.model_config.attention,
    )


def _factors(trained: Trained) -> Factors:
    factors = trained.factors
    return Factors(
        query=factors.query.detach().numpy(),
        query_per_count=factors.query_per_count.detach().numpy(),
        key=factors.key.detach().numpy(),
        key_per_count=factors.key_per_count.detach().numpy(),
        heads=trained.model_config.heads,
        counts=trained.model_config.counts,
    )


def _configuration(trained: Trained, k_max: int) -> dict[str, Any]:
    return {
        "model": trained.model_config.as_dict(),
        "training": trained.training_config.as_dict(),
        "precompute": {"k_max": k_max, "floor": FLOOR},
    }
