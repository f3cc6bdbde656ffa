"""Large answers, and large pieces, are compressed in a thread; small answers are left alone."""

from __future__ import annotations

import gzip
import threading
from typing import Any

import pytest
import zstandard
from service import Service
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from bi2scope.server.guards import compression
from bi2scope.server.guards.compression import LARGE, LargeAnswers, accepted

BODY = b'{"score":0.75}' * LARGE


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ([], None),
        (["br, deflate"], None),
        (["gzip"], "gzip"),
        (["GZIP;q=0.2", "zstd"], "zstd"),
        (["zstd;q=0, *"], "gzip"),
        (["zstd;q=0.0, gzip;q=0.00"], None),
        (["zstd; q=0.001"], "zstd"),
        (["identity;q=1, *;q=0"], None),
        (["*"], "zstd"),
        (["gzip;;=,"], "gzip"),
    ],
)
def test_what_is_accepted(given: list[str], wanted: str | None) -> None:
    assert accepted(given) == wanted


def sent(response: Response, accept: str, seen: list[Any] | None = None) -> tuple[dict[str, str], bytes]:
    """Headers and raw body of a response behind the guard."""
    messages: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        (seen if seen is not None else []).extend(scope["headers"])
        await response(scope, receive, send)

    async def outside(scope: Scope, receive: Receive, send: Send) -> None:
        async def keep(message: Any) -> None:
            messages.append(message)
            await send(message)

        await LargeAnswers(app)(scope, receive, keep)

    answer = Service(outside).ask("GET", "/", headers={"accept-encoding": accept})
    return dict(answer.headers), b"".join(each.get("body", b"") for each in messages)


@pytest.mark.parametrize(
    ("accept", "unpack"), [("gzip", gzip.decompress), ("gzip, zstd", zstandard.ZstdDecompressor().decompress)]
)
def test_large_bodies_are_compressed_off_the_event_loop(
    monkeypatch: pytest.MonkeyPatch, accept: str, unpack: Any
) -> None:
    encoding = accepted([accept])
    assert encoding is not None
    threads: list[threading.Thread] = []

    watch(monkeypatch, encoding, threads)
    response = Response(BODY, media_type="application/json", headers={"Vary": "Accept"})
    headers, body = sent(response, accept)
    assert headers["content-encoding"] == encoding
    assert headers["content-length"] == str(len(body))
    assert headers["vary"] == "Accept, Accept-Encoding"
    assert unpack(body) == BODY
    assert [thread is threading.main_thread() for thread in threads] == [False]


def watch(monkeypatch: pytest.MonkeyPatch, encoding: str, threads: list[threading.Thread]) -> None:
    """Note in which threads pieces are compressed."""
    real = compression.ENCODINGS[encoding]

    class Watched:
        def __init__(self, size: int) -> None:
            self.compressor = real(size)

        def compress(self, piece: bytes) -> bytes:
            threads.append(threading.current_thread())
            return self.compressor.compress(piece)

        def flush(self) -> bytes:
            return self.compressor.flush()

    monkeypatch.setattr(compression, "ENCODINGS", {**compression.ENCODINGS, encoding: Watched})


def pieces() -> Any:
    yield BODY[:10]
    yield BODY
    yield b""
    yield BODY


def unzstd(body: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompressobj().decompress(body)


@pytest.mark.parametrize(("encoding", "unpack"), [("gzip", gzip.decompress), ("zstd", unzstd)])
@pytest.mark.parametrize("head", [{}, {"Content-Length": str(2 * len(BODY) + 10)}])
def test_large_pieces_are_compressed_off_the_event_loop(
    monkeypatch: pytest.MonkeyPatch, encoding: str, unpack: Any, head: dict[str, str]
) -> None:
    threads: list[threading.Thread] = []
    watch(monkeypatch, encoding, threads)
    headers, body = sent(StreamingResponse(pieces(), media_type="text/csv", headers=head), encoding)
    assert headers["content-encoding"] == encoding
    assert headers["vary"] == "Accept-Encoding"
    assert "content-length" not in headers
    assert unpack(body) == BODY[:10] + BODY + BODY
    assert len(body) < len(BODY) / 5
    assert [thread is threading.main_thread() for thread in threads] == [True, False, True, False, True]


@pytest.mark.parametrize(
    ("response", "accept"),
    [
        (Response(BODY, media_type="application/json"), "identity"),
        (Response(BODY, media_type="image/png"), "gzip"),
        (Response(BODY[: LARGE - 1], media_type="application/json"), "gzip"),
        (Response(status_code=304), "gzip"),
        (StreamingResponse(iter([BODY, BODY]), media_type="text/event-stream"), "gzip"),
        (StreamingResponse(iter([BODY, BODY]), media_type="image/png"), "gzip"),
        (StreamingResponse(iter([BODY, BODY]), media_type="text/csv"), "identity"),
    ],
)
def test_all_else_is_left_as_it_is(response: Response, accept: str) -> None:
    headers, body = sent(response, accept)
    assert "content-encoding" not in headers
    assert body in (BODY, BODY[: LARGE - 1], b"", BODY + BODY)


def test_nobody_behind_it_compresses() -> None:
    seen: list[Any] = []
    sent(Response(b"{}", media_type="application/json"), "gzip", seen)
    assert not [name for name, _ in seen if name == b"accept-encoding"]
