"""What is written is read: counts, tables, attributes and links, whatever the cells look like."""

import dataclasses
import threading
from pathlib import Path

import anndata.io
import h5py
import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from stores import RandomModel, tiny_attributes, tiny_multiome, tiny_store, write_store

from bi2scope.data.attention import CellAttention, score_of
from bi2scope.data.candidates import candidates_text
from bi2scope.data.errors import NotFoundError
from bi2scope.data.graph import cell_graph
from bi2scope.data.multiome import Multiome
from bi2scope.data.store.cells_table import Embedding
from bi2scope.data.store.halves import rounded
from bi2scope.data.store.reader import StoreReader
from bi2scope.data.store.summary import store_summary
from bi2scope.data.store.writer import StoreWriter


def same(found: CellAttention, written: CellAttention) -> None:
    """All is as it was written but for the logits, which are rounded to half precision and keep their order."""
    kept = dataclasses.replace(written, logit=rounded(written.logit))
    for field in dataclasses.fields(CellAttention):
        np.testing.assert_array_equal(getattr(found, field.name), getattr(kept, field.name))
    assert np.abs(score_of(found.logit) - score_of(written.logit)).max(initial=0) < 1e-3


@st.composite
def ragged_cells(draw: st.DrawFn) -> tuple[Multiome, list[CellAttention], int]:
    """Cells without genes, peaks or links among them; rows of any length up to k_max, cut or not."""
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    n_cells, k_max = draw(st.integers(1, 7)), draw(st.integers(1, 9))
    multiome = tiny_multiome(n_cells, 12, 40, density=draw(st.sampled_from([0.02, 0.3, 0.9])), seed=seed)
    attention = []
    for cell in range(n_cells):
        graph = cell_graph(multiome, cell, cell)
        most = min(k_max, len(graph.peak_index))
        lengths = rng.integers(0, most + 1, len(graph.gene_index)) * rng.integers(0, 2, len(graph.gene_index))
        peaks = [rng.choice(graph.peak_index, n, replace=False) for n in lengths]
        attention.append(
            CellAttention(
                gene=graph.gene_index.astype(np.int32),
                row_start=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
                peak=np.concatenate([np.zeros(0), *peaks]).astype(np.int32),
                logit=np.concatenate([np.zeros(0), *(np.sort(rng.gamma(1, size=n))[::-1] for n in lengths)]).astype(
                    np.float32
                ),
                n_above=(lengths + rng.integers(0, 3, len(lengths))).astype(np.int32),
                denominator=rng.uniform(2.8, 30, len(lengths)).astype(np.float32),
            )
        )
    return multiome, attention, k_max


@settings(max_examples=25, deadline=None)
@given(ragged_cells())
def test_ragged_links_return_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, cells: tuple[Multiome, list[CellAttention], int]
) -> None:
    multiome, attention, k_max = cells
    path = tmp_path_factory.mktemp("ragged") / "store.h5"
    with StoreWriter(path, multiome, tiny_attributes(k_max=k_max)) as writer:
        writer.write_embedding(Embedding(np.zeros((multiome.n_cells, 2)), "none"))
        for one in attention:
            writer.write_cell([[one]])
    with StoreReader.open(path) as reader:
        for cell, written in enumerate(attention):
            same(reader.attention(cell), written)
            graph, wanted = reader.graph(cell), cell_graph(multiome, cell, cell)
            for field in dataclasses.fields(graph):
                np.testing.assert_array_equal(getattr(graph, field.name), getattr(wanted, field.name), strict=True)


def test_every_layer_and_head_keeps_its_own_links(tmp_path: Path) -> None:
    multiome = tiny_multiome(10)
    model = RandomModel.of(multiome, np.random.default_rng(4), layers=2, heads=3)
    path = write_store(tmp_path / "s.h5", multiome, model, tiny_attributes(n_layers=2, n_heads=3, k_max=6))
    with StoreReader.open(path) as reader:
        for cell in range(multiome.n_cells):
            wanted = model.attend(multiome, cell_graph(multiome, cell, cell), 6)
            for layer in range(2):
                for head in range(3):
                    same(reader.attention(cell, layer, head), wanted[layer][head])


def test_links_longer_than_the_writers_buffer_return(tmp_path: Path) -> None:
    multiome = tiny_multiome(40, 500, 700, density=0.6, seed=3)  # some 1,700,000 links: many chunks, many flushes
    model = RandomModel.of(multiome, np.random.default_rng(3))
    path = write_store(tmp_path / "s.h5", multiome, model, tiny_attributes())
    with StoreReader.open(path) as reader:
        for cell in (0, 1, 19, 39):
            same(reader.attention(cell), model.attend(multiome, cell_graph(multiome, cell, cell), 50)[0][0])


