"""What docs/troubleshooting.md quotes is what the program says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "troubleshooting.md"
SOURCES = ("data", "model", "precompute", "server", "dashboard", "src/bi2scope")
QUOTED = re.compile(r"^\| `([^`]+)`", re.MULTILINE)


@pytest.fixture(scope="module")
def texts() -> str:
    """Everything that the program may say: its code with string literals that continue over lines put together."""
    files = [path for folder in SOURCES for path in sorted((ROOT / folder).rglob("*.py"))]
    code = "\n".join(path.read_text("utf-8") for path in [*files, ROOT / "Makefile"])
    return re.sub(r'"\s*\n\s*f?"', "", code)


@pytest.mark.parametrize("quoted", QUOTED.findall(PAGE.read_text("utf-8")))
def test_a_quoted_message_is_one_of_the_program(quoted: str, texts: str) -> None:
    assert quoted in texts


def test_the_page_quotes_messages() -> None:
    assert len(QUOTED.findall(PAGE.read_text("utf-8"))) >= 20
