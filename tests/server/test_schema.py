"""Random requests made from the API's own description: every answer is what the description says, and none is a 5xx."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from schemathesis_runs import Tally, run
from stores import tiny_store

from bi2scope.data.store.reader import StoreReader
from bi2scope.server.app import create_app
from bi2scope.server.settings import Settings

OF_A_STORE = r"/stores/\{store\}/"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return tiny_store(tmp_path / "tiny.h5", n_cells=6, factors=True)


def names_of(reader: StoreReader) -> dict[str, list[str]]:
    genes = [str(name) for name in reader.genes["name"][:5]]
    return {
        "store": ["tiny"],
        "cell_id": [str(name) for name in reader.cells.index],
        "cell_type": reader.cell_types,
        "gene": genes,
        "peak": [str(name) for name in reader.peaks.index[:5]],
        "chromosome": ["chr1", "X"],
        "region": ["chr1", "chr2:1,000-90,000"],
    }


def report(tally: Tally) -> str:
    return f"{tally.cases} cases; " + "\n".join(f"{key}: {text}" for key, text in list(tally.failures.items())[:10])


def test_answers_are_as_described(small: Path) -> None:
    """The addresses of the default store; examples of each parameter's bounds, and a few random requests."""
    with StoreReader.open(small) as reader:
        tally = run(
            create_app(Settings(), reader),
            names_of(reader),
            examples=1,
            phases=("examples", "fuzzing"),
            without=OF_A_STORE,
        )
    assert not tally.failures, report(tally)
    assert tally.cases >= 40


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_thousands_of_answers_are_as_described(small: Path) -> None:
    examples = int(os.environ.get("BI2SCOPE_SCHEMA_EXAMPLES", "10"))
    with StoreReader.open(small) as reader:
        app = create_app(Settings(), reader)
        tally = run(app, names_of(reader), examples=examples, phases=("examples", "coverage", "fuzzing", "stateful"))
    print(f"{tally.cases} cases")
    assert not tally.failures, report(tally)
    assert tally.cases >= 3_000
