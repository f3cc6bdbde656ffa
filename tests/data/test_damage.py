"""Hundreds of damaged and odd files: each gives the right answer, or one clear sentence; never a wrong answer."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from damage import base, cases, make
from formats import FORMATS, write_as

from bi2scope.data.errors import Bi2scopeError
from bi2scope.data.multiome import Multiome
from bi2scope.data.reading import read_multiome

CASES = cases()
RAW = ("Traceback", "Error(", "object at 0x", "NoneType", "dtype('")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("good")
    return {kind: write_as(kind, folder / kind.replace(" ", "_"), base()) for kind in FORMATS}


def test_there_are_many_cases_of_every_format():
    assert len(CASES) >= 200
    assert {case.kind for case in CASES} == set(FORMATS)
    assert len({(case.kind, case.name) for case in CASES}) == len(CASES)


def check_refusal(error: Bi2scopeError, folder: str) -> None:
    assert error.message[0].isupper() or error.message.startswith(folder), error.message
    assert error.message.rstrip().endswith((".", "?")), error.message
    assert "\n" not in error.message
    assert folder in str(error), "the message names no file"
    assert not any(text in str(error) for text in RAW), error.message


def check_answer(found: Multiome, truth: Multiome) -> None:
    """Counts, names and places are the truth's; what a file lost may be missing aloud, and is never made up."""
    notes = " ".join(found.notes)
    assert list(found.cells.index) == list(truth.cells.index)
    assert list(found.genes.index) == list(truth.genes.index)
    assert list(found.peaks.index) == list(truth.peaks.index)
    for column in ("chrom", "start", "end"):
        assert list(found.genes[column]) == list(truth.genes[column])
        assert list(found.peaks[column]) == list(truth.peaks[column])
    for ours, theirs in ((found.rna, truth.rna), (found.atac, truth.atac)):
        np.testing.assert_array_equal(ours.toarray(), theirs.toarray())
        assert ours.has_canonical_format
        assert (ours.data != 0).all()
        assert ours.dtype == np.float32
    if "No cell types are given" in notes:
        assert all(name.startswith("cluster ") for name in found.cell_types)
    else:
        assert list(found.cells["cell_type"].astype(str)) == list(truth.cells["cell_type"].astype(str))
    strands = list(found.genes["strand"])
    assert strands in (list(truth.genes["strand"]), ["."] * truth.n_genes)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kind}: {case.name}")
def test_a_damaged_file_is_refused_clearly_or_read_rightly(case, tmp_path, written):
    with warnings.catch_warnings():
        source, truth = make(case, tmp_path, written)
    found, refusal = None, None
    try:
        found = read_multiome(source)
    except Bi2scopeError as error:
        refusal = error
    if found is None:
        assert refusal is not None
        assert case.expected is None or case.may_be_refused, f"refused: {refusal}"
        check_refusal(refusal, str(tmp_path))
    else:
        assert case.expected is not None, f"read, with the notes {found.notes}"
        check_answer(found, case.expected(truth))
