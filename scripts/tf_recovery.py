"""Whether the tracks of simulated factors stand out in their types, by a store of a model trained on the cells.

    python scripts/tf_recovery.py STORE FOLDER [K]

``FOLDER`` is what ``bi2scope simulate`` wrote, ``STORE`` what ``bi2scope precompute`` made of a model trained on it,
``K`` cuts the links. Each track is laid beside the type that it was made for, and each factor beside three types in
which it is idle. Prints the table of ``docs/tf-comparison.md``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from bi2scope.data.simulation.truth import OPEN_DECOY, RANDOM_DECOY
from bi2scope.data.store.reader import StoreReader
from bi2scope.data.tracks.comparison import Comparison
from bi2scope.server.catalogue import Catalogue
from bi2scope.server.params import TrackQuery
from bi2scope.server.tf import Comparisons
from bi2scope.server.tracks import HeldTrack

OWN, IDLE, OPEN, RANDOM = "factors in their own type", "the same factors where they are idle", OPEN_DECOY, RANDOM_DECOY
IDLE_TYPES = 3


def main(store: Path, folder: Path, top_k: int | None) -> None:
    """Print a row for each kind of track."""
    with StoreReader.open(store) as reader:
        found = list(compared(reader, folder, TrackQuery(top_k=top_k)))
    print("| tracks | pairs | AUROC | accessibility's | z, matched | p < 0.05, matched | `residual_auroc` |")
    print("|---|---|---|---|---|---|---|")
    for kind in (OWN, IDLE, OPEN, RANDOM):
        print(row(kind, [each for of, each in found if of == kind]))


def compared(reader: StoreReader, folder: Path, query: TrackQuery) -> Iterator[tuple[str, Comparison]]:
    """The kind of each pair of a track and a type, and how the two compare."""
    comparisons = Comparisons(Catalogue(reader))
    compared = comparisons.peaks_compared(query)
    activity = pd.read_csv(folder / "tf_activity.csv", index_col="tf").drop(columns="scope")
    rng = np.random.default_rng(0)
    for path in sorted((folder / "tf").glob("*.bed")):
        factor, _, rest = path.stem.partition(".")
        own = next(name for name in reader.cell_types if as_in_files(name) == rest)
        kinds = {own: next((kind for kind in (OPEN, RANDOM) if factor.startswith(kind)), OWN)}
        if kinds[own] == OWN:
            idle = [name for name in reader.cell_types if activity.loc[factor, name] == 0]
            kinds |= {str(name): IDLE for name in rng.permutation(idle)[:IDLE_TYPES]}
        held = HeldTrack.of(path.name, path.read_bytes())
        for name, (found,) in zip(kinds, comparisons.results(list(kinds), [held], query, compared), strict=True):
            yield kinds[name], found


def as_in_files(cell_type: str) -> str:
    """A cell type as the simulator's files are named after it."""
    return re.sub(r"[^A-Za-z0-9+_-]+", "_", cell_type)


def row(kind: str, found: list[Comparison]) -> str:
    """Medians, with the lowest and highest in brackets."""
    matched = [each.measures["auroc"].matched for each in found]
    values = {
        "auroc": [each.measures["auroc"].value for each in found],
        "beside": [each.beside["accessibility"]["auroc"] for each in found],
        "z": [chance.z for chance in matched if chance],
        "residual": [each.gains["residual_auroc"].value for each in found],
    }
    said = {name: spread(each, 1 if name == "z" else 3) for name, each in values.items()}
    passed = sum(chance.p < 0.05 for chance in matched if chance)
    columns = kind, len(found), said["auroc"], said["beside"], said["z"], passed, said["residual"]
    return f"| {' | '.join(map(str, columns))} |"


def spread(values: Iterable[float | None], digits: int) -> str:
    """Median, lowest and highest."""
    known = [value for value in values if value is not None]
    return f"{np.median(known):.{digits}f} ({min(known):.{digits}f} to {max(known):.{digits}f})"


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else None)
