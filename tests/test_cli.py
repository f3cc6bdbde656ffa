"""The command: what it prints, what it refuses, and with which exit code."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bi2scope import cli
from bi2scope.data.errors import Bi2scopeError


def bi2scope(
    *arguments: str, cwd: Path | None = None, env: dict[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "bi2scope", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=env)


def refused(*arguments: str, code: int) -> str:
    """Run, expect an exit code and one plain message; give the message."""
    done = bi2scope(*arguments)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("error: ")
    return done.stderr


def test_help_names_every_verb() -> None:
    done = CliRunner().invoke(cli.app, ["--help"])
    assert done.exit_code == 0
    for verb in ("train", "precompute", "check", "info", "serve", "demo"):
        assert verb in done.output


def test_version_is_the_installed_one() -> None:
    from importlib.metadata import version

    assert CliRunner().invoke(cli.app, ["--version"]).output.strip() == f"bi2scope {version('bi2scope')}"


def test_every_error_class_has_an_exit_code() -> None:
    def classes(kind: type[Bi2scopeError]) -> list[type[Bi2scopeError]]:
        return [kind, *(below for child in kind.__subclasses__() for below in classes(child))]

    for kind in classes(Bi2scopeError):
        assert next(code for base, code in cli.EXIT_CODES if issubclass(kind, base)) > 0


def test_an_output_that_is_there_is_refused_before_any_work(tmp_path: Path) -> None:
    out = tmp_path / "model.safetensors"
    out.write_text("precious")
    said = refused("train", "--rna", "no.h5ad", "--atac", "no.h5ad", "--out", str(out), code=2)
    assert "is there already" in said
    assert "--overwrite" in said
    assert out.read_text() == "precious"


@pytest.mark.parametrize(("settled", "waits"), [(None, "PASSIVE"), ("active", "ACTIVE")])
def test_threads_of_torch_sleep_while_they_wait(tmp_path: Path, settled: str | None, waits: str) -> None:
    own = {key: value for key, value in os.environ.items() if key != "OMP_WAIT_POLICY"}
    own |= {"OMP_DISPLAY_ENV": "true"} | ({"OMP_WAIT_POLICY": settled} if settled else {})
    train = ["train", "--rna", "no.h5ad", "--atac", "no.h5ad", "--out", str(tmp_path / "model.safetensors")]
    done = bi2scope(*train, env=own)
    assert "no.h5ad" in done.stderr
    if sys.platform.startswith("linux"):  # whose OpenMP, GNU's, says what it was set to
        assert f"OMP_WAIT_POLICY = '{waits}'" in done.stderr


def test_a_missing_input_is_named(tmp_path: Path) -> None:
    out = tmp_path / "m.safetensors"
    said = refused("train", "--rna", "nowhere.h5ad", "--atac", "nowhere.h5ad", "--out", str(out), code=2)
    assert "nowhere.h5ad" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("verb", ["info", "check", "serve"])
def test_what_is_not_a_store_is_refused(verb: str, tmp_path: Path) -> None:
    text = tmp_path / "notes.h5"
    text.write_text("not HDF5")
    assert "notes.h5" in refused(verb, str(text), code=3)
    assert "gone.h5" in refused(verb, str(tmp_path / "gone.h5"), code=3)


def test_a_checkpoint_that_is_not_one_is_refused(tmp_path: Path) -> None:
    from bi2scope.data.examples.pair import example_pair

    rna, atac = map(str, example_pair())
    model = tmp_path / "model.safetensors"
    model.write_bytes(b"\x80\x04pickle")
    out = tmp_path / "store.h5"
    said = refused("precompute", "--model", str(model), "--rna", rna, "--atac", atac, "--out", str(out), code=2)
    assert "model.safetensors" in said
    assert not out.exists()


def test_a_port_in_use_is_refused_with_the_next_one(tmp_path: Path) -> None:
    import socket

    from stores import tiny_store

    store = tmp_path / "store.h5"
    tiny_store(store)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = refused("serve", str(store), "--port", str(port), "--no-open", code=2)
    assert str(port) in said
    assert "--port" in said


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def no_torch() -> None:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr(cli, "app", no_torch)
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 1
    assert "pip install 'bi2scope[model]'" in capsys.readouterr().err


def test_an_unknown_module_is_a_defect_and_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ModuleNotFoundError("No module named 'bi2scope.nowhere'", name="bi2scope.nowhere")

    monkeypatch.setattr(cli, "app", broken)
    with pytest.raises(ModuleNotFoundError):
        cli.main()


def test_cells_without_types_are_refused_by_train_and_clustered_by_prepare(tmp_path: Path) -> None:
    import anndata

    from bi2scope.data.examples.pair import example_pair

    for path, name in zip(example_pair(), ("rna", "atac"), strict=True):
        cells = anndata.read_h5ad(path)[:80].copy()
        del cells.obs["cell_type"]
        cells.write_h5ad(tmp_path / f"{name}.h5ad")
    pair = ("--rna", str(tmp_path / "rna.h5ad"), "--atac", str(tmp_path / "atac.h5ad"))
    model, prepared = tmp_path / "model.safetensors", tmp_path / "prepared.h5"
    said = refused("train", *pair, "--out", str(model), code=2)
    assert "cell_type" in said
    assert "bi2scope prepare" in said
    assert not model.exists()
    done = bi2scope("prepare", *pair, "--out", str(prepared))
    assert done.returncode == 0, done.stderr
    assert "Leiden clusters" in done.stderr
    assert prepared.exists()
