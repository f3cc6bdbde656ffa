"""Only requests that name this service as their host: a page that has its own name point here learns nothing.

DNS rebinding makes a browser send requests here under a stranger's name, with that stranger's page free to read the
answers. The Host header still carries the stranger's name.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

from bi2scope.server.guards.refusals import Refusal, header
from bi2scope.server.settings import EVERYWHERE

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1")

_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:(?P<port>\d{1,5}))?")


class Hosts:
    """Lets requests through whose Host header is one of the names, whatever the port.

    Parameters
    ----------
    app
        What is guarded.
    host
        Address that the service listens on. Where that is every address of the machine, any address in figures is let
        through too: only a name can be made to point elsewhere.
    further
        Names beside those of the loopback and the host.
    """

    def __init__(self, app: ASGIApp, host: str, further: Sequence[str] = ()) -> None:
        self.app = app
        self.everywhere = host in EVERYWHERE
        own = (socket.gethostname(), socket.getfqdn()) if self.everywhere else (host,)
        self.names = {bare(name) for name in (*LOOPBACK_NAMES, *own, *further)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it; sockets of the web are not taken at all."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        refusal = self.refusal(header(scope, b"host")) if scope["type"] == "http" else None
        await (refusal or self.app)(scope, receive, send)

    def refusal(self, given: str | None) -> Refusal | None:
        """Why a request with that Host header is refused, if it is."""
        found = _HOST.fullmatch(given or "")
        if found is None:
            return Refusal(
                400, "HostError", "The request has no Host header, or more than one, or one that is no host."
            )
        name = bare(found["name"])
        if name in self.names or (self.everywhere and _is_address(name)):
            return None
        return Refusal(
            421,
            "HostError",
            f"This service does not answer for the host {name}.",
            "Open it by the address that it was started with, or start it with --allowed-host NAME.",
        )


def bare(name: str) -> str:
    """A host's name without brackets, in small letters, without the dot at its end."""
    return name.strip("[]").rstrip(".").lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
