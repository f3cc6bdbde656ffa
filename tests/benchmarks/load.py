"""Whether a service that is asked for ten minutes keeps its memory: many questions over many cells, of six clients.

The store is that of ``service``. ``BI2SCOPE_LOAD_SECONDS`` changes the time. Memory is resident, of the one process
that answers; ``growth_mb_per_min`` is a line through its second half, when all that is kept is there.
"""

from __future__ import annotations

import http.client
import os
import random
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pbmc_service import Running, serving, write_store
from pbmc_service import ask as ask_service

from bi2scope.data.store.reader import StoreReader

CLIENTS, SAMPLES = 6, 60
QUESTIONS = (
    *["cells/{cell}/links.arrow?threshold={threshold}&top_k={k}&columns=gene_id,peak,score"] * 4,
    *["cells/{cell}/heatmap?threshold={threshold}&top_k={k}"] * 2,
    "cells/{cell}/links?threshold={threshold}&top_k={k}",
    "cells/{cell}/links.csv?threshold={threshold}&top_k=10",
    "cells/{cell}/links.arrow?threshold={threshold}",
    "cells/{cell}/profile?threshold={threshold}&top_k={k}",
    "celltypes/{cell_type}/scores?threshold={threshold}&top_k={k}",
    "celltypes/{cell_type}/scores.arrow?threshold={threshold}&top_k={k}",
    "celltypes/{cell_type}/genes/{gene}/links?threshold={threshold}&top_k={k}",
    "celltypes/{cell_type}/profile?threshold={threshold}&top_k={k}",
    "genes?query={prefix}",
    "embedding.arrow",
)


class Names(NamedTuple):
    """What is asked about."""

    cells: list[str]
    types: list[str]
    genes: list[str]

    def question(self, rng: random.Random) -> str:
        return rng.choice(QUESTIONS).format(
            cell=rng.choice(self.cells),
            cell_type=rng.choice(self.types),
            gene=rng.choice(self.genes),
            prefix=rng.choice(self.genes)[:-2],
            threshold=rng.choice([0.5, 0.6, 0.7, 0.8, 0.9]),
            k=rng.choice([1, 5, 10, 20, 50]),
        )


def main() -> tuple[dict[str, float], dict[str, float]]:
    seconds = float(os.environ.get("BI2SCOPE_LOAD_SECONDS", "600"))
    os.nice(10)
    with tempfile.TemporaryDirectory() as folder:
        path = write_store(Path(folder) / "store.h5")
        with StoreReader.open(path) as reader:
            types = [name.replace(" ", "%20") for name in reader.cell_types]
            names = Names([str(name) for name in reader.cells.index], types, list(reader.genes["name"][:3_000]))
        with serving(path) as service:
            figures = {"start_mb": service.resident(), **asked(service, names, seconds)}
    return {"end_over_middle": figures["end_mb"] / figures["middle_mb"]}, figures


def asked(service: Running, names: Names, seconds: float) -> dict[str, float]:
    until, took = time.monotonic() + seconds, [list[float]() for _ in range(CLIENTS)]
    clients = [threading.Thread(target=ask, args=(service.port, names, until, mine)) for mine in took]
    for client in clients:
        client.start()
    samples = []
    for _ in range(SAMPLES):
        time.sleep(seconds / SAMPLES)
        samples.append(service.resident())
    for client in clients:
        client.join()
    half, minutes = np.array(samples[SAMPLES // 2 :]), seconds / 60
    slope = np.polyfit(np.linspace(minutes / 2, minutes, len(half)), half, 1)[0]
    milliseconds = np.concatenate(took) * 1e3
    p50, p99 = np.percentile(milliseconds, [50, 99])
    quarters = {name: samples[SAMPLES * i // 4 - 1] for i, name in ((1, "quarter_mb"), (2, "middle_mb"), (4, "end_mb"))}
    return {
        **quarters,
        "most_mb": max(samples),
        "growth_mb_per_min": float(slope),
        "requests": float(len(milliseconds)),
        "p50_ms": float(p50),
        "p99_ms": float(p99),
    }


def ask(port: int, names: Names, until: float, took: list[float]) -> None:
    rng, connection = random.Random(id(took)), http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    while time.monotonic() < until:
        path = names.question(rng)
        began = time.monotonic()
        ask_service(connection, path)
        took.append(time.monotonic() - began)
