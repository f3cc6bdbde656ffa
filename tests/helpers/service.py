"""Requests to a service in this process, without a socket, from tests that are not asynchronous."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote

import httpx
from starlette.types import ASGIApp

API = "/api/v1"


class Service:
    """A service to ask; an exception that the application lets escape fails the test."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def ask(self, method: str, path: str, **rest: Any) -> httpx.Response:
        async def once() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await client.request(method, path, **rest)

        return asyncio.run(once())

    def get(self, path: str, **params: Any) -> httpx.Response:
        return self.ask("GET", API + path, params=params)

    def json(self, path: str, **params: Any) -> Any:
        answer = self.get(path, **params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def error(self, path: str, **params: Any) -> tuple[int, str, str, str]:
        """Status, type, message and hint of a refusal."""
        return refusal(self.get(path, **params))


def refusal(answer: httpx.Response) -> tuple[int, str, str, str]:
    """Status, type, message and hint of an answer whose body must be an ErrorBody and nothing more."""
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"type", "message", "hint"}
    assert "Traceback" not in answer.text
    return answer.status_code, body["error"]["type"], body["error"]["message"], body["error"]["hint"]


def segment(name: str) -> str:
    """A name as one segment of a path."""
    return quote(name, safe="")
