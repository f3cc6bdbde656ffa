"""Tables of tiny stores in every format, held against the reader and against each other."""

from __future__ import annotations

import errno
import gzip
import io
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from stores import tiny_store

from bi2scope.data.attention import Cut
from bi2scope.data.errors import ConfigurationError, InputError, NotFoundError
from bi2scope.data.exchange import links as links_module
from bi2scope.data.exchange.bedpe import HEADER
from bi2scope.data.exchange.export import FITTING, TABLES, Kind, Target, export
from bi2scope.data.exchange.interact import COLUMNS
from bi2scope.data.exchange.selection import Part, Selection
from bi2scope.data.exchange.streams import STREAMS
from bi2scope.data.store.reader import StoreReader
from bi2scope.server.app import create_app
from bi2scope.server.settings import Settings

WHOLE = Selection()

HERE: tuple[Selection, ...] = (
    Selection(),
    Selection(("CD4 naive",), 0.9, 3),
    Selection(("B cell", "CD14 monocyte"), layer=1, head=1),
)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreReader]:
    """Two layers and two heads; rows cut at 8 links."""
    path = tiny_store(tmp_path_factory.mktemp("store") / "tiny.h5", n_cells=24, layers=2, heads=2, k_max=8)
    with StoreReader.open(path) as reader:
        yield reader


def text_of(reader: StoreReader, kind: Kind, form: str = "csv", selection: Selection = WHOLE) -> str:
    return b"".join(STREAMS[form](TABLES[kind](Part.of(reader, selection)))).decode()


def frame_of(reader: StoreReader, kind: Kind, selection: Selection = WHOLE) -> pd.DataFrame:
    text = text_of(reader, kind, selection=selection)
    return pd.read_csv(io.StringIO(text), comment="#", float_precision="round_trip")


@pytest.mark.parametrize("selection", HERE)
def test_links_are_those_of_the_reader(reader: StoreReader, selection: Selection) -> None:
    table = frame_of(reader, "links", selection)
    cut = Cut(selection.threshold or 0.5, selection.top_k)
    chosen = [i for i, kind in enumerate(reader.cells["cell_type"]) if kind in (selection.cell_types or {kind})]
    assert len(chosen) >= 8
    genes, peaks, rows = reader.genes.index, reader.peaks.index, table.groupby("cell_id", sort=False)
    assert list(rows.groups) == [reader.cells.index[cell] for cell in chosen]
    for cell, (name, own) in zip(chosen, rows, strict=True):
        wanted = reader.attention(cell, selection.layer, selection.head).links(cut)
        assert own["gene_id"].tolist() == genes[wanted.gene].tolist(), name
        assert own["peak"].tolist() == peaks[wanted.peak].tolist()
        assert own["rank"].tolist() == wanted.rank.tolist()
        for column in ("logit", "score", "weight"):
            assert own[column].astype(np.float32).tolist() == getattr(wanted, column).tolist()


@pytest.mark.parametrize("asked", [{"threshold": 0.9, "top_k": 3}, {"top_k": 8, "layer": 1}])
def test_rows_are_those_of_the_service(reader: StoreReader, asked: dict[str, float]) -> None:
    from service import Service

    service = Service(create_app(Settings(), reader))
    limits = {name: asked.get(name) for name in ("threshold", "top_k")}
    selection = Selection(("CD4 naive",), **limits, layer=int(asked.get("layer", 0)))  # type: ignore[arg-type]
    ours = text_of(reader, "links", selection=selection).split("\r\n")
    cell = reader.cells.index[reader.cells_of("CD4 naive")[2]]
    theirs = service.get(f"/cells/{cell}/links.csv", **asked).text.split("\r\n")
    plain = [line for line in theirs if not line.startswith("#")]
    assert [line for line in ours if line.startswith(("cell_id,", f"{cell},")) or not line] == plain
    theirs = service.get("/celltypes/CD4 naive/scores.csv", **asked).text.split("\r\n")
    ours = text_of(reader, "peaks", selection=selection).split("\r\n")
    plain = [line for line in theirs if not line.startswith("#")]
    assert [line for line in ours if not line.startswith("#")] == plain


