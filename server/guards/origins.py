"""No other site's page may change anything here, even from a browser that holds the cookie."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from bi2scope.server.guards.refusals import Refusal, header

HARMLESS = ("GET", "HEAD", "OPTIONS")
"""Methods that change nothing."""


class Origins:
    """Refuses requests that change something and come from another site's page.

    A browser says where a request comes from in ``Sec-Fetch-Site``, or, where it does not know that header or does not
    trust the connection, in ``Origin``. Programs send neither and are let through.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        foreign = scope["type"] == "http" and scope["method"] not in HARMLESS and is_foreign(scope)
        await (FOREIGN if foreign else self.app)(scope, receive, send)


def is_foreign(scope: Scope) -> bool:
    """Whether a browser says that the request comes from a page of another origin."""
    names = {name for name, _ in scope["headers"]}
    if b"sec-fetch-site" in names:
        return header(scope, b"sec-fetch-site") not in {"same-origin", "none"}
    if b"origin" in names:
        return urlsplit(header(scope, b"origin") or "").netloc.lower() != (header(scope, b"host") or "").lower()
    return False


FOREIGN = Refusal(
    403,
    "OriginError",
    "A page of another site may not change anything here.",
    "Send the request from the dashboard, or from a program.",
)