def test_tables_and_attributes_return(tmp_path: Path) -> None:
    multiome = tiny_multiome(20)
    cell_type = multiome.cells["cell_type"].cat.rename_categories(["B Zelle", "T-Zelle γδ", "Mégacaryocyte"])
    multiome = dataclasses.replace(multiome, cells=multiome.cells.assign(cell_type=cell_type))
    long = {"text": "ä" * 100_000}  # more than one HDF5 object header holds
    attributes = tiny_attributes(name="Zellen", configuration=long, dataset_digest="ab" * 32)
    path = write_store(tmp_path / "s.h5", multiome, RandomModel.of(multiome, np.random.default_rng(0)), attributes)
    with StoreReader.open(path) as reader:
        stamped = reader.attributes
        assert dataclasses.replace(stamped, generator="", created="") == attributes
        assert stamped.generator.startswith("bi2scope ")
        assert pd.Timestamp(stamped.created).tz is not None
        pd.testing.assert_frame_equal(reader.genes, multiome.genes, check_names=False)
        pd.testing.assert_frame_equal(reader.peaks, multiome.peaks, check_names=False)
        pd.testing.assert_series_equal(reader.cells["cell_type"], multiome.cells["cell_type"], check_names=False)
        assert list(reader.cells.columns) == ["cell_type", "n_genes", "n_peaks", "umap_1", "umap_2"]
        assert (reader.cells.index.name, reader.genes.index.name, reader.peaks.index.name) == (
            "cell_id",
            "gene_id",
            "peak",
        )
        assert reader.cells["n_peaks"].tolist() == np.diff(multiome.atac.indptr).tolist()
        assert reader.cell_types == ["B Zelle", "T-Zelle γδ", "Mégacaryocyte"]
        assert reader.embedding_method == "two random numbers per cell"


def test_the_digest_is_that_of_the_cells_when_none_is_given(tmp_path: Path) -> None:
    path = tiny_store(tmp_path / "s.h5", n_cells=5)
    with StoreReader.open(path) as reader:
        assert reader.attributes.dataset_digest == tiny_multiome(5).digest


def test_anndata_opens_tables_and_counts(tmp_path: Path) -> None:
    multiome = tiny_multiome(60)
    with h5py.File(tiny_store(tmp_path / "s.h5")) as file:
        for key in ("rna", "atac"):
            assert (anndata.io.read_elem(file[key]) != getattr(multiome, key)).nnz == 0
        assert list(anndata.io.read_elem(file["genes"]).index) == list(multiome.genes.index)
        assert list(anndata.io.read_elem(file["cells"])["cell_type"]) == list(multiome.cells["cell_type"])


def test_scores_of_the_links_are_those_of_the_dense_model(tmp_path: Path) -> None:
    multiome = tiny_multiome(8)
    model = RandomModel.of(multiome, np.random.default_rng(5))
    path = write_store(tmp_path / "s.h5", multiome, model, tiny_attributes())
    with StoreReader.open(path) as reader:
        for cell in range(8):
            graph, attention = reader.graph(cell), reader.attention(cell)
            dense = score_of(model.logits(graph, 0, 0))
            row, column = attention.row, np.searchsorted(graph.peak_index, attention.peak)
            np.testing.assert_allclose(score_of(attention.logit), dense[row, column], atol=1.3e-4)


def test_cells_layers_and_types_are_found_or_named(tmp_path: Path) -> None:
    with StoreReader.open(tiny_store(tmp_path / "s.h5", n_cells=12)) as reader:
        name = reader.cells.index[7]
        assert reader.cell_position(name) == 7
        with pytest.raises(NotFoundError) as caught:
            reader.cell_position(name[:-1] + "x")
        assert name in caught.value.nearest
        for call in (
            lambda: reader.attention(0, layer=1),
            lambda: reader.attention(0, head=-1),
            lambda: reader.attention(12),
            lambda: reader.graph(-1),
        ):
            with pytest.raises(NotFoundError):
                call()


def test_threads_share_one_reader(tmp_path: Path) -> None:
    with StoreReader.open(tiny_store(tmp_path / "s.h5", k_max=8)) as reader:
        wanted = [reader.attention(cell) for cell in range(reader.n_cells)]
        failures: list[BaseException] = []

        def read(seed: int) -> None:
            try:
                for cell in np.random.default_rng(seed).integers(0, reader.n_cells, 100):
                    np.testing.assert_array_equal(reader.attention(int(cell)).logit, wanted[cell].logit)
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=read, args=(seed,)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures


@pytest.mark.parametrize("limit", [None, 1, 500_000, 2**63 - 1])
def test_a_limit_on_the_distance_is_an_attribute_only_when_there_is_one(tmp_path: Path, limit: int | None) -> None:
    path = tiny_store(tmp_path / "s.h5", n_cells=5, max_distance=limit)
    with StoreReader.open(path) as reader:
        assert reader.attributes.max_distance == limit
        assert dict(store_summary(reader))["candidates"] == candidates_text(limit)
    with h5py.File(path) as file:
        assert ("max_distance" in file.attrs) is (limit is not None)