@pytest.mark.parametrize("kind", ["links", "map", "peaks"])
def test_parquet_holds_what_csv_holds(reader: StoreReader, kind: Kind, tmp_path: Path, monkeypatch) -> None:
    from pyarrow import parquet

    monkeypatch.setattr(links_module, "BLOCK_ROWS", 500)
    path, part = tmp_path / "table.parquet", Part.of(reader, Selection())
    export(part, kind, Target.of(kind, path))
    file = parquet.ParquetFile(path)
    assert file.num_row_groups > 1
    said = file.schema_arrow.metadata[b"bi2scope"].decode().split("\n")
    assert [f"# {line}" for line in said] == [
        line for line in text_of(reader, kind).split("\r\n") if line.startswith("#")
    ]
    found, wanted = file.read().to_pandas(), frame_of(reader, kind)
    assert list(found.columns) == list(wanted.columns)
    for name in wanted:
        column = found[name].astype(object) if isinstance(found[name].dtype, pd.CategoricalDtype) else found[name]
        exact = wanted[name].astype(column.dtype)
        np.testing.assert_array_equal(column.to_numpy(), exact.to_numpy(), err_msg=name)


def direct_map(reader: StoreReader, cell_type: str, cut: Cut) -> dict[tuple[int, int], list[float]]:
    """Cells with the link, cells with both, sums of score and weight, plainly."""
    pairs: dict[tuple[int, int], list[float]] = {}
    for cell in reader.cells_of(cell_type):
        links = reader.attention(int(cell)).links(cut)
        for gene, peak, score, weight in zip(links.gene, links.peak, links.score, links.weight, strict=True):
            sums = pairs.setdefault((int(gene), int(peak)), [0, 0, 0, 0])
            sums[0], sums[2], sums[3] = sums[0] + 1, sums[2] + float(score), sums[3] + float(weight)
    graphs = [reader.graph(int(cell)) for cell in reader.cells_of(cell_type)]
    own = [(set(graph.gene_index.tolist()), set(graph.peak_index.tolist())) for graph in graphs]
    for (gene, peak), sums in pairs.items():
        sums[1] = sum(gene in genes and peak in peaks for genes, peaks in own)
    return pairs


@pytest.mark.parametrize("asked", [(None, None), (0.8, None), (None, 2), (0.97, 1), (1, None)])
def test_the_map_is_what_the_links_add_up_to(reader: StoreReader, asked: tuple[float | None, int | None]) -> None:
    table = frame_of(reader, "map", Selection((), *asked))
    for cell_type in reader.cell_types:
        own = table[table["cell_type"] == cell_type]
        wanted = direct_map(reader, cell_type, Cut(asked[0] or 0.5, asked[1]))
        positions = (reader.genes.index.get_indexer(own["gene_id"]), reader.peaks.index.get_indexer(own["peak"]))
        keys = list(zip(*positions, strict=True))
        assert keys == sorted(wanted)
        assert own[["n_cells", "n_both"]].to_numpy().tolist() == [wanted[key][:2] for key in keys]
        for place, name in ((2, "mean_score"), (3, "mean_weight")):
            means = [wanted[key][place] / wanted[key][0] for key in keys]
            np.testing.assert_allclose(own[name].astype(float), means, atol=2e-4)


def test_a_map_of_more_than_is_kept_is_refused(reader: StoreReader) -> None:
    with pytest.raises(InputError, match=r"did not keep.*rank 1 to 8"):
        TABLES["map"](Part.of(reader, Selection(top_k=9)))


def test_links_beyond_k_max_are_recomputed_or_said_to_be_missing(reader: StoreReader, tmp_path: Path) -> None:
    beyond = Selection(("B cell",), top_k=50)
    assert "truncated: links beyond rank 8 " in text_of(reader, "links", selection=beyond)
    assert "truncated" not in text_of(reader, "links")
    with StoreReader.open(tiny_store(tmp_path / "f.h5", n_cells=12, k_max=8, factors=True)) as whole:
        assert "truncated" not in text_of(whole, "links", selection=beyond)
        assert frame_of(whole, "links", beyond)["rank"].max() > 8
        assert "truncated: links" in text_of(whole, "peaks", selection=beyond)


