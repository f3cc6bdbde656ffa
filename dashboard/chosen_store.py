"""Which store a page shows: its scripts say so with every question, and the client asks that one."""

from __future__ import annotations

from urllib.parse import unquote

from starlette.types import ASGIApp, Receive, Scope, Send

from bi2scope.dashboard.client import STORE

HEADER = b"x-bi2scope-store"


class StoreOfPage:
    """Puts the slug that a question of the page names where :func:`bi2scope.dashboard.client.api_root` finds it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, with its store."""
        named = dict(scope.get("headers", [])).get(HEADER) if scope["type"] == "http" else None
        if named is None:
            await self._app(scope, receive, send)
            return
        token = STORE.set(unquote(named.decode("latin-1")))
        try:
            await self._app(scope, receive, send)
        finally:
            STORE.reset(token)
