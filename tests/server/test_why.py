from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from service import Service
from stores import tiny_attributes, tiny_multiome

from bi2scope.data.candidates import Window
from bi2scope.data.factors import Factors, Recompute
from bi2scope.data.graph import cell_graph
from bi2scope.data.store.cells_table import Embedding
from bi2scope.data.store.reader import StoreReader
from bi2scope.data.store.writer import StoreWriter
from bi2scope.server.app import create_app
from bi2scope.server.settings import Settings
from bi2scope.server.wire_genes import Why

TERMS = ("static", "gene_count_term", "peak_count_term", "interaction")


@pytest.fixture(scope="module", params=["raw", "log1p"])
def counted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreReader]:
    """Two heads of a model that reads counts; four cells; links within 300 kb."""
    rng, multiome = np.random.default_rng(3), tiny_multiome(4)
    shapes = (multiome.n_genes, 8), 8, (multiome.n_peaks, 8), 8
    factors = Factors(*(rng.normal(size=shape).astype(np.float32) for shape in shapes), 2, request.param)
    window = Window.of(multiome.genes, multiome.peaks, 300_000)
    recompute = Recompute(factors, multiome.gene_chromosome, multiome.peak_chromosome, window)
    path = tmp_path_factory.mktemp("store") / "s.h5"
    with StoreWriter(path, multiome, tiny_attributes(n_heads=2, k_max=300, max_distance=300_000)) as writer:
        writer.write_embedding(Embedding(np.zeros((4, 2)), "none"))
        writer.write_factors(factors)
        for cell in range(4):
            graph = cell_graph(multiome, cell, cell)
            writer.write_cell([[recompute.attention(graph, 300, head) for head in (0, 1)]])
    with StoreReader.open(path) as reader:
        yield reader


@pytest.mark.parametrize("head", [0, 1])
def test_the_terms_add_up_to_the_logit_of_every_link(counted: StoreReader, head: int) -> None:
    service, cell = Service(create_app(Settings(), counted)), str(counted.cells.index[1])
    links = pd.DataFrame(service.json(f"/cells/{cell}/links", head=head)["links"])
    for link in links.iloc[:: max(len(links) // 12, 1)].itertuples():
        body = Why.model_validate(
            service.json(f"/cells/{cell}/why", gene=link.gene_id, peak=link.peak, head=head), strict=True
        )
        assert sum(getattr(body, name) for name in TERMS) == pytest.approx(body.logit, abs=1e-9)
        assert body.logit == pytest.approx(link.logit, rel=1e-3, abs=1e-3)  # the store rounds to half precision
        assert (body.rank, body.distance_to_tss) == (link.rank, link.distance_to_tss)
        assert (body.gene_count, body.peak_count) == (link.gene_count, link.peak_count)
        assert body.n_above == (links["gene_id"] == link.gene_id).sum()
        ranks = [rank for rank in range(link.rank - 5, link.rank + 6) if 1 <= rank <= body.n_candidates]
        assert body.rivals.rank == [rank for rank in ranks if rank != link.rank]
        row = links[(links["gene_id"] == link.gene_id)].set_index("rank")["peak"]
        for rank, peak in zip(body.rivals.rank, body.rivals.peak, strict=True):
            assert rank > body.n_above or row[rank] == peak
        sums = np.sum([getattr(body.rivals, name) for name in TERMS], axis=0)
        np.testing.assert_allclose(sums, body.rivals.logit, atol=1e-9)


def test_the_terms_by_hand(counted: StoreReader) -> None:
    assert counted.recompute is not None
    factors, graph = counted.recompute.factors, counted.graph(0)
    link = counted.attention(0, 0, 1)
    gene, peak = int(link.gene[link.row[0]]), int(link.peak[0])
    x, y = graph.gene_count[graph.gene_index == gene][0], graph.peak_count[graph.peak_index == peak][0]
    if factors.counts == "log1p":
        x, y = np.log1p(x), np.log1p(y)
    q, k, wq, wk = (
        factors.query[gene, 4:],
        factors.key[peak, 4:],
        factors.query_per_count[4:],
        factors.key_per_count[4:],
    )
    asked = {"gene": counted.genes.index[gene], "peak": counted.peaks.index[peak], "head": 1}
    body = Service(create_app(Settings(), counted)).json(f"/cells/{counted.cells.index[0]}/why", **asked)
    wanted = [q @ k, x * (wq @ k), y * (q @ wk), x * y * (wq @ wk)]
    assert [body[name] for name in TERMS] == pytest.approx(wanted, rel=1e-4, abs=1e-5)


def test_pairs_without_a_logit_are_refused_with_a_sentence(counted: StoreReader) -> None:
    service, graph = Service(create_app(Settings(), counted)), counted.graph(0)
    path = f"/cells/{counted.cells.index[0]}/why"
    genes, peaks = counted.genes.iloc[graph.gene_index], counted.peaks.iloc[graph.peak_index]
    gene, far = genes.index[0], peaks.index[peaks["chrom"] == "chr2"][0]
    absent = [table.index.difference(own.index)[0] for table, own in ((counted.genes, genes), (counted.peaks, peaks))]
    for asked, status, said in (
        ({"gene": gene, "peak": far}, 422, "only to peaks of its chromosome that lie within 300000 bp of its TSS."),
        ({"gene": absent[0], "peak": far}, 422, "has no count in this cell"),
        ({"gene": gene, "peak": absent[1]}, 422, "has no count in cell"),
        ({"gene": "nothing", "peak": far}, 404, "There is no gene named 'nothing'"),
        ({"gene": gene, "peak": "chr1:7-8"}, 404, "There is no peak named 'chr1:7-8'"),
        ({"gene": gene, "peak": "here"}, 422, "'here' is not a place"),
        ({"gene": gene, "peak": far, "layer": 1}, 404, "There is no layer named '1'"),
        ({"gene": gene}, 422, "peak"),
    ):
        found, _, message, _ = service.error(path, **asked)
        assert (found, said in message) == (status, True), message


def test_stores_without_factors_and_deeper_layers(service: Service, reader: StoreReader) -> None:
    path, asked = f"/cells/{reader.cells.index[0]}/why", {"gene": "GENE7", "peak": reader.peaks.index[0]}
    assert service.error(path, **asked)[::2] == (
        422, "This store has no factors of the model, so its logits cannot be taken apart.",
    )  # fmt: skip
    assert service.error(path, **asked, layer=1)[2].startswith("layer is 1; only logits of the first layer, 0,")
    assert service.error("/cells/nobody/why", **asked)[0] == 404
