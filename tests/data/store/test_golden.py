"""The store of format 1 that was written when the format was released still reads as it did."""

import importlib.util
import json
from pathlib import Path

import numpy as np

from bi2scope.data.store.check import CheckOptions, check_store

ROOT = Path(__file__).parents[3]
STORE = ROOT / "tests" / "golden" / "store-format1.h5"


def test_the_golden_store_is_sound() -> None:
    assert STORE.stat().st_size < 300_000
    assert check_store(STORE, CheckOptions(full=True)) == []


def test_the_golden_store_says_what_it_said() -> None:
    spec = importlib.util.spec_from_file_location("golden_store", ROOT / "scripts" / "golden_store.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    found = json.loads(json.dumps(script.found_in(STORE)))
    wanted = json.loads(STORE.with_suffix(".json").read_text(encoding="utf-8"))
    expected = "expected of B cell"
    np.testing.assert_allclose(found.pop(expected), wanted.pop(expected), rtol=1e-6)
    assert found == wanted
    assert wanted["cell 4, kept"]["logit"][:2]
    assert max(wanted["cell 4, beyond k_max"]["rank"]) > 4
