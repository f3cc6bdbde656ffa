"""The compose file fits its specification, the Dockerfile passes hadolint, their commands are those of the program."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from bi2scope.cli import app

ROOT = Path(__file__).parents[1]
COMPOSE, DOCKERFILE = ROOT / "docker-compose.yml", ROOT / "Dockerfile"


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe").load(COMPOSE)["services"]
    return found


def test_the_compose_file_fits_the_specification() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


def test_the_dockerfile_passes_hadolint() -> None:
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if hadolint is None and sys.platform != "linux":
        pytest.skip("hadolint is installed on Linux alone")
    assert hadolint
    checked = subprocess.run([hadolint, str(DOCKERFILE)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


def test_every_service_is_sealed(services: dict[str, Any]) -> None:
    assert {"precompute", "precompute-gpu", "server", "dashboard"} == set(services)
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
    user = re.findall(r"^USER (\S+)$", DOCKERFILE.read_text(), re.MULTILINE)
    assert user == ["10001:10001"]


def test_stages_are_those_that_are_built(services: dict[str, Any]) -> None:
    stages = set(re.findall(r"^FROM \S+ AS (\S+)$", DOCKERFILE.read_text(), re.MULTILINE))
    assert {service["build"]["target"] for service in services.values()} <= stages


def test_serving_stages_install_no_torch() -> None:
    installed = dict(re.findall(r"FROM source AS install-(\w+)\nRUN .*'\.\[(\w+)\]'", DOCKERFILE.read_text()))
    assert installed == {"precompute": "model", "server": "server", "dashboard": "dashboard"}


@pytest.mark.parametrize("name", ["server", "dashboard"])
def test_commands_are_the_program_s(name: str, services: dict[str, Any]) -> None:
    verb, *options = services[name]["command"]
    told = CliRunner().invoke(app, [verb, "--help"], env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}).output
    for flag in (option for option in options if option.startswith("--")):
        assert flag in told
    assert services[name]["healthcheck"]["test"][:3] == ["CMD", "python", "-c"]
    assert [verb, *options[:-1]] == _cmd(name)[: len(options)]


def _cmd(stage: str) -> list[str]:
    """The command of a stage of the Dockerfile."""
    text = DOCKERFILE.read_text().split(f" AS {stage}\n", 1)[1]
    return re.findall(r'"([^"]+)"', re.search(r"^CMD (.*)$", text, re.MULTILINE)[1])  # type: ignore[index]
