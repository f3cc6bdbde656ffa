from __future__ import annotations

import gzip
import io

import pytest
from service import API, Service, refusal

from bi2scope.data.store.reader import StoreReader
from bi2scope.server.app import create_app
from bi2scope.server.errors import UploadTooLargeError
from bi2scope.server.settings import Settings
from bi2scope.server.unpacking import Most, require_bounded

MOST = Most(1000, 30)
LINE = b"chr1\t0\t9\n"


@pytest.mark.parametrize(
    "contents",
    [LINE * 1000, gzip.compress(LINE * 1000, mtime=0), b"", b"\x1f\x8bdamaged", LINE * 20 + b"\0"],
    ids=["plain", "gzipped", "empty", "damaged", "binary"],
)
def test_what_is_within_bounds_passes(contents: bytes) -> None:
    require_bounded(contents, "a.bed", MOST)


@pytest.mark.parametrize(
    ("contents", "said"),
    [
        (LINE * 1001, "more than the 1,000 lines"),
        (gzip.compress(LINE * 1001, mtime=0), "more than the 1,000 lines"),
        (LINE.replace(b"\n", b"\r") * 1001, "more than the 1,000 lines"),
        (b"\t" * 20_000, "more than 12,000 columns"),
        (b"x" * (5 << 20), "a line of more than"),
        (gzip.compress(b"x" * (1 << 27), mtime=0), "a line of more than"),
    ],
    ids=["lines", "gzipped lines", "lines of old Macs", "columns", "one line", "one line, gzipped"],
)
def test_what_is_not_is_refused(contents: bytes, said: str) -> None:
    with pytest.raises(UploadTooLargeError, match=said):
        require_bounded(contents, "a.bed", MOST)


def test_unpacking_stops_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file that unpacks to a gigabyte is not unpacked: few pieces of it are read."""
    read = 0
    packed = gzip.compress(LINE * 2_000_000)
    read_method = gzip.GzipFile.read

    def counted(self: gzip.GzipFile, size: int = -1) -> bytes:
        nonlocal read
        piece = read_method(self, size)
        read += len(piece)
        return piece

    monkeypatch.setattr(gzip.GzipFile, "read", counted)
    with pytest.raises(UploadTooLargeError):
        require_bounded(packed, "a.bed", MOST)
    assert 0 < read <= 2 << 20


def test_seconds_are_bounded() -> None:
    with pytest.raises(UploadTooLargeError, match="takes longer than 0 seconds"):
        require_bounded(LINE * 100, "a.bed", Most(1000, 0))


def test_an_upload_of_too_many_lines_is_refused_and_nothing_is_written(
    reader: StoreReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Service(create_app(Settings(max_upload_lines=10), reader))
    monkeypatch.setattr("tempfile.TemporaryFile", lambda *_, **__: 1 / 0)
    for path in (f"{API}/tracks", f"{API}/celltypes/B cell/tf"):
        answer = service.ask("POST", path, files={"file": ("a.bed", io.BytesIO(LINE * 11))})
        assert refusal(answer)[:2] == (413, "UploadTooLargeError")
        assert "BI2SCOPE_MAX_UPLOAD_LINES" in refusal(answer)[3]


def test_uploads_are_not_held_by_one_of_several_processes(reader: StoreReader) -> None:
    service = Service(create_app(Settings(workers=2), reader))
    status, _, message, hint = refusal(service.ask("POST", f"{API}/tracks", files={"file": ("a.bed", LINE)}))
    assert (status, message[:29]) == (422, "This service runs 2 processes")
    assert "--tracks" in hint
