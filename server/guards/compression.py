"""Large answers compressed in a thread: on the event loop a megabyte would hold all other requests up for 20 ms.

So are answers that come in pieces, a piece at a time. Small ones are left to the compression around this
(:mod:`starlette_compress`), which leaves alone what is compressed already.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from typing import Protocol

from anyio import to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGE = 64 * 1024
"""Bytes from which on a body, or a piece of one, is compressed in a thread."""

ZSTD_LEVEL, GZIP_LEVEL = 3, 1

ARROW = ("application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.file")
KINDS = ("application/json", "text/", *ARROW)
"""Beginnings of the types that are worth it."""

AT_ONCE = "text/event-stream"
"""A type whose pieces are waited for one by one; none may stay in a compressor."""


class Compressor(Protocol):
    """What compresses one body, piece by piece."""

    def compress(self, piece: bytes, /) -> bytes:
        """What may be sent of all pieces so far."""

    def flush(self) -> bytes:
        """The rest."""


def _zstd(size: int) -> Compressor:
    from zstandard import ZstdCompressor

    compressor: Compressor = ZstdCompressor(level=ZSTD_LEVEL).compressobj(size=size)
    return compressor


def _gzip(size: int) -> Compressor:
    return zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, 16 + zlib.MAX_WBITS)


ENCODINGS: Mapping[str, Callable[[int], Compressor]] = {"zstd": _zstd, "gzip": _gzip}
"""What can be asked for, the best first: compressors of a body of so many bytes, -1 where that is not known."""


class LargeAnswers:
    """Compresses large answers, and those that come in pieces, for who accepts it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, without what it accepts; hold the head of its answer until the length is known."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        encoding = accepted(Headers(scope=scope).getlist("accept-encoding"))
        scope["headers"] = [each for each in scope["headers"] if each[0] != b"accept-encoding"]
        await self.app(scope, receive, send if encoding is None else _Answer(encoding, send).send)


class _Answer:
    """One answer on its way out."""

    def __init__(self, encoding: str, send: Send) -> None:
        self._encoding, self._send = encoding, send
        self._head: Message | None = None
        self._compressor: Compressor | None = None

    async def send(self, message: Message) -> None:
        """Send on: the head with the first piece of the body, if that may be compressed."""
        if message["type"] == "http.response.start" and _is_worth_it(message):
            self._head = message
            return
        if message["type"] != "http.response.body":
            await self._send(message)
            return
        body, more = message.get("body", b""), message.get("more_body", False)
        head, self._head = self._head, None
        if head is not None and (more or len(body) >= LARGE):
            self._compressor = ENCODINGS[self._encoding](-1 if more else len(body))
        if self._compressor is not None:
            body = await self._compressed(self._compressor, body, more)
            message = {**message, "body": body}
        if head is not None:
            await self._send(head if self._compressor is None else self._changed(head, None if more else len(body)))
        await self._send(message)

    async def _compressed(self, compressor: Compressor, body: bytes, more: bool) -> bytes:
        def work() -> bytes:
            return compressor.compress(body) + (b"" if more else compressor.flush())

        return work() if len(body) < LARGE else await to_thread.run_sync(work)

    def _changed(self, head: Message, length: int | None) -> Message:
        """The head of the answer as it is now; without a length where that is not known yet."""
        headers = MutableHeaders(raw=[each for each in head["headers"] if each[0].lower() != b"content-length"])
        headers["Content-Encoding"] = self._encoding
        if length is not None:
            headers["Content-Length"] = str(length)
        headers.add_vary_header("Accept-Encoding")
        return {**head, "headers": headers.raw}


def _is_worth_it(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    kind = headers.get("content-type", "")
    return "content-encoding" not in headers and kind.startswith(KINDS) and not kind.startswith(AT_ONCE)


def accepted(given: list[str]) -> str | None:
    """The best encoding that ``Accept-Encoding`` takes; ``None`` for none of these.

    Examples
    --------
    >>> accepted(["gzip, br;q=0.5, zstd;q=0"])
    'gzip'
    """
    takes = {}
    for coding in ",".join(given).split(","):
        name, _, rest = coding.partition(";")
        _, _, quality = rest.replace(" ", "").partition("q=")
        takes[name.strip().lower()] = quality.strip("0.") != "" if quality else True
    return next((name for name in ENCODINGS if takes.get(name, takes.get("*", False))), None)
