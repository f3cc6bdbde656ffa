"""A bound on the requests that are worked on at once; a few more may wait a while, the rest is told to come back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from bi2scope.server.errors import API
from bi2scope.server.guards.refusals import Refusal

LIGHT = tuple(f"{API}/v1/{name}" for name in ("health", "version", "metrics", "openapi.json", "docs"))
"""Addresses that are always answered: they tell of the service, and cost nothing."""

CALLBACKS, SCREEN = "/_dash-update-component", "/screen/"
"""Where the screen's requests come in; all else outside the API is a file."""


@dataclass(frozen=True)
class Room:
    """How many requests may run, how many may wait, and for how many seconds."""

    running: int
    waiting: int
    seconds: float


class Crowding:
    """Lets so many requests run at once as there is room for."""

    def __init__(self, app: ASGIApp, room: Room) -> None:
        self.app, self.room = app, room
        self.waiting = 0
        self._free = asyncio.Semaphore(room.running)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on when there is room, or refuse it."""
        if scope["type"] != "http" or not is_heavy(scope["path"]):
            await self.app(scope, receive, send)
            return
        async with self._place() as placed:
            await (self.app if placed else CROWDED)(scope, receive, send)

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[bool]:
        """A place among the running requests; ``False`` if none came free in time."""
        placed = await self._wait()
        try:
            yield placed
        finally:
            if placed:
                self._free.release()

    async def _wait(self) -> bool:
        if self._free.locked() and self.waiting >= self.room.waiting:
            return False
        self.waiting += 1
        try:
            async with asyncio.timeout(self.room.seconds):
                return await self._free.acquire()
        except TimeoutError:
            return False
        finally:
            self.waiting -= 1


def is_heavy(path: str) -> bool:
    """Whether a request may cost something."""
    return path == CALLBACKS or path.startswith(SCREEN) or (path.startswith(API) and not path.startswith(LIGHT))


CROWDED = Refusal(
    503,
    "BusyError",
    "The service works on as many requests as it takes at once.",
    "Ask again in a moment.",
    {"Retry-After": "1"},
)
