"""``bi2scope export``, as a user types it; every line of its page runs."""

import io
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from click.testing import Result
from stores import tiny_store
from typer.testing import CliRunner

from bi2scope import cli
from bi2scope.data.errors import Bi2scopeError, ConfigurationError, InputError, NotFoundError, StoreError
from bi2scope.data.exchange.export import FITTING
from bi2scope.export_verb import LIMITS, ROWS, Limits, Rows

PAGE = (Path(__file__).parents[1] / "docs" / "export.md").read_text()
LINES = re.findall(r"^    (bi2scope .*)$", PAGE, flags=re.MULTILINE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    tiny_store(folder / "store.h5", n_cells=15, k_max=12)
    return folder


def run(folder: Path, *arguments: str) -> Result:
    """Run the verb, with names of files meant in the folder."""
    here = [str(folder / each) if re.fullmatch(r"[a-z][\w.]*\.\w+", each) else each for each in arguments]
    return CliRunner().invoke(cli.app, ["export", *here])


def refused(folder: Path, *arguments: str) -> Bi2scopeError:
    """The error of arguments that leave nothing behind."""
    before = {each.name: each.read_bytes() for each in folder.iterdir()}
    done = run(folder, *arguments)
    assert isinstance(done.exception, Bi2scopeError), done.output
    assert {each.name: each.read_bytes() for each in folder.iterdir()} == before
    return done.exception


def test_options_are_the_fields_of_their_classes() -> None:
    assert set(ROWS) == set(Rows.__dataclass_fields__)
    assert set(LIMITS) == set(Limits.__dataclass_fields__)


@pytest.mark.parametrize("line", LINES)
def test_every_line_of_the_page_runs(folder: Path, line: str) -> None:
    words = shlex.split(line)[2:]
    done = run(folder, *words)
    assert done.exit_code == 0, done.output
    out = words[words.index("--out") + 1]
    if out == "-":
        assert len(pd.read_csv(io.StringIO(done.stdout), comment="#")) == 3 * 300
    else:
        assert (folder / out).stat().st_size > 0


def test_the_page_has_a_line_for_every_format_of_every_table() -> None:
    for kind, formats in FITTING.items():
        for form in formats:
            assert any(f"--{kind}" in line and f".{form}" in line for line in LINES), (kind, form)


def test_what_is_there_is_replaced_only_on_request(folder: Path) -> None:
    (folder / "there.csv").write_text("mine")
    asked = ("store.h5", "--peaks", "--out", "there.csv")
    assert "is there already" in refused(folder, *asked).message
    assert run(folder, *asked, "--overwrite").exit_code == 0
    assert (folder / "there.csv").read_text().startswith("# bi2scope ")


@pytest.mark.parametrize(
    ("arguments", "kind", "said"),
    [
        (["store.h5", "--out", "x.csv"], ConfigurationError, "found none of them"),
        (["store.h5", "--links", "--map", "--out", "x.csv"], ConfigurationError, "found --links and --map"),
        (["store.h5", "--links", "--out", "x.h5ad"], InputError, "h5ad cannot hold links"),
        (["store.h5", "--links", "--out", "x.csv", "--cell-types", "CD4 native"], NotFoundError, "Nearest: CD4 naive"),
        (["store.h5", "--links", "--out", "x.csv", "--threshold", "0.2"], ConfigurationError, "goes from 0.5 to 1"),
        (["store.h5", "--links", "--out", "x.csv", "--k", "0"], ConfigurationError, "starts at 1"),
        (["store.h5", "--map", "--out", "x.csv", "--k", "60"], InputError, "did not keep"),
        (["store.h5", "--peaks", "--out", "x.csv", "--head", "3"], NotFoundError, "head"),
        (["none.h5", "--peaks", "--out", "x.csv"], StoreError, "none.h5"),
    ],
)
def test_mistakes_are_told_in_words(folder: Path, arguments: list[str], kind: type, said: str) -> None:
    error = refused(folder, *arguments)
    assert isinstance(error, kind)
    assert said in str(error)


def test_a_reader_that_has_enough_ends_it_quietly(folder: Path) -> None:
    command = [sys.executable, "-m", "bi2scope", "export", str(folder / "store.h5"), "--links", "--out", "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b"# bi2scope")
        process.stdout.close()
        said = process.stderr.read().decode()
        assert process.wait(60) == 0
    assert "Error" not in said


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_a_full_device_at_standard_output_is_told_in_words(folder: Path) -> None:
    command = [sys.executable, "-m", "bi2scope", "export", str(folder / "store.h5"), "--links", "--out", "-"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert "error: Standard output cannot be written: No space left on device." in done.stderr
    assert "Traceback" not in done.stderr
