"""The BED files from hell, uploaded: each is answered, or refused in a sentence that names it; nothing of it fails."""

from __future__ import annotations

import gzip
import tracemalloc

import pytest
from beds import CASES
from service import API, Service, refusal

PATH = f"{API}/celltypes/B cell/tf"
ONTO_A_PEAK = b"\nchr1\t1000\t1500\tz\t5\n"


def upload(service: Service, contents: bytes, path: str = PATH) -> object:
    return service.ask("POST", path, params={"draws": 0}, files={"file": ("odd.bed", contents)})


@pytest.mark.parametrize(("contents", "whole"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_an_upload_is_answered_or_refused_in_a_sentence(service: Service, contents: bytes, whole: bool) -> None:
    answer = upload(service, contents)
    status, kind, message, _ = refusal(answer)  # none of the whole ones touches a peak
    assert (status, kind) in {(422, "RegionError"), (413, "UploadTooLargeError")}
    assert "odd.bed" in message
    assert message.endswith(".")
    assert len(message) < 500
    if status == 413:  # sound, but larger than is taken
        assert message.startswith("odd.bed")
    elif whole:
        assert message.startswith("None of the 2 intervals of odd.bed overlaps any of the 300 peaks")
    elif contents.strip() and b"\t" in contents and contents.isascii() and b"\0" not in contents:
        assert " line " in message, message


@pytest.mark.parametrize(
    "contents",
    [
        b"chr1\t10\t20\ta\t5\nchr2\t30\t45\nchr3\t1\t2\tb\t7" + ONTO_A_PEAK,  # columns that come and go
        f"chr1\t10\t{2**31}\ta\t5".encode() + ONTO_A_PEAK,
        b"chr1\t10\t20\ta\t1e308\nchr1\t1000\t1500\ta\t1e308" + ONTO_A_PEAK,  # scores whose sum is no number
        b"chr1\t1000\t1500\ta\t5e-324\n",
        (b"chr1\t1000\t1500\tz\t5\n") * 200_000,
    ],
    ids=["columns", "far end", "large scores", "small scores", "one interval 200,000 times"],
)
@pytest.mark.parametrize("aggregate", ["max", "sum"])
def test_odd_intervals_on_a_peak_are_measured_or_refused(service: Service, contents: bytes, aggregate: str) -> None:
    answer = service.ask(
        "POST", PATH, params={"draws": 9, "aggregate": aggregate}, files={"file": ("odd.bed", contents)}
    )
    assert answer.status_code in (200, 422), answer.text
    if answer.status_code == 422:
        assert refusal(answer)[2] == "The scores of the track add up to more than a number can hold."


def test_a_bomb_is_refused_within_the_bound(service: Service) -> None:
    """Three hundred megabytes of blanks in one third of a megabyte."""
    bomb = gzip.compress(b" " * (300 << 20), compresslevel=1)
    assert len(bomb) < 4 << 20
    tracemalloc.start()
    status, kind, message, _ = refusal(upload(service, bomb))
    assert tracemalloc.get_traced_memory()[1] < 3 * (256 << 20)
    tracemalloc.stop()
    assert (status, kind) == (413, "UploadTooLargeError")
    assert "odd.bed" in message
