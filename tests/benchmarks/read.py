"""Reading 10,000 cells of the size of 10x PBMC: peak memory against the CSR size of the counts, and seconds.

The counts are random (1,800 genes and 7,500 peaks a cell among 29,095 and 107,194), genes and peaks in no order, so
that reading has to reorder everything. Each reading runs in an interpreter of its own; its peak is the resident memory
at most, less that after the imports. ``BI2SCOPE_BENCH_CELLS`` sets another number of cells.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from scipy import sparse

N_CELLS = int(os.environ.get("BI2SCOPE_BENCH_CELLS", "10000"))
N_GENES, N_PEAKS = 29_095, 107_194
GENES_A_CELL, PEAKS_A_CELL = 1_800, 7_500

READ = """
import json, sys, time
from pathlib import Path
import anndata, bioframe, scanpy, skmisc.loess
from anndata.io import read_elem
from bi2scope.data.reading import read_multiome
from bi2scope.data.source import Source

def resident(what):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what)) / 1024

Path("/proc/self/clear_refs").write_text("5")  # forget the peak of the imports
before = resident("VmRSS")
started = time.perf_counter()
multiome = read_multiome(Source(**{name: Path(path) for name, path in json.loads(sys.argv[1]).items()}))
seconds, peak = time.perf_counter() - started, resident("VmHWM") - before
arrays = [part for counts in (multiome.rna, multiome.atac) for part in (counts.data, counts.indices, counts.indptr)]
csr = sum(array.nbytes for array in arrays) / 2**20
print(json.dumps({"seconds": seconds, "peak_mib": peak, "csr_mib": csr, "digest": multiome.digest}))
"""
"""Linux only: the kernel keeps the peak of the resident memory."""


def counts(rng: np.random.Generator, n_features: int, per_cell: int) -> sparse.csr_matrix:
    """Random counts with sorted positions: gaps between them are geometric."""
    indices, indptr = [], np.zeros(N_CELLS + 1, dtype=np.int32)
    for cell in range(N_CELLS):
        gaps = rng.geometric(per_cell / n_features, int(per_cell * 1.2))
        places = np.cumsum(gaps, dtype=np.int32) - 1
        indices.append(places[places < n_features])
        indptr[cell + 1] = indptr[cell] + len(indices[-1])
    data = 1 + (rng.random(indptr[-1], dtype=np.float32) < 0.3).astype(np.float32)
    return sparse.csr_matrix((data, np.concatenate(indices), indptr), shape=(N_CELLS, n_features))


def places(rng: np.random.Generator, number: int, length: int) -> pd.DataFrame:
    start = rng.choice(10_000_000, number, replace=False) * 10
    chrom = rng.choice([f"chr{name}" for name in (*range(1, 17), "X")], number)
    return pd.DataFrame({"chrom": chrom, "chromStart": start, "chromEnd": start + length})


def write_h5ad(path: Path, matrix: sparse.csr_matrix, var: pd.DataFrame, dtype: str) -> None:
    from anndata.io import write_elem

    obs = pd.DataFrame({"cell_type": np.resize(["B", "T", "NK"], N_CELLS)}, index=[f"c{n}" for n in range(N_CELLS)])
    with h5py.File(path, "w") as file:
        file.attrs["encoding-type"], file.attrs["encoding-version"] = "anndata", "0.1.0"
        write_elem(file, "obs", obs)
        write_elem(file, "var", var)
        wide = "i8" if dtype == "f8" else "i4"
        group = file.create_group("X")
        group.attrs["encoding-type"], group.attrs["encoding-version"] = "csr_matrix", "0.1.0"
        group.attrs["shape"] = matrix.shape
        group["data"], group["indices"] = matrix.data.astype(dtype), matrix.indices.astype(wide)
        group["indptr"] = matrix.indptr.astype(wide)


def write_files(folder: Path) -> dict[str, dict[str, str]]:
    rng = np.random.default_rng(0)
    rna, atac = counts(rng, N_GENES, GENES_A_CELL), counts(rng, N_PEAKS, PEAKS_A_CELL)
    genes, peaks = places(rng, N_GENES, 5_000), places(rng, N_PEAKS, 8)
    genes.index = pd.Index([f"G{number}" for number in range(N_GENES)])
    peaks.index = pd.Index([f"{c}:{s}-{e}" for c, s, e in peaks.itertuples(index=False)])
    genes["means"], genes["variances_norm"], genes["highly_variable"] = 1.0, 1.0, False
    sources = {}
    for name, dtype in (("h5ad_pair", "f4"), ("h5ad_pair_float64", "f8")):
        paths = {kind: str(folder / f"{name}_{kind}.h5ad") for kind in ("rna", "atac")}
        write_h5ad(Path(paths["rna"]), rna, genes, dtype)
        write_h5ad(Path(paths["atac"]), atac, peaks, dtype)
        sources[name] = paths
    sources["tenx_h5"] = write_10x(folder, (rna, atac), (genes, peaks))
    sources["prepared"] = {"cells": str(folder / "prepared.h5")}
    return sources


def write_10x(
    folder: Path, matrices: tuple[sparse.csr_matrix, sparse.csr_matrix], tables: tuple[pd.DataFrame, pd.DataFrame]
) -> dict[str, str]:
    """A 10x .h5 with labels; its gene attributes have to be computed."""
    both = sparse.hstack(matrices, format="csr")
    var = pd.concat(tables)
    texts = {
        "id": list(var.index),
        "name": list(var.index),
        "feature_type": ["Gene Expression"] * N_GENES + ["Peaks"] * N_PEAKS,
        "interval": [f"{c}:{s}-{e}" for c, s, e in zip(var["chrom"], var["chromStart"], var["chromEnd"], strict=True)],
    }
    with h5py.File(folder / "tenx.h5", "w") as file:
        group = file.create_group("matrix")
        group["data"], group["indices"] = both.data.astype("i4"), both.indices.astype("i8")
        group["indptr"], group["shape"] = both.indptr.astype("i8"), np.array(both.shape[::-1])
        group["barcodes"] = np.array([f"c{cell}".encode() for cell in range(N_CELLS)])
        for name, values in texts.items():
            group[f"features/{name}"] = np.array([value.encode() for value in values])
    labels = np.resize(["B", "T", "NK"], N_CELLS)
    (folder / "labels.csv").write_text("".join(f"c{cell},{label}\n" for cell, label in enumerate(labels)))
    return {"cells": str(folder / "tenx.h5"), "labels": str(folder / "labels.csv")}


def prepare(source: dict[str, str], out: str) -> None:
    from bi2scope.data.prepared import write_prepared
    from bi2scope.data.reading import read_multiome
    from bi2scope.data.source import Source

    write_prepared(read_multiome(Source(**{name: Path(path) for name, path in source.items()})), out)


def main() -> tuple[dict[str, float], dict[str, float]]:
    """Peak memory over CSR size of each form of file; seconds and MiB."""
    ratios, figures = {}, {"cells": float(N_CELLS)}
    with tempfile.TemporaryDirectory() as folder:
        sources = write_files(Path(folder))
        prepare(sources["h5ad_pair"], sources["prepared"]["cells"])
        digests = set()
        for name, source in sources.items():
            done = subprocess.run(
                [sys.executable, "-c", READ, json.dumps(source)], capture_output=True, text=True, check=True
            )
            found = json.loads(done.stdout)
            digests.add(found["digest"])
            ratios[f"{name}_peak_over_csr"] = found["peak_mib"] / found["csr_mib"]
            figures |= {f"{name}_{key}": found[key] for key in ("seconds", "peak_mib")}
            figures["csr_mib"] = found["csr_mib"]
            figures[f"{name}_file_mib"] = sum(Path(path).stat().st_size for path in source.values()) / 2**20
        assert len(digests) == 1, "the forms were not read alike"
    return ratios, figures
