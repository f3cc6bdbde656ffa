"""The wheel holds what git holds, under the names that imports use."""

import subprocess
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("data", "model", "precompute", "server", "dashboard")


def tracked_files() -> list[str]:
    """Files that git tracks, or would: those on disk that it does not ignore."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [name for name in listed.stdout.splitlines() if (ROOT / name).exists()]


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    from hatchling.builders.wheel import WheelBuilder

    folder = tmp_path_factory.mktemp("wheel")
    (path,) = WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    return {name for name in zipfile.ZipFile(path).namelist() if ".dist-info/" not in name}


def test_the_wheel_holds_every_tracked_file_of_the_packages(wheel_names: set[str]) -> None:
    tracked = tracked_files()
    wanted = {f"bi2scope/{name}" for name in tracked if name.split("/")[0] in PACKAGES}
    wanted |= {name.removeprefix("src/") for name in tracked if name.startswith("src/") and "." in Path(name).name}
    assert wanted == {name for name in wheel_names if "__pycache__" not in name}


def test_the_wheel_carries_the_example_cells_and_their_licence(wheel_names: set[str]) -> None:
    for name in (
        "snare_cellline_mix_rna.h5ad",
        "snare_cellline_mix_atac.h5ad",
        "LICENSE-scPECA",
        "README.md",
    ):
        assert f"bi2scope/data/examples/{name}" in wheel_names


def test_example_cells_stay_under_eight_megabytes() -> None:
    files = list((ROOT / "data" / "examples").glob("*.h5ad"))
    assert files
    assert sum(file.stat().st_size for file in files) <= 8_000_000


@pytest.mark.parametrize("package", PACKAGES)
def test_the_source_folder_links_to_each_package(package: str) -> None:
    link = ROOT / "src" / "bi2scope" / package
    assert link.resolve() == ROOT / package


def test_constraints_pin_the_tested_torch() -> None:
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    assert "torch==2.13.0" in pins
    assert all("==" in pin or pin.startswith("#") for pin in pins)