def test_bedpe_and_interact_hold_the_pairs(reader: StoreReader) -> None:
    for kind, score in (("links", "score"), ("map", "mean_score")):
        wanted = frame_of(reader, kind)
        text = text_of(reader, kind, "bedpe")
        names = next(line for line in text.split("\n") if line.startswith("#chrom1")).removeprefix("#").split("\t")
        assert tuple(names[:10]) == HEADER
        bedpe = pd.read_csv(io.StringIO(text), sep="\t", comment="#", names=names, float_precision="round_trip")
        for name, column in {
            "chrom1": "gene_chrom",
            "start1": "gene_tss",
            "start2": "peak_start",
            "end2": "peak_end",
        }.items():
            assert bedpe[name].tolist() == wanted[column].tolist()
        assert bedpe["score"].tolist() == wanted[score].tolist()
        assert (bedpe["end1"] - bedpe["start1"]).eq(1).all()
        text = text_of(reader, kind, "interact")
        assert text.startswith(f'track type=interact name="tiny {kind}" ')
        track = pd.read_csv(io.StringIO(text[text.index("\n") + 1 :]), sep="\t", comment="#", names=list(COLUMNS))
        assert track["score"].tolist() == np.rint(wanted[score] * 1000).astype(int).tolist()
        assert track["score"].between(500, 1000).all()
        assert (track["chromStart"] == np.minimum(track["sourceStart"], track["targetStart"])).all()
        assert (track["chromEnd"] == np.maximum(track["sourceEnd"], track["targetEnd"])).all()
        assert track["targetName"].tolist() == wanted["peak"].tolist()
        rows = [line for line in text.split("\n")[1:-1] if not line.startswith("#")]
        assert {len(line.split()) for line in rows} == {len(COLUMNS)}  # white space splits nothing


@pytest.mark.parametrize("kind", ["links", "map", "peaks"])
def test_an_arrow_stream_holds_what_csv_holds(reader: StoreReader, kind: Kind, monkeypatch) -> None:
    monkeypatch.setattr(links_module, "BLOCK_ROWS", 500)
    content = b"".join(STREAMS["arrow"](TABLES[kind](Part.of(reader, WHOLE))))
    stream = pa.ipc.open_stream(content)
    batches = list(stream)
    assert len(batches) > 1
    said = stream.schema.metadata[b"bi2scope"].decode().split("\n")
    assert [f"# {line}" for line in said] == [
        line for line in text_of(reader, kind).split("\r\n") if line.startswith("#")
    ]
    found, wanted = pa.Table.from_batches(batches), frame_of(reader, kind)
    assert found.column_names == list(wanted.columns)
    for name in wanted:
        kept = found[name].to_numpy()
        np.testing.assert_array_equal(kept, wanted[name].to_numpy().astype(kept.dtype), err_msg=name)
    widths = {field.name: field.type for field in stream.schema}
    assert not {name for name, kind in widths.items() if kind in (pa.string(), pa.large_string())}
    assert pa.int64() not in {widths[name] for name in widths if name.endswith(("_start", "_end", "_tss", "n_cells"))}


def test_longrange_has_two_lines_a_pair(reader: StoreReader) -> None:
    wanted = frame_of(reader, "map")
    text = text_of(reader, "map", "longrange")
    lines = [line.split("\t") for line in text.split("\n")[:-1] if not line.startswith("#")]
    assert len(lines) == 2 * len(wanted) > 0
    for (here, there), row in zip(zip(lines[::2], lines[1::2], strict=True), wanted.itertuples(), strict=True):
        gene, peak = [row.gene_chrom, row.gene_tss, row.gene_tss + 1], [row.peak_chrom, row.peak_start, row.peak_end]
        for line, (own, other) in ((here, (gene, peak)), (there, (peak, gene))):
            assert line[:3] == [str(part) for part in own]
            place, _, score = line[3].rpartition(",")
            assert place == "{}:{}-{}".format(*other)
            assert float(score) == row.mean_score


def test_h5ad_opens_in_scanpy(reader: StoreReader, tmp_path: Path) -> None:
    import scanpy

    path, selection = tmp_path / "peaks.h5ad", Selection(("CD14 monocyte", "B cell"), 0.8)
    export(Part.of(reader, selection), "peaks", Target.of("peaks", path))
    found, wanted = anndata.read_h5ad(path), frame_of(reader, "peaks", selection)
    assert found.obs_names.tolist() == ["B cell", "CD14 monocyte"]
    assert found.obs["n_cells"].tolist() == [len(reader.cells_of(name)) for name in found.obs_names]
    assert found.var_names.tolist() == reader.peaks.index.tolist()
    assert found.var["chromStart"].tolist() == reader.peaks["start"].tolist()
    assert "threshold: 0.8" in found.uns["bi2scope"]
    for name in ("links", "score", "weight", "lift", "accessibility", "n_open"):
        np.testing.assert_array_equal(found.layers[name].ravel(), wanted[name].to_numpy(float))
    np.testing.assert_array_equal(found.X, found.layers["score"])
    scanpy.pp.log1p(found)
    np.testing.assert_allclose(found.X, np.log1p(found.layers["score"]))


