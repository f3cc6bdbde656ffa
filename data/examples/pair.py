"""Where the bundled example cells stand."""

from __future__ import annotations

from pathlib import Path

from bi2scope.data.errors import DatasetError

NAME = "SNARE-seq cell-line mix"


def example_pair() -> tuple[Path, Path]:
    """Paths of the bundled RNA and ATAC files (1,047 cells of H1, BJ, K562 and GM12878), read-only.

    Raises
    ------
    DatasetError
        If the installation lacks them.
    """
    folder = Path(__file__).parent
    rna, atac = (folder / f"snare_cellline_mix_{kind}.h5ad" for kind in ("rna", "atac"))
    for path in (rna, atac):
        if not path.exists():
            raise DatasetError(f"The example cells are not installed: {path} is missing.", "Install bi2scope again.")
    return rna, atac
