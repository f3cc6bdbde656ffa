"""Plain ASGI applications for tests of what stands around one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
from service import Service
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send


async def reached(scope: Scope, receive: Receive, send: Send) -> None:
    """Says that a request got through, and what of it."""
    query = scope["query_string"].decode()
    await PlainTextResponse(f"reached {scope['method']} {scope['path']}{'?' + query if query else ''}")(
        scope, receive, send
    )


def ask(
    app: ASGIApp, path: str, method: str = "GET", headers: Mapping[str, str] | None = None, **rest: Any
) -> httpx.Response:
    return Service(app).ask(method, path, headers=dict(headers or {}), **rest)
