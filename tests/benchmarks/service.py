"""How long the service takes over a cell of a real size, beside reading that cell's attention alone.

The store is synthetic: cells with about 1,800 genes and 7,500 peaks, the medians of 10x PBMC 10k after quality
control, and 50 links kept per gene. Requests go through the application in this process, without a socket, so every
figure is what the service itself takes; medians of repeated requests, after one that is not counted.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import numpy as np
from stores import RandomModel, tiny_attributes, tiny_multiome, write_store

from bi2scope.data.attention import Cut
from bi2scope.data.store.reader import StoreReader
from bi2scope.server.app import API, create_app
from bi2scope.server.settings import Settings

REPEATS = 15


def main() -> tuple[dict[str, float], dict[str, float]]:
    with tempfile.TemporaryDirectory() as folder:
        multiome = tiny_multiome(n_cells=6, n_genes=6_000, n_peaks=25_000)
        model = RandomModel.of(multiome, np.random.default_rng(0))
        path = write_store(Path(folder) / "store.h5", multiome, model, tiny_attributes())
        with StoreReader.open(path) as reader:
            return asyncio.run(measure(reader))


async def measure(reader: StoreReader) -> tuple[dict[str, float], dict[str, float]]:
    cell = int(np.argsort(reader.cells["n_genes"].to_numpy())[len(reader.cells) // 2])
    name = reader.cells.index[cell]
    links = f"{API}/cells/{name}/links"
    floor = await median(lambda: asyncio.to_thread(reader.attention, cell))
    transport = httpx.ASGITransport(app=create_app(Settings(), reader))
    async with httpx.AsyncClient(transport=transport, base_url="http://benchmark", timeout=None) as client:
        addresses = {
            "health": f"{API}/health",
            "links_of_a_gene": f"{links}?gene={reader.genes.index[reader.graph(cell).gene_index[0]]}",
            "links_k_10": f"{links}?top_k=10",
            "links_all": links,
            "links_k_10_csv": f"{links}.csv?top_k=10",
            "heatmap": f"{API}/cells/{name}/heatmap",
            "heatmap_k_10": f"{API}/cells/{name}/heatmap?top_k=10",
            "heatmap_window": f"{API}/cells/{name}/heatmap?gene_stop=60&peak_stop=100",
            "scores": f"{API}/celltypes/{reader.cell_types[0]}/scores?threshold=0.9&top_k=10",
        }
        seconds, megabytes = {}, {}
        for key, address in addresses.items():
            answer = await client.get(address)
            answer.raise_for_status()
            megabytes[key] = len(answer.content) / 1e6
            seconds[key] = await median(lambda address=address: client.get(address))
    ratios = {f"{key}_over_reading_attention": value / floor for key, value in seconds.items()}
    figures = {
        "genes_of_the_cell": float(len(reader.graph(cell).gene_index)),
        "peaks_of_the_cell": float(len(reader.graph(cell).peak_index)),
        "links_of_the_cell": float(len(reader.attention(cell).links(Cut()))),
        "reading_attention_ms": floor * 1e3,
        **{f"{key}_ms": value * 1e3 for key, value in seconds.items()},
        **{f"{key}_mb": value for key, value in megabytes.items()},
    }
    return ratios, figures


async def median(request: Callable[[], Awaitable[object]]) -> float:
    """Seconds that a request takes."""
    await request()
    seconds = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        await request()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)
