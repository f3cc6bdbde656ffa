"""A type's regulatory map over a cell's axes, recounted pair by pair."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from service import Service

from bi2scope.data.store.reader import StoreReader
from bi2scope.server.wire_maps import TypeHeatmap

PATH = "/celltypes/CD4 naive/heatmap"


@pytest.fixture(scope="module")
def cell(reader: StoreReader) -> int:
    return int(reader.cells_of("CD4 naive")[1])


def wanted_pairs(service: Service, reader: StoreReader, cell: int) -> pd.DataFrame:
    """The type's whole map, cut down to the cell's genes and peaks by their names."""
    graph = reader.graph(cell)
    pairs = pd.DataFrame(service.json("/celltypes/CD4 naive/map")["pairs"])
    own_genes, own_peaks = reader.genes.index[graph.gene_index], reader.peaks.index[graph.peak_index]
    pairs = pairs[pairs["gene_id"].isin(own_genes) & pairs["peak"].isin(own_peaks)]
    return pairs.assign(gene=own_genes.get_indexer(pairs["gene_id"]), at=own_peaks.get_indexer(pairs["peak"]))


@pytest.mark.parametrize("window", [{}, {"gene_start": 4, "gene_stop": 19, "peak_start": 10, "peak_stop": 60}])
@pytest.mark.parametrize(("height", "width"), [(4_000, 4_000), (6, 11)])
def test_bins_agree_with_a_recount_of_the_map(
    service: Service, reader: StoreReader, cell: int, window: dict[str, int], height: int, width: int
) -> None:
    asked: dict[str, Any] = {"cell": reader.cells.index[cell], "height": height, "width": width, **window}
    body = TypeHeatmap.model_validate(service.json(PATH, **asked))
    pairs = wanted_pairs(service, reader, cell)
    inside = pairs["gene"].between(body.gene_start, body.gene_stop - 1)
    pairs = pairs[inside & pairs["at"].between(body.peak_start, body.peak_stop - 1)]
    row, column = (pairs["gene"] - body.gene_start) // body.gene_step, (pairs["at"] - body.peak_start) // body.peak_step
    groups = pairs.groupby([row.rename("row"), column.rename("column")])
    assert len(pairs) == body.n_pairs > 0
    assert list(groups.groups) == list(zip(body.bins.row, body.bins.column, strict=True))
    assert groups.size().tolist() == body.bins.n_pairs
    best = pairs.loc[groups["mean_score"].idxmax()]
    assert body.bins.mean_score == best["mean_score"].tolist()
    assert body.bins.n_cells == best["n_cells"].tolist()
    assert body.bins.n_both == best["n_both"].tolist()
    assert body.bins.mean_weight == best["mean_weight"].tolist()
    assert body.bins.distance_to_tss == best["distance_to_tss"].tolist()


def test_axes_are_those_of_the_cells_own_heatmap(service: Service, reader: StoreReader, cell: int) -> None:
    name = str(reader.cells.index[cell])
    own = service.json(f"/cells/{name}/heatmap", width=20, height=10)
    of_type = service.json(PATH, cell=name, width=20, height=10)
    for key in ("n_genes", "n_peaks", "gene_step", "peak_step", "chromosomes", "gene_names", "peak_names"):
        assert of_type[key] == own[key]
    assert service.get(f"{PATH}.csv", cell=name).text.startswith("# bi2scope")


def test_what_is_not_there_is_refused(service: Service, reader: StoreReader, cell: int) -> None:
    name = str(reader.cells.index[cell])
    assert service.error(PATH, cell="nobody")[:2] == (404, "NotFoundError")
    assert service.error("/celltypes/none/heatmap", cell=name)[:2] == (404, "NotFoundError")
    assert service.error(PATH)[0] == 422
    assert service.error(PATH, cell=name, top_k=3)[0] == 422  # the map has no cut
