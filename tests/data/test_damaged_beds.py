"""A hundred BED files from hell: each is read rightly or refused in one clear sentence that names it."""

from __future__ import annotations

import gzip
import io
import tracemalloc

import numpy as np
import pytest
from beds import CASES, ROWS

from bi2scope.data.errors import RegionError
from bi2scope.data.regions import MAX_BED_BYTES, read_bed


def test_there_are_a_hundred() -> None:
    assert len(CASES) >= 100
    assert len({name for name, _, _ in CASES}) == len(CASES)


@pytest.mark.parametrize(("contents", "whole"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_it_is_read_rightly_or_refused_in_a_sentence(contents: bytes, whole: bool) -> None:
    if whole:
        found = read_bed(io.BytesIO(contents), "odd.bed").intervals
        assert found[["chrom", "start", "end", "score"]].to_numpy().tolist() == ROWS
        assert found["start"].dtype == np.int64
        return
    with pytest.raises(RegionError) as refused:
        read_bed(io.BytesIO(contents), "odd.bed")
    message = refused.value.message
    assert "odd.bed" in message
    assert message.endswith(".")
    assert "\n" not in message
    assert len(message) < 400
    assert not any(raw in str(refused.value) for raw in ("Traceback", "Error(", "NoneType", "dtype"))


def test_a_bomb_is_not_unpacked() -> None:
    """A gigabyte of zeros in a megabyte: reading stops at the bound."""
    packed = io.BytesIO()
    with gzip.open(packed, "wb", compresslevel=1) as file:
        for _ in range(MAX_BED_BYTES // 2**24 + 4):
            file.write(bytes(2**24))
    assert len(packed.getvalue()) < 4 * 2**20
    tracemalloc.start()
    with pytest.raises(RegionError, match=r"bomb\.bed is larger than 256 MB unpacked"):
        read_bed(io.BytesIO(packed.getvalue()), "bomb.bed")
    assert tracemalloc.get_traced_memory()[1] < 3 * MAX_BED_BYTES
    tracemalloc.stop()
