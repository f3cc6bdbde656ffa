"""How long the service takes over a loopback socket with cells of PBMC size, beside anndata reading the same matrix.

The store is synthetic: 48 cells of about 1,600 genes, 7,100 peaks and 81,000 links each, over 29,095 genes and 107,194
peaks. The service runs in processes of its own, without the dashboard; one connection asks for one cell after the
other, each cell several times, so that most are among those that the service has decoded (``cold``: none are). The
reference is a CSR ``.h5ad`` of the same scores at k 10, a row for each gene of each cell, opened backed: all rows of a
cell are read; and cooler's reading of a cell's pixels from an ``.scool``. Requests per second are those of ``wrk``
where it is installed; cells take turns there, too.
"""

from __future__ import annotations

import http.client
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import anndata
import cooler
import numpy as np
import pandas as pd
from pbmc_service import N_CELLS, N_PEAKS, Running, ask, command, serving, write_store
from scipy import sparse

from bi2scope.data.attention import Cut
from bi2scope.data.store.reader import StoreReader

ROUNDS, SECONDS, CONNECTIONS, STARTS = 6, 5, 8, 5
FOUR = "columns=gene_id,peak,rank,score"

ROTATE = """
local names, at = {{ {names} }}, 0
request = function()
    at = at % #names + 1
    return wrk.format("GET", "/api/v1/cells/" .. names[at] .. "/{rest}")
end
"""


def main() -> tuple[dict[str, float], dict[str, float]]:
    with tempfile.TemporaryDirectory() as folder:
        path = write_store(Path(folder) / "store.h5")
        with StoreReader.open(path) as reader:
            names, types = [str(name) for name in reader.cells.index], reader.cell_types
            reference = read_h5ad(write_h5ad(Path(folder) / "scores.h5ad", reader), reader)
            figures = read_scool(write_scool(Path(folder) / "scores.scool", reader), names)
        figures |= starts(path, "start", "--no-dashboard") | starts(path, "start_with_page", page="/")
        with serving(path) as service:
            figures |= first_cell(service, names[0])
            figures |= {**timed_answers(service, names, types), "resident_mb": service.resident()}
        with serving(path, kept_bytes=0) as service:
            figures |= {f"cold_{key}": value for key, value in timed_links(service, names).items()}
        if shutil.which("wrk"):
            for workers in (1, 2):
                with serving(path, workers=workers) as service:
                    figures |= loaded(Path(folder), service.port, names, workers)
    wall, cpu = reference
    keys = ("links_arrow", "links_arrow_4", "cold_links_arrow", "cold_links_arrow_4", "links_json", "links_csv")
    ratios = {
        **{f"{key}_over_h5ad": figures[f"{key}_p50_ms"] / wall for key in keys},
        **{f"{key}_cpu_over_h5ad": figures[f"{key}_cpu_ms"] / cpu for key in keys},
        **{f"{key}_cpu_over_cooler": figures[f"{key}_cpu_ms"] / figures["cooler_cpu_ms"] for key in keys[:4]},
    }
    return ratios, {"h5ad_p50_ms": wall, "h5ad_cpu_ms": cpu, **figures}


# ---------------------------------------------------------------- what is served


def write_h5ad(path: Path, reader: StoreReader) -> Path:
    """Scores at k 10, a row for each gene of each cell."""
    blocks, names = [], []
    for cell, name in enumerate(reader.cells.index):
        graph, links = reader.graph(cell), reader.attention(cell).links(Cut(0.5, 10))
        row = np.searchsorted(graph.gene_index, links.gene)
        shape = len(graph.gene_index), N_PEAKS
        blocks.append(sparse.csr_matrix((links.score, (row, links.peak)), shape=shape))
        names += [f"{name}/{gene}" for gene in reader.genes.index[graph.gene_index]]
    var = pd.DataFrame(index=pd.Index(list(reader.peaks.index), dtype=object))
    scores = anndata.AnnData(sparse.vstack(blocks, format="csr"), obs=pd.DataFrame(index=names), var=var)
    scores.write_h5ad(path)
    return path


def read_h5ad(path: Path, reader: StoreReader) -> tuple[float, float]:
    """Milliseconds (median) on the clock and of the processor to read the rows of a cell from the backed file."""
    ends = np.cumsum([len(reader.graph(cell).gene_index) for cell in range(N_CELLS)])
    scores = anndata.read_h5ad(path, backed="r")
    took, cpu = [], []
    for cell in np.tile(np.arange(N_CELLS), 2):
        start = int(ends[cell - 1]) if cell else 0
        began = time.process_time()
        took.append(milliseconds(lambda start=start, cell=cell: scores.X[start : int(ends[cell])]))
        cpu.append((time.process_time() - began) * 1e3)
    scores.file.close()
    return statistics.median(took[N_CELLS:]), statistics.median(cpu[N_CELLS:])


