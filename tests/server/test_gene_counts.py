from __future__ import annotations

import numpy as np
from service import Service

from bi2scope.data.store.reader import StoreReader
from bi2scope.server.wire_genes import GeneCounts


def test_counts_of_a_gene_are_those_of_the_cells(service: Service, reader: StoreReader) -> None:
    for gene in (0, len(reader.genes) - 1):
        name = str(reader.genes.index[gene])
        expected = np.zeros(len(reader.cells))
        for cell in range(len(reader.cells)):
            graph = reader.graph(cell)
            expected[cell] = graph.gene_count[graph.gene_index == gene].sum()
        body = GeneCounts.model_validate(service.json(f"/genes/{name}/counts"))
        assert body.gene_id == name
        assert body.cells.count == expected.tolist()
        assert body.cells.cell_id == list(reader.cells.index)
        assert body.n_cells_expressing == np.count_nonzero(expected) > 0


def test_they_come_as_files_with_the_same_rows(service: Service, reader: StoreReader) -> None:
    name = str(reader.genes.index[1])
    body = service.json(f"/genes/{name}/counts")
    text = service.get(f"/genes/{name}/counts.csv").text
    rows = [line.split(",") for line in text.splitlines() if not line.startswith("#")]
    assert rows[0] == ["cell_id", "cell_type", "count"]
    assert [float(row[2]) for row in rows[1:]] == body["cells"]["count"]
    assert f"cells: {len(reader.cells)}, with a count: {body['n_cells_expressing']}" in text


def test_a_gene_that_is_not_there_is_refused_with_the_nearest(service: Service, reader: StoreReader) -> None:
    name = str(reader.genes.index[0])
    status, kind, message, _ = service.error(f"/genes/{name}x/counts")
    assert (status, kind) == (404, "NotFoundError")
    assert f"{name}x" in message
