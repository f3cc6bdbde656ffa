"""Large answers compressed in a thread: on the event loop a megabyte would hold all other requests up for 20 ms.

Small answers, and those that come in pieces, are left to the compression around this (:mod:`starlette_compress`), which
leaves alone what is compressed already.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping

from anyio import to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGE = 64 * 1024
"""Bytes from which on a body is compressed in a thread."""

ZSTD_LEVEL, GZIP_LEVEL = 3, 1

ARROW = ("application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.file")
KINDS = ("application/json", "text/", *ARROW)
"""Beginnings of the types that are worth it."""


def _zstd(body: bytes) -> bytes:
    from zstandard import ZstdCompressor

    return ZstdCompressor(level=ZSTD_LEVEL).compress(body)


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, GZIP_LEVEL, mtime=0)


ENCODINGS: Mapping[str, Callable[[bytes], bytes]] = {"zstd": _zstd, "gzip": _gzip}
"""What can be asked for, the best first."""


class LargeAnswers:
    """Compresses large answers of one piece, for who accepts it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, without what it accepts; hold the head of its answer until the length is known."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        encoding = accepted(Headers(scope=scope).getlist("accept-encoding"))
        scope["headers"] = [each for each in scope["headers"] if each[0] != b"accept-encoding"]
        if encoding is None:
            await self.app(scope, receive, send)
            return
        head: Message | None = None

        async def compressed(message: Message) -> None:
            nonlocal head
            if message["type"] == "http.response.start" and _is_worth_it(message):
                head = message
                return
            if head is not None:
                start, head = head, None
                if len(message.get("body", b"")) >= LARGE and not message.get("more_body", False):
                    message = {**message, "body": await to_thread.run_sync(ENCODINGS[encoding], message["body"])}
                    headers = MutableHeaders(raw=start["headers"])
                    headers["Content-Encoding"], headers["Content-Length"] = encoding, str(len(message["body"]))
                    headers.add_vary_header("Accept-Encoding")
                await send(start)
            await send(message)

        await self.app(scope, receive, compressed)


def _is_worth_it(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    return "content-encoding" not in headers and headers.get("content-type", "").startswith(KINDS)


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
