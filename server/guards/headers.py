"""Headers that tell a browser to trust answers with little: no frames, no guessing of types, no other hosts."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

FIXED = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def content_policy(scripts: Sequence[str] = ()) -> str:
    """A Content-Security-Policy that allows this host alone.

    Parameters
    ----------
    scripts
        Hashes of the inline scripts that may run, as ``'sha256-...'``. Styles may stand inline: the components of the
        screen set them so. Their pictures are data and blobs.
    """
    rules = {
        "default-src": ["'self'"],
        "script-src": ["'self'", *scripts],
        "style-src": ["'self'", "'unsafe-inline'"],
        "img-src": ["'self'", "data:", "blob:"],
        "font-src": ["'self'", "data:"],
        "worker-src": ["'self'", "blob:"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
    return "; ".join(f"{name} {' '.join(sources)}" for name, sources in rules.items())


class SafeHeaders:
    """Adds the headers to every answer that does not set them itself."""

    def __init__(self, app: ASGIApp, scripts: Sequence[str] = ()) -> None:
        self.app = app
        added = {**FIXED, "Content-Security-Policy": content_policy(scripts)}
        self.added = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in added.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and add to the head of its answer."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(each for each in self.added if each[0] not in given)]
            await send(message)

        await self.app(scope, receive, with_headers if scope["type"] == "http" else send)
