"""`bi2scope simulate` and `bi2scope fit-report`: what they write, what they refuse."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


def bi2scope(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "bi2scope", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("simulated") / "tiny"
    done = bi2scope("simulate", "--preset", "tiny", "--cells", "90", "--seed", "3", "--out", out)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"Wrote {out}: 90 cells, 500 genes, 2,000 peaks, ")
    assert done.stderr == ""
    return out


def test_the_folder_says_how_it_was_made(folder: Path) -> None:
    metadata = json.loads((folder / "metadata.json").read_text())
    assert metadata["seed"] == 3
    assert metadata["configuration"]["n_cells"] == 90
    assert len((folder / "truth_links.csv").read_text().splitlines()) == metadata["n_links"] + 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--preset", "huge"), "preset is 'huge'"),
        (("--preset", "tiny", "--cells", "0"), "n_cells is 0"),
        (("--preset", "tiny", "--seed", "-1"), "seed is -1"),
    ],
)
def test_a_setting_out_of_range_is_refused_in_one_message(
    tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    done = bi2scope("simulate", *arguments, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert said in done.stderr
    assert not (tmp_path / "out").exists()


def test_an_output_that_is_there_is_kept_unless_asked(folder: Path) -> None:
    before = (folder / "metadata.json").read_text()
    done = bi2scope("simulate", "--preset", "tiny", "--out", folder)
    assert done.returncode == 2
    assert "--overwrite" in done.stderr
    assert (folder / "metadata.json").read_text() == before


@pytest.mark.slow
def test_the_fit_report_takes_a_pair_or_a_table_of_cells(folder: Path, tmp_path: Path) -> None:
    ours = ("--rna", folder / "rna.h5ad", "--atac", folder / "atac.h5ad")
    real = ("--real-rna", folder / "rna.h5ad", "--real-atac", folder / "atac.h5ad")
    done = bi2scope("fit-report", *ours, *real, "--out", tmp_path / "pair")
    assert done.returncode == 0, done.stderr
    assert "fit.md" in done.stdout
    assert (tmp_path / "pair" / "peak-overlap.png").is_file() == (
        "Jaccard" in (tmp_path / "pair" / "fit.md").read_text()
    )

    (tmp_path / "cells.csv").write_text("cell_type,n_genes,n_counts\nNK,10,20\nT,9,11\n")
    done = bi2scope("fit-report", *ours, "--real-cells", tmp_path / "cells.csv", "--out", tmp_path / "cells")
    assert done.returncode == 0, done.stderr

    for wrong in ((), real[:2], (*real, "--real-cells", tmp_path / "cells.csv")):
        done = bi2scope("fit-report", *ours, *wrong, "--out", tmp_path / "wrong")
        assert done.returncode == 2
        assert "--real-cells alone" in done.stderr
        assert not (tmp_path / "wrong").exists()
