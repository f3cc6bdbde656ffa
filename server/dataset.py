"""The answer about the data set, the model and the store as a whole."""

from __future__ import annotations

import functools
from importlib.metadata import version

from bi2scope.data.store.schema import rank_ends
from bi2scope.server.catalogue import Catalogue
from bi2scope.server.wire import CellTypeSummary, DatasetInfo, TrainingReport


@functools.cache
def program_version() -> str:
    """Version of bi2scope that runs; looked up once, for that takes a millisecond."""
    return version("bi2scope")


def dataset_info(catalogue: Catalogue) -> DatasetInfo:
    """What is served: sizes, cell types, chromosomes, hashes, and how well the model does on held-out cells."""
    reader, attributes = catalogue.reader, catalogue.reader.attributes
    n_cells = reader.cells["cell_type"].value_counts()
    return DatasetInfo(
        name=attributes.name,
        version=program_version(),
        created=attributes.created,
        generator=attributes.generator,
        format_version=attributes.format_version,
        dataset_digest=attributes.dataset_digest,
        model_digest=attributes.model_digest,
        n_cells=len(reader.cells),
        n_genes=len(reader.genes),
        n_peaks=len(reader.peaks),
        cell_types=[CellTypeSummary(name=name, n_cells=int(n_cells.get(name, 0))) for name in reader.cell_types],
        chromosomes=catalogue.chromosomes,
        n_layers=attributes.n_layers,
        n_heads=attributes.n_heads,
        k_max=attributes.k_max,
        k_steps=list(rank_ends(attributes.k_max)),
        floor=attributes.floor,
        max_distance=attributes.max_distance,
        controls=reader.controls,
        parameters=attributes.n_parameters,
        training=None if attributes.training is None else TrainingReport.model_validate(attributes.training),
        notes=list(attributes.notes),
    )
