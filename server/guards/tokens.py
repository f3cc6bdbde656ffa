"""Only requests that carry the service's token: in a header, or in a cookie that a link with the token has set."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from bi2scope.server.guards.refusals import Refusal, header

OPEN = ("/api/v1/health",)
"""Addresses that need no token: whether the service is up is no secret."""

PARAMETER = "token"


def new_token() -> str:
    """A token of 256 random bits."""
    return secrets.token_urlsafe(32)


class Tokens:
    """Lets requests through that carry the token.

    ``Authorization: Bearer TOKEN`` carries it, and so does the cookie. A GET with ``?token=TOKEN`` sets the cookie and
    is sent on to the same address without the token, so that it stays in no history and no log. The cookie holds a
    hash made with the token, not the token; its name carries the port, because cookies know none.
    """

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        self.app = app
        self.token = token.encode()
        self.cookie = f"bi2scope-{port}"
        self.cookie_value = hmac.new(self.token, b"bi2scope cookie", hashlib.sha256).hexdigest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, set the cookie, or refuse."""
        if scope["type"] != "http" or scope["path"] in OPEN or self.carried(scope):
            await self.app(scope, receive, send)
            return
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = [value for name, value in query if name == PARAMETER]
        if scope["method"] in {"GET", "HEAD"} and len(given) == 1 and self._is_token(given[0]):
            await self.welcome(scope, query)(scope, receive, send)
            return
        await REFUSED(scope, receive, send)

    def carried(self, scope: Scope) -> bool:
        """Whether the token is in the header or in the cookie; the parameter is for setting the cookie alone."""
        scheme, _, given = (header(scope, b"authorization") or "").partition(" ")
        if scheme.lower() == "bearer" and self._is_token(given.strip()):
            return True
        try:
            cookies = SimpleCookie(Headers(scope=scope).get("cookie", ""))
        except CookieError:
            return False
        found = cookies.get(self.cookie)
        return found is not None and secrets.compare_digest(found.value.encode(), self.cookie_value.encode())

    def welcome(self, scope: Scope, query: list[tuple[str, str]]) -> RedirectResponse:
        """Set the cookie and send the browser to the address without the token."""
        rest = urlencode([(name, value) for name, value in query if name != PARAMETER])
        path = "/" + scope.get("raw_path", scope["path"].encode()).decode("latin-1").lstrip("/\\")
        answer = RedirectResponse(f"{path}?{rest}" if rest else path, 303, {"Cache-Control": "no-store"})
        secure = scope["scheme"] == "https"
        answer.set_cookie(self.cookie, self.cookie_value, httponly=True, samesite="strict", secure=secure)
        return answer

    def _is_token(self, given: str) -> bool:
        return secrets.compare_digest(given.encode(), self.token)


REFUSED = Refusal(
    401,
    "TokenError",
    "This service wants its token.",
    "Open the link that `bi2scope serve` printed at its start (if you came by a link of another page, press Enter in "
    "the address bar), or send the header Authorization: Bearer TOKEN.",
    {"WWW-Authenticate": 'Bearer realm="bi2scope"'},
)
