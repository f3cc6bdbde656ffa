from __future__ import annotations

import asyncio

import httpx
import pytest
from service import API
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from bi2scope.server.guards.crowding import CALLBACKS, Crowding, Room

HEAVY = f"{API}/dataset"


class Held:
    """An application that answers when it is told to, and counts."""

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self.now = self.most = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        if scope["path"] in {HEAVY, CALLBACKS}:
            await self.release.wait()
        self.now -= 1
        if scope["query_string"] == b"fail":
            raise ValueError
        await PlainTextResponse("done")(scope, receive, send)


@pytest.mark.parametrize("path", [HEAVY, CALLBACKS])
def test_the_bound_the_queue_and_the_refusal(path: str) -> None:
    async def run() -> None:
        held = Held()
        transport = httpx.ASGITransport(app=Crowding(held, Room(3, 2, 30)))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            tasks = [asyncio.create_task(client.get(path)) for _ in range(5)]
            await asyncio.sleep(0.05)
            assert held.now == 3
            refused = await client.get(path)
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
            if path == HEAVY:
                assert refused.json()["error"]["type"] == "BusyError"
            for light in (f"{API}/health", f"{API}/metrics", "/assets/a.css"):
                assert (await client.get(light)).status_code == 200
            held.release.set()
            assert [answer.status_code for answer in await asyncio.gather(*tasks)] == [200] * 5
            assert held.most <= 4  # three and a light one
            assert (await client.get(path)).status_code == 200

    asyncio.run(run())


def test_who_waits_too_long_is_refused_and_places_are_not_lost() -> None:
    async def run() -> None:
        held = Held()
        transport = httpx.ASGITransport(app=Crowding(held, Room(1, 5, 0.05)), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            first = asyncio.create_task(client.get(f"{HEAVY}?fail"))
            await asyncio.sleep(0.02)
            waited = await asyncio.gather(*(client.get(HEAVY) for _ in range(3)))
            assert [answer.status_code for answer in waited] == [503] * 3
            held.release.set()
            await first
            for _ in range(3):
                assert (await client.get(HEAVY)).status_code == 200

    asyncio.run(run())


def test_one_that_gives_up_while_it_waits_loses_no_place() -> None:
    async def run() -> None:
        held = Held()
        guard = Crowding(held, Room(1, 5, 30))
        transport = httpx.ASGITransport(app=guard)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            first = asyncio.create_task(client.get(HEAVY))
            await asyncio.sleep(0.02)
            impatient = asyncio.create_task(client.get(HEAVY))
            await asyncio.sleep(0.02)
            impatient.cancel()
            await asyncio.gather(impatient, return_exceptions=True)
            held.release.set()
            assert (await first).status_code == 200
            assert (await client.get(HEAVY)).status_code == 200
            assert guard.waiting == 0

    asyncio.run(run())
