"""A name for every request, a line in the log and a count for each: the outermost of the guards."""

from __future__ import annotations

import logging
import re
import time
import uuid

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bi2scope.server.errors import API
from bi2scope.server.guards.refusals import header
from bi2scope.server.logs import request_id
from bi2scope.server.metrics import Metrics

logger = logging.getLogger("bi2scope.requests")

SANE = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""A request's name that is taken over from the client."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
ELSEWHERE = "other"
"""Route of a request that reached none, and of the screen's own: an address, as it came, may hold names or tokens."""


class Records:
    """Names, logs and counts requests: method, route, status, milliseconds, bytes. Never a query, never a header."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and write down what became of it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = header(scope, b"x-request-id") or ""
        name = given if SANE.fullmatch(given) else uuid.uuid4().hex
        record = _Record(name, send)
        token = request_id.set(name)
        try:
            with self.metrics.in_flight.track_inprogress():
                await self.app(scope, receive, record.send)
        finally:
            self._write(scope, record)
            request_id.reset(token)

    def _write(self, scope: Scope, record: _Record) -> None:
        seconds = time.perf_counter() - record.began
        method = scope["method"] if scope["method"] in METHODS else ELSEWHERE
        route = route_of(scope)
        self.metrics.count(method, route, record.status, seconds, record.sent)
        figures = {
            "method": method,
            "route": route,
            "status": record.status,
            "ms": round(seconds * 1e3, 1),
            "bytes": record.sent,
        }
        logger.info("%s %s %d", method, route, record.status, extra={"request": figures})


class _Record:
    """What was sent in answer to one request; status 499 until something is."""

    def __init__(self, name: str, send: Send) -> None:
        self.name = name
        self.began = time.perf_counter()
        self.status, self.sent = 499, 0
        self._send = send

    async def send(self, message: Message) -> None:
        """Send on, and count."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            MutableHeaders(scope=message)["X-Request-ID"] = self.name
        elif message["type"] == "http.response.body":
            self.sent += len(message.get("body", b""))
        await self._send(message)


def route_of(scope: Scope) -> str:
    """Template of the address that was asked (``/api/v1/cells/{cell_id}/links``), never what was filled in."""
    template = str(getattr(scope.get("route"), "path_format", ELSEWHERE))
    if not scope["path"].startswith(API) or template.startswith(API) or template == ELSEWHERE:
        return template
    named = "/stores/{store}" if "store" in scope["path_params"] else ""
    return f"{API}/v1{named}{template}"  # a route of a router that was included knows its own part alone
