"""How a guard refuses a request: as every error of the API below ``/api``, as plain text elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from bi2scope.server.errors import API, error_response


@dataclass(frozen=True)
class Refusal:
    """A request that is not let through, as an ASGI application."""

    status: int
    kind: str
    message: str
    hint: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer in the place of the application."""
        response = self._below_api() if scope["path"].startswith(API) else self._page()
        response.headers.update(self.headers)
        response.headers["Cache-Control"] = "no-store"
        await response(scope, receive, send)

    def _below_api(self) -> Response:
        return error_response(self.status, self.kind, self.message, self.hint)

    def _page(self) -> Response:
        return PlainTextResponse(f"{self.message}\n{self.hint}".strip() + "\n", self.status)


def header(scope: Scope, name: bytes) -> str | None:
    """A header of the request; ``None`` if it is not there once.

    A header that came twice is as good as none: no guard trusts one of two.
    """
    found: list[bytes] = [value for key, value in scope["headers"] if key == name]
    return found[0].decode("latin-1") if len(found) == 1 else None
