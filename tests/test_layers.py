"""Who loads what, proved in a fresh interpreter; the import contracts themselves run in ``make lint``."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("data", "model", "precompute", "server", "dashboard")


def loaded_after(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("statement", "never"),
    [
        ("import bi2scope.cli", {"torch", "fastapi", "dash", "anndata", "pandas", "numpy", "h5py", "scanpy"}),
        ("import bi2scope.data.readers", {"torch", "fastapi", "dash", "scanpy"}),
        ("import bi2scope.data.store.reader", {"torch", "fastapi", "dash", "scanpy"}),
        ("import bi2scope.server.app", {"torch", "dash", "anndata", "scipy", "sklearn", "numba"}),
        ("import bi2scope.dashboard.app", {"torch", "h5py", "anndata", "scanpy"}),
        ("import bi2scope.precompute.build", {"fastapi", "dash", "uvicorn"}),
    ],
)
def test_a_layer_does_not_load_what_it_must_not(statement: str, never: set[str]) -> None:
    assert not loaded_after(statement) & never


@pytest.mark.parametrize("package", ["src/bi2scope", *PACKAGES])
def test_package_initialisers_hold_a_docstring_only(package: str) -> None:
    folders = [ROOT / package] if package.startswith("src") else [ROOT / package, *(ROOT / package).glob("*/")]
    for initialiser in (folder / "__init__.py" for folder in folders):
        if initialiser.exists():
            body = ast.parse(initialiser.read_text()).body
            assert len(body) == 1, initialiser
            assert isinstance(body[0], ast.Expr), initialiser


def test_no_module_outgrows_four_hundred_lines() -> None:
    modules = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    modules += [ROOT / "src" / "bi2scope" / "cli.py"]
    assert not [(str(path), n) for path in modules if (n := len(path.read_text().splitlines())) > 400]
