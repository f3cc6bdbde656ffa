"""One data set written in every format that is read, as the programs that make those files write them."""

from __future__ import annotations

import gzip
import warnings
from contextlib import nullcontext
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from anndata import AnnData
from multiomes import as_anndata, write_h5ad_pair
from scipy import io, sparse

from bi2scope.data.multiome import Multiome
from bi2scope.data.prepared import write_prepared
from bi2scope.data.source import Source

FORMATS = ("pair", "h5mu", "10x h5", "10x folder", "h5ad", "prepared")


def write_as(kind: str, folder: Path, multiome: Multiome) -> Source:
    """Write a data set in one format into an empty folder and return how to read it again, labels and genes too."""
    folder.mkdir(parents=True, exist_ok=True)
    if kind == "pair":
        rna, atac = write_h5ad_pair(folder, multiome)
        return Source(rna=rna, atac=atac)
    if kind == "h5mu":
        return Source(cells=write_h5mu(folder / "cells.h5mu", multiome))
    if kind == "prepared":
        write_prepared(multiome, folder / "prepared.h5")
        return Source(cells=folder / "prepared.h5")
    if kind == "h5ad":
        return Source(cells=write_joint_h5ad(folder / "both.h5ad", multiome), genes=write_bed(folder, multiome))
    write = {"10x h5": write_10x_h5, "10x folder": write_10x_folder}[kind]
    cells = write(folder / ("filtered_feature_bc_matrix" + (".h5" if kind == "10x h5" else "")), multiome)
    return Source(cells=cells, labels=write_labels(folder, multiome), genes=write_bed(folder, multiome))


def write_h5mu(path: Path, multiome: Multiome, rna_name: str = "rna", atac_name: str = "atac") -> Path:
    rna, atac = as_anndata(multiome)
    return write_modalities(path, {rna_name: rna, atac_name: atac})


def write_modalities(path: Path, modalities: dict[str, AnnData], obs: dict[str, pd.Series] | None = None) -> Path:
    """As mudata does, with further columns for the cells of the whole."""
    import mudata

    # mudata before 0.4 copies columns between the whole and its modalities unless told not to
    plainly = mudata.set_options(pull_on_update=False) if hasattr(mudata, "set_options") else nullcontext()
    with plainly, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # mudata calls what pandas has deprecated
        warnings.simplefilter("ignore", UserWarning)  # and warns of names that stand twice, as some tests want them
        both = mudata.MuData(modalities)
        for name, column in (obs or {}).items():
            both.obs[name] = column.reindex(both.obs_names)
        both.write(path)
    return path


def intervals(table: pd.DataFrame) -> list[str]:
    return [f"{c}:{s}-{e}" for c, s, e in zip(table["chrom"], table["start"], table["end"], strict=True)]


def features_of(multiome: Multiome, genome: str = "GRCh38") -> pd.DataFrame:
    """Features as 10x lists them: genes, then peaks."""
    genes, peaks = multiome.genes, multiome.peaks
    return pd.DataFrame(
        {
            "id": [*genes.index, *peaks.index],
            "name": [*genes["name"], *peaks.index],
            "feature_type": ["Gene Expression"] * len(genes) + ["Peaks"] * len(peaks),
            "genome": genome,
            "interval": [*intervals(genes), *intervals(peaks)],
        }
    )


def write_10x_h5(path: Path, multiome: Multiome, features: pd.DataFrame | None = None) -> Path:
    """As Cell Ranger ARC 2 does: features by barcodes, by columns; texts of fixed length."""
    features = features_of(multiome) if features is None else features
    counts = sparse.hstack([multiome.rna, multiome.atac], format="csr")
    with h5py.File(path, "w") as file:
        file.attrs["filetype"] = "matrix"
        file.attrs["software_version"] = "cellranger-arc-2.0.0"
        group = file.create_group("matrix")
        group["barcodes"] = _fixed(multiome.cells.index)
        packed = {"compression": "gzip", "shuffle": True}
        group.create_dataset("data", data=counts.data.astype(np.int32), **packed)
        group.create_dataset("indices", data=counts.indices.astype(np.int64), **packed)
        group.create_dataset("indptr", data=counts.indptr.astype(np.int64), **packed)
        group["shape"] = np.array(counts.shape[::-1], dtype=np.int32)
        table = group.create_group("features")
        for column in features:
            table.create_dataset(column, data=_fixed(features[column]))
        table["_all_tag_keys"] = np.array([b"genome", b"interval"])
    return path


def _fixed(texts: pd.Index | pd.Series) -> np.ndarray:
    return np.array([str(text).encode() for text in texts])


def write_10x_folder(folder: Path, multiome: Multiome) -> Path:
    """As Cell Ranger ARC 2 does: three gzipped text files."""
    folder.mkdir(parents=True, exist_ok=True)
    counts = sparse.hstack([multiome.rna, multiome.atac], format="csr")
    io.mmwrite(folder / "matrix.mtx", counts.T.tocoo().astype(np.int64), field="integer", symmetry="general")
    plain = folder / "matrix.mtx"
    (folder / "matrix.mtx.gz").write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()
    features = features_of(multiome)
    places = pd.concat([multiome.genes, multiome.peaks])[["chrom", "start", "end"]]
    lines = [
        "\t".join(map(str, (*row, *place)))
        for row, place in zip(
            features[["id", "name", "feature_type"]].itertuples(index=False),
            places.itertuples(index=False),
            strict=True,
        )
    ]
    for name, texts in (("features", lines), ("barcodes", multiome.cells.index)):
        (folder / f"{name}.tsv.gz").write_bytes(gzip.compress(("\n".join(texts) + "\n").encode()))
    return folder


def write_joint_h5ad(path: Path, multiome: Multiome) -> Path:
    """As scanpy writes what ``read_10x_h5(gex_only=False)`` gave it."""
    features = features_of(multiome).rename(columns={"id": "gene_ids", "feature_type": "feature_types"})
    var = features.set_index(pd.Index(features["gene_ids"], name=None)).rename(columns={"name": "gene_name"})
    counts = sparse.csr_matrix(sparse.hstack([multiome.rna, multiome.atac], format="csr"))
    AnnData(counts, obs=multiome.cells.copy(), var=var).write_h5ad(path)
    return path


def write_labels(folder: Path, multiome: Multiome) -> Path:
    path = folder / "labels.csv"
    rows = [f'{name},"{label}"' for name, label in multiome.cells["cell_type"].items()]
    path.write_text("\n".join(["barcode,label", *rows]) + "\n")
    return path


def write_bed(folder: Path, multiome: Multiome) -> Path:
    """The genes as BED6, named by their ids."""
    path = folder / "genes.bed"
    genes = multiome.genes
    columns = (genes["chrom"], genes["start"], genes["end"], genes.index, genes["strand"])
    rows = [
        f"{chrom}\t{start}\t{end}\t{name}\t0\t{strand}"
        for chrom, start, end, name, strand in zip(*columns, strict=True)
    ]
    path.write_text("\n".join(rows) + "\n")
    return path
