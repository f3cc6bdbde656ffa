"""A service in processes of its own over a synthetic store with cells of PBMC size, for benchmarks.

48 cells of about 1,600 genes, 7,100 peaks and 81,000 links each, over 29,095 genes and 107,194 peaks.
"""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import psutil
import store as store_benchmark

from bi2scope.data.factors import Factors
from bi2scope.data.graph import cell_graph
from bi2scope.data.multiome import Multiome
from bi2scope.data.store.cells_table import Embedding
from bi2scope.data.store.schema import StoreAttributes
from bi2scope.data.store.writer import StoreWriter

N_CELLS, N_GENES, N_PEAKS = 48, 29_095, 107_194

SERVE = """
import socket, sys, uvicorn
from bi2scope.data.store.reader import StoreReader
from bi2scope.server import decoded
from bi2scope.server.app import create_app
from bi2scope.server.memory import give_memory_back
from bi2scope.server.settings import Settings

give_memory_back()
decoded.KEPT_BYTES = int(sys.argv[3])
decoded.DecodedCells.__init__.__defaults__ = (decoded.KEPT_BYTES,)
listening = socket.socket()
listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
listening.bind(("127.0.0.1", int(sys.argv[2])))
with StoreReader.open(sys.argv[1]) as reader:
    config = uvicorn.Config(create_app(Settings(), reader), log_level="warning")
    uvicorn.Server(config).run(sockets=[listening])
"""


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
    port = free_port()
    arguments = ["-c", SERVE, str(path), str(port), str(kept_bytes)]
    with running([arguments] * workers, port, "/api/v1/health") as service:
        yield service


@contextmanager
def command(path: Path, *options: str, page: str) -> Iterator[Running]:
    """``bi2scope serve`` with these options, started when it answers a page."""
    port = free_port()
    arguments = ["-m", "bi2scope", "serve", str(path), "--no-open", "--port", str(port), *options]
    with running([arguments], port, page) as service:
        yield service


@contextmanager
def running(arguments: list[list[str]], port: int, page: str) -> Iterator[Running]:
    environment, began = {**os.environ, "OMP_NUM_THREADS": "1"}, time.perf_counter()
    processes = [
        subprocess.Popen([sys.executable, *each], env=environment, stdout=subprocess.DEVNULL) for each in arguments
    ]
    try:
        started = answers(port, page, began)
        while len(listeners(processes)) < len(processes):
            time.sleep(0.05)
        yield Running(port, started, [psutil.Process(process.pid) for process in processes])
    finally:
        for process in processes:
            process.terminate()
            process.wait()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def listeners(processes: list[subprocess.Popen[bytes]]) -> list[int]:
    return [
        process.pid
        for process in processes
        if any(each.status == psutil.CONN_LISTEN for each in psutil.Process(process.pid).net_connections("tcp"))
    ]


def answers(port: int, page: str, began: float) -> float:
    while True:
        try:
            get(http.client.HTTPConnection("127.0.0.1", port, timeout=60), page)
        except OSError:
            time.sleep(0.02)
        else:
            return time.perf_counter() - began


def ask(connection: http.client.HTTPConnection, path: str) -> int:
    return get(connection, f"/api/v1/{path}")


def get(connection: http.client.HTTPConnection, path: str) -> int:
    connection.request("GET", path)
    answer = connection.getresponse()
    content = answer.read()
    assert answer.status == 200, content[:300]
    return len(content)
