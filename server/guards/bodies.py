"""Bounds on what a client sends, and on how long it may take to send it and to take the answer."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bi2scope.server.errors import ClientGoneError, SlowClientError, UploadTooLargeError
from bi2scope.server.guards.refusals import Refusal, header

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Patience:
    """Bytes of a request's body, and seconds between two pieces of a body, either way."""

    most_bytes: int
    seconds: float


class Bodies:
    """Cuts bodies off that are too long, and clients that are too slow."""

    def __init__(self, app: ASGIApp, patience: Patience) -> None:
        self.app, self.patience = app, patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, its body and its answer watched."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        length = header(scope, b"content-length") or ""
        if length.isdigit() and int(length) > self.patience.most_bytes:
            await _too_long(self.patience.most_bytes)(scope, receive, send)
            return
        watched = _Exchange(self.patience, receive, send)
        try:
            await self.app(scope, watched.receive, watched.send)
        except ClientGoneError as error:
            logger.warning("%s %s: %s", scope["method"], scope["path"], error)


class _Exchange:
    """One request and its answer."""

    def __init__(self, patience: Patience, receive: Receive, send: Send) -> None:
        self._patience, self._receive, self._send = patience, receive, send
        self._received = 0
        self._complete = False
        self._started = False

    async def receive(self) -> Message:
        """The next piece of the body, in time and within bounds; what follows it may take as long as it likes."""
        if self._complete or self._answering():
            return await self._receive()
        try:
            async with asyncio.timeout(self._patience.seconds):
                message = await self._receive()
        except TimeoutError:
            if self._answering():  # who waits here waits for the client to leave
                return await self._receive()
            raise SlowClientError(
                f"Nothing of the request's body came for {self._patience.seconds:g} seconds.", "Send it again."
            ) from None
        self._complete = not message.get("more_body", False)
        self._received += len(message.get("body", b""))
        if self._received > self._patience.most_bytes:
            raise UploadTooLargeError(f"The request's body is longer than {self._patience.most_bytes:,} bytes.")
        return message

    def _answering(self) -> bool:
        return self._started

    async def send(self, message: Message) -> None:
        """Send a piece of the answer; a client that does not take it in time is given up."""
        self._started = True
        try:
            async with asyncio.timeout(self._patience.seconds):
                await self._send(message)
        except TimeoutError:
            raise ClientGoneError(f"the client took nothing of the answer for {self._patience.seconds:g} s") from None


def _too_long(most: int) -> Refusal:
    return Refusal(
        413,
        "UploadTooLargeError",
        f"The request's body is longer than {most:,} bytes.",
        "Compress the file with gzip, or raise BI2SCOPE_MAX_UPLOAD_BYTES.",
        {"Connection": "close"},
    )