def write_scool(path: Path, reader: StoreReader) -> Path:
    """The same scores as cooler has them: genes and peaks as bins of one genome, a matrix that is not symmetric a cell.

    Bins may overlap, though cooler takes them for a partition of the genome and says a fixed size of them here.
    """
    features = pd.concat([table[["chrom", "start", "end"]] for table in (reader.genes, reader.peaks)])
    order = np.lexsort((features["start"], pd.factorize(features["chrom"])[0]))
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    pixels = {}
    for cell, name in enumerate(reader.cells.index):
        links = reader.attention(cell).links(Cut(0.5, 10))
        bins = {"bin1_id": place[links.gene], "bin2_id": place[links.peak + len(reader.genes)]}
        pixels[str(name)] = pd.DataFrame({**bins, "score": links.score}).sort_values(["bin1_id", "bin2_id"])
    bins_of_genome = features.iloc[order].reset_index(drop=True)
    cooler.create_scool(
        str(path), bins_of_genome, pixels, columns=["score"], dtypes={"score": np.float32},
        symmetric_upper=False, triucheck=False, ordered=True,
    )  # fmt: skip
    return path


def read_scool(path: Path, names: list[str]) -> dict[str, float]:
    """Milliseconds (median) on the clock and of the processor to read a cell's pixels, its file opened anew."""
    took, cpu = [], []
    for name in [*names, *names]:
        began = time.process_time()
        took.append(milliseconds(lambda name=name: cooler.Cooler(f"{path}::/cells/{name}").pixels()[:]))
        cpu.append((time.process_time() - began) * 1e3)
    half = len(names)
    return {"cooler_p50_ms": statistics.median(took[half:]), "cooler_cpu_ms": statistics.median(cpu[half:])}


# ---------------------------------------------------------------- asking


def timed_answers(service: Running, names: list[str], types: list[str]) -> dict[str, float]:
    figures = timed_links(service, names)
    for key, path, rounds in (
        ("links_json", "links?top_k=10", 2),
        ("links_json_4", f"links.json?top_k=10&{FOUR}", 2),
        ("links_csv", "links.csv?top_k=10", 1),
        ("heatmap_k_50", "heatmap?top_k=50", 1),
        ("heatmap_k_50_arrow", "heatmap.arrow?top_k=50", 1),
        ("heatmap_recomputed", "heatmap", 1),
        ("heatmap_window", "heatmap?top_k=50&gene_stop=60&peak_stop=100", 1),
    ):
        figures |= percentiles(key, service, [f"cells/{name}/{path}" for name in names], rounds)
    quoted = [name.replace(" ", "%20") for name in types]
    for ending in ("json", "arrow"):
        cuts = [f"celltypes/{name}/scores.{ending}?threshold=0.9&top_k={k}" for k in range(1, 16) for name in quoted]
        # after a first round they would be among those that the store keeps
        figures |= percentiles(f"scores_{ending}", service, cuts, 1, first=False)
    return figures


def starts(path: Path, key: str, *options: str, page: str = "/api/v1/health") -> dict[str, float]:
    """Of ``bi2scope serve`` until a page is answered, medians: seconds, those of the processor, megabytes."""
    found = []
    for _ in range(STARTS):
        with command(path, *options, page=page) as service:
            found.append((service.started, service.cpu_seconds(), service.resident()))
    return dict(zip((f"{key}_s", f"{key}_cpu_s", f"{key}_mb"), np.median(found, axis=0).tolist(), strict=True))


def first_cell(service: Running, name: str) -> dict[str, float]:
    """Seconds from the first answer to that of a cell: compiled code is loaded meanwhile, in the background."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)
    took = milliseconds(lambda: ask(connection, f"cells/{name}/links.arrow?top_k=10")) / 1e3
    return {"first_cell_s": took, "first_cell_start_cpu_s": service.cpu_seconds(), "first_cell_mb": service.resident()}


def timed_links(service: Running, names: list[str]) -> dict[str, float]:
    figures = {}
    for key, path in (("links_arrow", "links.arrow?top_k=10"), ("links_arrow_4", f"links.arrow?top_k=10&{FOUR}")):
        figures |= percentiles(key, service, [f"cells/{name}/{path}" for name in names], ROUNDS)
    return figures


def percentiles(key: str, service: Running, paths: list[str], rounds: int, first: bool = True) -> dict[str, float]:
    """Milliseconds on the wire and of the service's processor, and megabytes of answers, after a round not counted."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)
    size = statistics.mean(ask(connection, path) for path in (paths if first else paths[:1]))
    before = service.cpu_seconds()
    took = [milliseconds(lambda path=path: ask(connection, path)) for _ in range(rounds) for path in paths]
    cpu = (service.cpu_seconds() - before) * 1e3 / len(took)
    p50, p99 = np.percentile(took, [50, 99])
    return {f"{key}_p50_ms": float(p50), f"{key}_p99_ms": float(p99), f"{key}_cpu_ms": cpu, f"{key}_mb": size / 1e6}


def loaded(folder: Path, port: int, names: list[str], workers: int) -> dict[str, float]:
    """Requests per second of ``wrk``, after a run that is not counted."""
    figures = {}
    for key, rest in (("arrow", "links.arrow?top_k=10"), ("arrow_4", f"links.arrow?top_k=10&{FOUR}")):
        script = folder / "rotate.lua"
        script.write_text(ROTATE.format(names=", ".join(f'"{name}"' for name in names), rest=rest))
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "-s", str(script), f"http://127.0.0.1:{port}"]
        for _ in range(2):
            said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert "Non-2xx" not in said, said
        found = re.search(r"Requests/sec:\s+([0-9.]+)", said)
        assert found is not None, said
        figures[f"{key}_per_s_{workers}_workers"] = float(found[1])
    return figures


def milliseconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1e3
