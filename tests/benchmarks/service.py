"""How long the service takes over a loopback socket with cells of PBMC size, beside anndata reading the same matrix.

The store is synthetic: 48 cells of about 1,600 genes, 7,100 peaks and 81,000 links each, over 29,095 genes and 107,194
peaks. The service runs in processes of its own, without the dashboard; one connection asks for one cell after the
other, each cell several times, so that most are among those that the service has decoded (``cold``: none are). The
reference is a CSR ``.h5ad`` of the same scores at k 10, a row for each gene of each cell, opened backed: all rows of a
cell are read. Requests per second are those of ``wrk`` where it is installed; cells take turns there, too.
"""

from __future__ import annotations

import http.client
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import anndata
import numpy as np
import pandas as pd
import psutil
import store as store_benchmark
from scipy import sparse

from bi2scope.data.attention import Cut
from bi2scope.data.factors import Factors
from bi2scope.data.graph import cell_graph
from bi2scope.data.multiome import Multiome
from bi2scope.data.store.cells_table import Embedding
from bi2scope.data.store.reader import StoreReader
from bi2scope.data.store.schema import StoreAttributes
from bi2scope.data.store.writer import StoreWriter

N_CELLS, N_GENES, N_PEAKS = 48, 29_095, 107_194
ROUNDS, SECONDS, CONNECTIONS = 6, 5, 8
FOUR = "columns=gene_id,peak,rank,score"

SERVE = """
import socket, sys, uvicorn
from bi2scope.data.store.reader import StoreReader
from bi2scope.server import decoded
from bi2scope.server.app import create_app
from bi2scope.server.settings import Settings

decoded.KEPT_BYTES = int(sys.argv[3])
decoded.DecodedCells.__init__.__defaults__ = (decoded.KEPT_BYTES,)
listening = socket.socket()
listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
listening.bind(("127.0.0.1", int(sys.argv[2])))
with StoreReader.open(sys.argv[1]) as reader:
    config = uvicorn.Config(create_app(Settings(), reader), log_level="warning")
    uvicorn.Server(config).run(sockets=[listening])
"""

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
        with serving(path) as service:
            figures = {"start_s": service.started, "start_cpu_s": service.cpu_seconds(), "start_mb": service.resident()}
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
    }
    return ratios, {"h5ad_p50_ms": wall, "h5ad_cpu_ms": cpu, **figures}


# ---------------------------------------------------------------- what is served


def write_store(path: Path) -> Path:
    rng = np.random.default_rng(20)
    multiome = cells_of_pbmc_size(rng)
    query = rng.normal(size=(N_GENES, 32)) * rng.gamma(2, 0.2, (N_GENES, 1))
    key, nothing = rng.normal(size=(N_PEAKS, 32)).astype(np.float32), np.zeros(32, dtype=np.float32)
    query = query.astype(np.float32)
    attributes = StoreAttributes("benchmark", "0" * 64, n_layers=1, n_heads=1, n_parameters=0, k_max=50)
    with StoreWriter(path, multiome, attributes) as writer:
        writer.write_embedding(Embedding(np.zeros((N_CELLS, 2)), "none"))
        writer.write_factors(Factors(query, nothing, key, nothing, 1, "raw"))
        for cell in range(N_CELLS):
            writer.write_cell([[store_benchmark.attend(multiome, cell_graph(multiome, cell, cell), query, key)]])
    return path


def cells_of_pbmc_size(rng: np.random.Generator) -> Multiome:
    types = np.repeat([0, 1, 2], [30, 16, 2])
    cells = pd.DataFrame(
        {"cell_type": pd.Categorical.from_codes(types, ["CD14 Mono", "CD4 Naive", "NK"])},
        index=pd.Index([f"cell{i:014d}" for i in range(N_CELLS)], dtype=object),
    )
    genes, peaks = store_benchmark.places(N_GENES), store_benchmark.places(N_PEAKS)
    genes.index = pd.Index([f"ENSG{i:011d}" for i in range(N_GENES)], dtype=object)
    genes = genes.assign(name=[f"GENE{i}" for i in range(N_GENES)], strand=rng.choice(["+", "-"], N_GENES))
    genes = genes.assign(means=0.0, variances_norm=0.0, highly_variable=False)
    rna = store_benchmark.counts(rng, types, N_GENES, 1_900)
    return Multiome(cells, genes, peaks, rna, store_benchmark.counts(rng, types, N_PEAKS, 7_600))


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


# ---------------------------------------------------------------- asking


class Running(NamedTuple):
    """Port, seconds to the first answer, and processes of a service."""

    port: int
    started: float
    processes: list[psutil.Process]

    def cpu_seconds(self) -> float:
        times = [process.cpu_times() for process in self.processes]
        return sum(each.user + each.system for each in times)

    def resident(self) -> float:
        return max(process.memory_info().rss for process in self.processes) / 1e6


@contextmanager
def serving(path: Path, workers: int = 1, kept_bytes: int = 64 << 20) -> Iterator[Running]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command, began = [sys.executable, "-c", SERVE, str(path), str(port), str(kept_bytes)], time.perf_counter()
    processes = [subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"}) for _ in range(workers)]
    try:
        started = [answers(port, began)]
        while len(listeners(processes)) < workers:
            time.sleep(0.05)
        yield Running(port, started[0], [psutil.Process(process.pid) for process in processes])
    finally:
        for process in processes:
            process.terminate()
            process.wait()


def listeners(processes: list[subprocess.Popen[bytes]]) -> list[int]:
    return [
        process.pid
        for process in processes
        if any(each.status == psutil.CONN_LISTEN for each in psutil.Process(process.pid).net_connections("tcp"))
    ]


def answers(port: int, began: float) -> float:
    while True:
        try:
            ask(http.client.HTTPConnection("127.0.0.1", port, timeout=60), "health")
        except OSError:
            time.sleep(0.02)
        else:
            return time.perf_counter() - began


def ask(connection: http.client.HTTPConnection, path: str) -> int:
    connection.request("GET", f"/api/v1/{path}")
    answer = connection.getresponse()
    content = answer.read()
    assert answer.status == 200, content[:300]
    return len(content)


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
