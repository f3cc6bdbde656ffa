"""Rebuild the example cells under data/examples from pinned packages.

    python scripts/build_examples.py                      # fetches the two wheels with pip
    python scripts/build_examples.py --wheels FOLDER      # takes them from a folder

The cells: SNARE-seq of four human cell lines (Chen, Lake & Zhang 2019, GEO GSE126074), as dense CSV files in the
wheel of scPECA 2.0. The coordinates of the genes: Ensembl 93 on GRCh38, out of the wheel of pypando 0.1.2. Both
wheels are checked by SHA-256; the same versions of anndata and HDF5 write the same bytes.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
from scipy import sparse

from bi2scope.data.features import cells_with, computed_attributes
from bi2scope.data.places import peak_table

WHEELS = {
    "scPECA==2.0": (
        "scPECA-2.0-py3-none-any.whl",
        "84da630dc5ac4a1a802fdba7df3a89801675a0f34175a455d124830523e779c0",
    ),
    "pypando==0.1.2": (
        "pypando-0.1.2-py3-none-any.whl",
        "cd7ed1d365eb0216ca52eb46e575c75373ec2465cc343387a094f550f0d5ac59",
    ),
}
CELLS = "SNARE-seq of H1, BJ, K562 and GM12878; Chen, Lake & Zhang 2019, doi:10.1038/s41587-019-0290-0, GEO GSE126074"
COUNTS_FROM = "scPECA 2.0 (PyPI, MIT), scPECA/4cellline"
GENES_FROM = "Ensembl 93, GRCh38 (hg38), out of pypando 0.1.2 (PyPI, MIT)"
CHROMOSOMES = {f"chr{name}": f"chr{name}" for name in (*range(1, 23), "X", "Y")} | {"chrMT": "chrM"}
MIN_CELLS = 10
OUT = Path(__file__).resolve().parents[1] / "data" / "examples"


def main() -> None:
    """Parse the options, build, report the sizes."""
    parser = argparse.ArgumentParser(description="Rebuild the example cells from pinned packages.")
    parser.add_argument("--wheels", type=Path, help="folder that holds the two wheels (default: fetch them)")
    parser.add_argument("--out", type=Path, default=OUT, help="folder to write to (default: data/examples)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cells, genes = (wheel(pin, options.wheels or Path(folder)) for pin in WHEELS)
        build(cells, genes, options.out)
    for path in sorted(options.out.glob("*.h5ad")):
        print(f"{path.name}: {path.stat().st_size:,} bytes, sha256 {sha256(path)}")


def wheel(pin: str, folder: Path) -> Path:
    """Path of a pinned wheel, fetched if it is not in the folder, its hash checked."""
    name, wanted = WHEELS[pin]
    path = folder / name
    if not path.exists():
        pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--dest", str(folder), pin]
        subprocess.run(pip, check=True)
    found = sha256(path)
    if found != wanted:
        sys.exit(f"{path} has the SHA-256 {found}; wanted {wanted}. Remove it and fetch it again.")
    return path


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def build(cells_wheel: Path, genes_wheel: Path, out: Path) -> None:
    """Write both .h5ad files and the licences of the two packages."""
    out.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(genes_wheel) as archive:
        places = gene_places(archive)
        license_of(archive, out / "LICENSE-pypando")
    with zipfile.ZipFile(cells_wheel) as archive:
        types = cell_types(archive)
        rna, genes = dense_csv(archive, "4cellline_scRNA.csv", types.index)
        atac, peaks = dense_csv(archive, "4cellline_scATAC.csv", types.index)
        license_of(archive, out / "LICENSE-scPECA")
    write(out / "snare_cellline_mix_rna.h5ad", *frequent(rna, genes), types, places)
    write(out / "snare_cellline_mix_atac.h5ad", *frequent(atac, peaks), types, None)


def cell_types(archive: zipfile.ZipFile) -> pd.DataFrame:
    """Cell line of each barcode; RNA and ATAC carry the same table."""
    raw = archive.read("scPECA/4cellline/4cellline_scRNA_meta.csv")
    if raw != archive.read("scPECA/4cellline/4cellline_scATAC_meta.csv"):
        sys.exit("The cell lines of RNA and ATAC differ.")
    table = pd.read_csv(io.BytesIO(raw), header=None, names=["cell", "cell_type"], index_col="cell", dtype=str)
    return pd.DataFrame({"cell_type": pd.Categorical(table["cell_type"])}, index=pd.Index(list(table.index)))


def dense_csv(archive: zipfile.ZipFile, name: str, cells: pd.Index) -> tuple[sparse.csr_matrix, pd.Index]:
    """Counts ``(n_cells, n_features)`` and feature names of a CSV file with a feature in each row."""
    features, rows = [], []
    with archive.open(f"scPECA/4cellline/{name}") as packed, io.TextIOWrapper(packed, "utf-8", newline="") as file:
        header = next(csv.reader([file.readline()]))[1:]
        if header != list(cells):
            sys.exit(f"The cells of {name} are not those of its table.")
        for line in file:
            feature, counts = line.split(",", 1)
            features.append(feature.strip('"'))
            rows.append(sparse.csr_matrix(np.fromstring(counts, dtype=np.float32, sep=",")))
    return sparse.csr_matrix(sparse.vstack(rows).T), pd.Index(features)


def frequent(counts: sparse.csr_matrix, names: pd.Index) -> tuple[sparse.csr_matrix, pd.Index]:
    """The features seen in at least :data:`MIN_CELLS` cells."""
    kept = cells_with(counts) >= MIN_CELLS
    chosen = counts[:, kept]
    chosen.sort_indices()
    return chosen, names[kept]


def gene_places(archive: zipfile.ZipFile) -> pd.DataFrame:
    """Place of each symbol on the chromosomes, 0-based and half-open (Ensembl counts from 1).

    Symbols with several genes take the protein-coding one, then the one with the lowest identifier; genes on
    patches and alternative loci are left out. The mitochondrion is called chrM, as in the UCSC hg38.
    """
    with archive.open("pypando/data/ensdb_v93_hg38.tsv.gz") as packed:
        table = pd.read_csv(packed, sep="\t", compression="gzip", dtype={"seqnames": str})
    table = table[table["seqnames"].isin(CHROMOSOMES)].drop_duplicates("gene_id")
    table = table.assign(other=table["gene_type"] != "protein_coding").sort_values(["gene_name", "other", "gene_id"])
    table = table.drop_duplicates("gene_name").set_index("gene_name")
    return pd.DataFrame(
        {
            "gene_id": table["gene_id"],
            "chrom": table["seqnames"].map(CHROMOSOMES),
            "chromStart": table["start"] - 1,
            "chromEnd": table["end"],
            "strand": table["strand"],
        }
    )


def write(
    path: Path, counts: sparse.csr_matrix, names: pd.Index, types: pd.DataFrame, places: pd.DataFrame | None
) -> None:
    """One modality in the shape that scGLUE users have."""
    source = {"cells": CELLS, "counts": COUNTS_FROM, "built_by": "scripts/build_examples.py"}
    if places is None:
        table = peak_table(pd.DataFrame(index=names), path.name)
        var = table.rename(columns={"start": "chromStart", "end": "chromEnd"})
    else:
        source["genes"] = GENES_FROM
        attributes, note = computed_attributes(counts, names)
        var = pd.concat([places.reindex(names), attributes.round(6)], axis=1)
        print(note)
    for column in {"chrom", "strand"} & set(var.columns):
        var[column] = pd.Categorical(var[column])
    adata = anndata.AnnData(X=counts, obs=types, var=var, uns={"source": source})
    adata.write_h5ad(path, compression="gzip", compression_opts=9)


def license_of(archive: zipfile.ZipFile, path: Path) -> None:
    """Copy the licence of a package out of its wheel."""
    name = next(name for name in archive.namelist() if name.endswith("LICENSE"))
    path.write_text(archive.read(name).decode().rstrip() + "\n")


if __name__ == "__main__":
    main()
