"""HTTP as the service speaks it: uvicorn's, with bounds on the head of a request and on the time it may take."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from bi2scope.server.errors import error_response

MOST_HEAD_BYTES = 32 * 1024
"""Request line and headers, together."""

HEAD_SECONDS = 15.0
"""From the connection, or the first byte of a request, to the end of its headers."""


class BoundedHttp(HttpToolsProtocol):
    """Refuses requests whose head is too long or too slow; the parser itself has no bound on either."""

    def connection_made(self, transport: Any) -> None:
        """Expect a request."""
        super().connection_made(transport)
        self._head_bytes, self._begun = 0, False
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing more."""
        self._head_timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came; a head that has no end within bounds is refused."""
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > MOST_HEAD_BYTES:
            self._refuse(431, "The head of the request is too long.")

    def on_message_begin(self) -> None:
        """Begin to count."""
        super().on_message_begin()
        self._begun = True
        self._head_timer.cancel()
        self._expect_head()

    def on_headers_complete(self) -> None:
        """Pass the request on, unless its head was too long."""
        self._head_timer.cancel()
        self._in_head, self._head_bytes = False, 0
        if len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > MOST_HEAD_BYTES:
            self._refuse(431, "The head of the request is too long.")
            return
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP as every other error."""
        self._refuse(400, msg)

    def _expect_head(self) -> None:
        self._in_head = True
        self._head_timer: asyncio.TimerHandle = self.loop.call_later(
            HEAD_SECONDS, self._refuse, 408, "The head of the request took too long."
        )

    def _refuse(self, status: int, message: str) -> None:
        if self.transport.is_closing():
            return
        if not self._begun or not (self.cycle is None or self.cycle.response_complete):
            self.transport.close()  # nothing was asked, or another answer is on its way
            return
        names = {400: "Bad Request", 408: "Request Timeout", 431: "Request Header Fields Too Large"}
        body = bytes(error_response(status, "RequestError", message).body)
        head = f"HTTP/1.1 {status} {names[status]}\r\nContent-Type: application/json\r\n"
        self.transport.write(f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        self.transport.close()