def test_gzipped_text_is_the_text_and_the_same_bytes_each_time(reader: StoreReader, tmp_path: Path) -> None:
    path, part = tmp_path / "links.csv.gz", Part.of(reader, Selection())
    export(part, "links", Target.of("links", path))
    first = path.read_bytes()
    assert gzip.decompress(first).decode() == text_of(reader, "links")
    export(part, "links", Target.of("links", path), overwrite=True)
    assert path.read_bytes() == first


def test_memory_does_not_grow_with_the_cells(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(links_module, "BLOCK_ROWS", 1000)
    peaks = []
    for n_cells in (60, 120):
        with StoreReader.open(tiny_store(tmp_path / f"{n_cells}.h5", n_cells=n_cells)) as reader:
            assert reader.cells is not None
            for _ in range(2):  # the first fills caches of libraries
                tracemalloc.start()
                rows = sum(len(piece) for piece in STREAMS["csv"](TABLES["links"](Part.of(reader, Selection()))))
                peaks.append((tracemalloc.get_traced_memory()[1], rows))
                tracemalloc.stop()
    (_, small), (_, large) = peaks[1], peaks[3]
    assert large > 1.8 * small
    assert peaks[3][0] < 1.25 * peaks[1][0]


def test_an_error_leaves_no_file(reader: StoreReader, tmp_path: Path, monkeypatch) -> None:
    def failing(part: Part, cell: int) -> None:
        raise InputError("stop here")

    monkeypatch.setattr(links_module, "cell_links", failing)
    for name in ("a.csv", "a.csv.gz", "a.parquet", "a.bedpe"):
        with pytest.raises(InputError, match="stop here"):
            export(Part.of(reader, Selection()), "links", Target.of("links", tmp_path / name))
    assert not list(tmp_path.iterdir())


def test_a_full_disk_ends_in_a_sentence(reader: StoreReader, tmp_path: Path, monkeypatch) -> None:
    def full(part: Part, cell: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(links_module, "cell_links", full)
    for name in ("a.csv.gz", "a.parquet"):
        with pytest.raises(InputError, match="cannot be written: No space left on device"):
            export(Part.of(reader, WHOLE), "links", Target.of("links", tmp_path / name))
    assert not list(tmp_path.iterdir())


def test_bad_selections_are_refused_in_words(reader: StoreReader) -> None:
    with pytest.raises(NotFoundError, match="B cell"):
        Part.of(reader, Selection(("b cells",)))
    with pytest.raises(NotFoundError, match="layer"):
        Part.of(reader, Selection(layer=2))
    for selection in (Selection(threshold=0.4), Selection(threshold=1.2), Selection(top_k=0)):
        with pytest.raises(ConfigurationError):
            Part.of(reader, selection)


@pytest.mark.parametrize(
    ("kind", "name", "form", "said"),
    [
        ("links", "a.txt", None, "ending of .*a.txt"),
        ("links", "a", None, "ending of"),
        ("links", "a.csv", "tsv", "no format 'tsv'"),
        ("links", "a.h5ad", None, "cannot hold links.*csv, parquet, arrow, bedpe, interact, longrange"),
        ("peaks", "a.bedpe", None, "cannot hold peaks.*csv, parquet, arrow, h5ad"),
        ("links", "a.parquet.gz", None, "compressed in itself"),
        ("links", None, "parquet", "standard output"),
    ],
)
def test_bad_targets_are_refused_in_words(kind: Kind, name: str | None, form: str | None, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Target.of(kind, None if name is None else Path(name), form)


def test_every_fitting_format_is_told_by_its_ending() -> None:
    for kind, formats in FITTING.items():
        for form in formats:
            assert Target.of(kind, Path(f"x.{form}")).format == form
