from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from asgi import ask
from fastapi import FastAPI, Request
from service import refusal
from starlette.responses import Response, StreamingResponse
from starlette.types import Message

from bi2scope.server.errors import install
from bi2scope.server.guards.bodies import Bodies, Patience


@pytest.fixture
def guard() -> Bodies:
    api = FastAPI()

    @api.post("/api/echo")
    async def echo(request: Request) -> Response:
        return Response(str(len(await request.body())))

    @api.get("/api/stream")
    def stream() -> Response:
        def pieces() -> Iterator[bytes]:
            for _ in range(5):
                yield b"x" * 10

        return StreamingResponse(pieces())

    install(api)
    return Bodies(api, Patience(1000, 0.1))


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield b"x" * 100

    await asyncio.sleep(30)
    yield b"x"


def test_a_body_within_bounds_passes(guard: Bodies) -> None:
    assert ask(guard, "/api/echo", "POST", content=b"x" * 1000).text == "1000"


def test_a_body_that_says_it_is_too_long_is_refused_at_once(guard: Bodies) -> None:
    assert refusal(ask(guard, "/api/echo", "POST", content=b"x" * 1001))[:2] == (413, "UploadTooLargeError")


def test_a_body_without_a_length_is_cut_at_the_limit(guard: Bodies) -> None:
    assert refusal(ask(guard, "/api/echo", "POST", content=endless()))[:2] == (413, "UploadTooLargeError")


def test_a_lie_about_the_length_does_not_help(guard: Bodies) -> None:
    answer = ask(guard, "/api/echo", "POST", {"Content-Length": "10"}, content=endless())
    assert refusal(answer)[:2] == (413, "UploadTooLargeError")


def asked(app: Bodies, pieces: list[Message], pause: float) -> list[Message]:
    """Ask by hand, because httpx reads the whole body before it asks; after the pieces nothing comes."""
    sent: list[Message] = []

    waiting = pieces or [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        if waiting:
            return waiting.pop(0)
        await asyncio.sleep(30)
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            await asyncio.sleep(pause)
        sent.append(message)

    scope = {"type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "scheme": "http",
             "root_path": "", "query_string": b"", "server": ("test", 80), "client": ("test", 1)}  # fmt: skip
    target: dict[str, str] = (
        {"method": "POST", "path": "/api/echo"} if pieces else {"method": "GET", "path": "/api/stream"}
    )
    asyncio.run(asyncio.wait_for(app({**scope, **target, "headers": [(b"host", b"test")]}, receive, send), 10))
    return sent


def test_a_client_that_stops_sending_times_out(guard: Bodies) -> None:
    sent = asked(guard, [{"type": "http.request", "body": b"x", "more_body": True}], 0)
    assert sent[0]["status"] == 408
    assert b"SlowClientError" in sent[1]["body"]


def test_a_client_that_stops_taking_is_given_up(guard: Bodies, caplog: pytest.LogCaptureFixture) -> None:
    sent = asked(guard, [], 5)
    assert [message["type"] for message in sent] == ["http.response.start"]
    assert "took nothing of the answer" in caplog.text
    assert "Traceback" not in caplog.text


def test_a_stream_that_takes_longer_than_the_pause_is_not_cut(guard: Bodies) -> None:
    sent = asked(Bodies(guard.app, Patience(1000, 1.0)), [], 0.25)  # five pieces; a busy machine adds to each
    assert sum(len(message.get("body", b"")) for message in sent) == 50
