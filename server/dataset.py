"""The answer about the data set, the model and the store as a whole."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from bi2scope.data.store.schema import rank_ends
from bi2scope.server.catalogue import Catalogue
from bi2scope.server.wire import CellTypeSummary, ControlReport, DatasetInfo, Metrics, OwnPairs, TrainingReport


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
        control_reports=control_reports(attributes.metrics),
        own_pairs=own_pairs(attributes.metrics),
        parameters=attributes.n_parameters,
        training=None if attributes.training is None else TrainingReport.model_validate(attributes.training),
        notes=list(attributes.notes),
    )


def control_reports(metrics: Mapping[str, Any] | None) -> list[ControlReport]:
    """What the store says of each control, by name; empty where it says nothing."""
    found = (metrics or {}).get("controls", {})
    return [
        ControlReport(
            name=name, control=of["control"], test=None if of["test"] is None else Metrics.model_validate(of["test"])
        )
        for name, of in found.items()
    ]


def own_pairs(metrics: Mapping[str, Any] | None) -> list[OwnPairs]:
    """How the model sees the cells' own pairs, by cell type; empty where the store says nothing."""
    found = (metrics or {}).get("own_pairs_by_type", {})
    return [OwnPairs(cell_type=name, **of) for name, of in found.items()]
