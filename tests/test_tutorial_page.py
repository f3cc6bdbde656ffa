"""The tutorial: its lines run in their order on files of those names, its Python on what they write."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from multiomes import as_anndata, random_multiome
from typer.testing import CliRunner

from bi2scope import cli

PAGE = Path(__file__).parents[1] / "docs" / "tutorial.md"
TEXT = PAGE.read_text()
LINES = re.findall(r"^    bi2scope (.*)$", TEXT, flags=re.MULTILINE)
PYTHON = re.findall(r"^```python\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)


def test_every_line_runs_after_those_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rna, atac = as_anndata(random_multiome(2, n_cells=60, n_genes=24, n_peaks=40))
    rna.write_h5ad("rna.h5ad")
    atac.write_h5ad("atac.h5ad")
    verbs = []
    for line in LINES:
        verb, *arguments = shlex.split(line)
        verbs.append(verb)
        if verb == "serve":
            assert Path(arguments[0]).exists()
            continue
        quick = ["--epochs", "1"] if verb == "train" else []
        done = CliRunner().invoke(cli.app, [verb, *arguments, *quick])
        assert done.exit_code == 0, (line, done.output, done.exception)
    assert set(verbs) == {"prepare", "train", "precompute", "check", "info", "serve", "export"}
    for part in PYTHON:
        exec(compile(part, str(PAGE), "exec"), {})


def test_every_picture_and_page_is_there() -> None:
    found = re.findall(r"\]\(([^)#]+\.(?:png|md))", TEXT)
    assert sum(one.endswith(".png") for one in found) >= 4
    for one in found:
        assert (PAGE.parent / one).exists(), one
