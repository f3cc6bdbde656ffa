from __future__ import annotations

import asyncio
import socket

import pytest
from asgi import ask, reached
from service import refusal
from starlette.types import Message

from bi2scope.server.guards.hosts import Hosts


@pytest.mark.parametrize(
    ("listening", "asked"),
    [
        ("127.0.0.1", "127.0.0.1:8050"), ("127.0.0.1", "localhost"), ("127.0.0.1", "LOCALHOST.:8050"),
        ("127.0.0.1", "[::1]:9"),
        ("192.168.1.5", "192.168.1.5:8050"), ("192.168.1.5", "localhost:8050"), ("lab", "lab:1"),
        ("127.0.0.1", "scope.example.org"), ("0.0.0.0", "10.1.2.3:8050"), ("::", "[fe80::1]:8050"),
        ("0.0.0.0", f"{socket.gethostname()}:8050"),
    ],
)  # fmt: skip
def test_own_names_are_let_through(listening: str, asked: str) -> None:
    guard = Hosts(reached, listening, ["Scope.example.org"])
    assert ask(guard, "/api/v1/x", headers={"Host": asked}).text == "reached GET /api/v1/x"


@pytest.mark.parametrize(
    ("listening", "asked", "status"),
    [
        ("127.0.0.1", "evil.example", 421), ("127.0.0.1", "127.0.0.1.evil.example:8050", 421),
        ("127.0.0.1", "localhost.evil.example", 421), ("127.0.0.1", "10.1.2.3", 421), ("0.0.0.0", "evil.example", 421),
        ("192.168.1.5", "192.168.1.6", 421), ("127.0.0.1", "", 400), ("127.0.0.1", "localhost/x", 400),
        ("127.0.0.1", "evil.example@localhost", 400), ("127.0.0.1", "localhost, evil.example", 400),
    ],
)  # fmt: skip
def test_a_strangers_name_is_refused(listening: str, asked: str, status: int) -> None:
    guard = Hosts(reached, listening)
    found, kind, _, _ = refusal(ask(guard, "/api/v1/x", headers={"Host": asked}))
    assert (found, kind) == (status, "HostError")
    page = ask(guard, "/", headers={"Host": asked})
    assert (page.status_code, page.headers["content-type"]) == (status, "text/plain; charset=utf-8")


def test_two_host_headers_are_none() -> None:
    scope = {
        "type": "http",
        "path": "/",
        "headers": [(b"host", b"localhost"), (b"host", b"localhost")],
        "method": "GET",
    }
    assert asyncio.run(sent(scope))[0]["status"] == 400


def test_sockets_of_the_web_are_not_taken() -> None:
    assert asyncio.run(sent({"type": "websocket", "path": "/", "headers": []})) == [
        {"type": "websocket.close", "code": 1008}
    ]


async def sent(scope: dict) -> list[Message]:  # type: ignore[type-arg]
    messages: list[Message] = []

    async def keep(message: Message) -> None:
        messages.append(message)

    async def nothing() -> Message:
        return {"type": "http.request"}

    await Hosts(reached, "127.0.0.1")(scope, nothing, keep)
    return messages
