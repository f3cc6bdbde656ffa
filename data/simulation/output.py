"""A simulated data set on disk: a folder that is whole or not there."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
from scipy import sparse

from bi2scope.data.errors import InputError
from bi2scope.data.simulation.truth import Track

METADATA = "metadata.json"
"""A folder that holds this file was written here, and may be replaced when asked."""


def require_free_folder(folder: Path, overwrite: bool = False) -> None:
    """Refuse an output folder before any work is done for it.

    Raises
    ------
    InputError
        If it is a file, or a folder with anything in it that is not a simulated data set to overwrite, or if the
        folder it is to stand in is missing or cannot be written to.
    """
    parent = folder.absolute().parent
    if not parent.is_dir():
        raise InputError(f"The folder {parent} does not exist.", "Make it first.")
    if not os.access(parent, os.W_OK):
        raise InputError(f"The folder {parent} cannot be written to.", "Choose another place for the output.")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; a folder name was wanted.")
    if folder.is_dir() and any(folder.iterdir()):
        if not (folder / METADATA).is_file():
            raise InputError(f"{folder} holds other files.", "Choose a new folder, or an empty one.")
        if not overwrite:
            raise InputError(f"{folder} holds a simulated data set.", "Choose another folder, or pass --overwrite.")


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder beside ``folder`` to write to; renamed when the block ends well, removed when not."""
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        yield temporary
        if folder.exists():
            old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
            folder.rename(old)
            temporary.rename(folder)
            shutil.rmtree(old)
        else:
            temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_h5ad(path: Path, counts: sparse.csr_matrix, obs: pd.DataFrame, var: pd.DataFrame) -> None:
    """Write one modality as scGLUE's downloads have it: counts in ``X``, places in ``var``."""
    from anndata import AnnData

    places = var.rename(columns={"name": "gene_name", "start": "chromStart", "end": "chromEnd"})
    AnnData(X=counts, obs=obs, var=places).write_h5ad(path, compression="gzip", compression_opts=1)


def write_tracks(folder: Path, tracks: Iterable[Track]) -> None:
    """Write ``<TF>.<type>.bed`` of each track: BED5 with tabs, no header."""
    folder.mkdir()
    for track in tracks:
        path = folder / track_name(track)
        track.intervals.to_csv(path, sep="\t", header=False, index=False, lineterminator="\n")


def track_name(track: Track) -> str:
    """File name of a track; whatever is not a letter, a digit, ``+``, ``-`` or ``_`` becomes ``_``."""
    return f"{track.factor}.{re.sub(r'[^A-Za-z0-9+_-]+', '_', track.cell_type)}.bed"


def read_me(sizes: str, name: str, seed: int, version: str) -> str:
    """The page that lies with the data."""
    return f"""# Simulated paired cells: {name}, seed {seed}

{sizes}. Simulated by bi2scope {version}; no cell of this data set was ever measured. The genome is hg38 in its
chromosomes and their lengths alone: genes and peaks lie at made-up places.

| file | what |
|---|---|
| `rna.h5ad`, `atac.h5ad` | counts of the same cells; `obs["cell_type"]`, places of genes and peaks in `var` |
| `truth_links.csv` | planted gene-peak links: distance to the TSS, effect, factors, the cell types they act in |
| `tf_targets.csv` | peaks that each transcription factor opens, and the rate |
| `tf_activity.csv` | activity of each factor in each cell type; 0 where it is not active |
| `tf/<TF>.<type>.bed` | binding sites of active factors, with scores and noise |
| `tf/DECOY-*.<type>.bed` | as many sites by the openness of peaks alone (`open`), or by nothing (`random`) |
| `{METADATA}` | program version, seed, digest of the data set and the full configuration |

Several factors or cell types in one field stand with `;` between them. Coordinates are 0-based and half-open; a
negative distance is upstream of the gene. Formulas: docs/simulator.md of bi2scope.
"""
