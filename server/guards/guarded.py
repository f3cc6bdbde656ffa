"""The application with all its guards around it: what is put behind a socket.

From the outside in: records, safe headers, hosts, token, origins, room, bodies, compression. What asks the application
in this process, as the dashboard does, asks it without them, and needs no token.
"""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import FastAPI
from starlette.types import ASGIApp
from starlette_compress import CompressMiddleware, add_compress_type

from bi2scope.server.guards.bodies import Bodies, Patience
from bi2scope.server.guards.compression import ARROW, GZIP_LEVEL, ZSTD_LEVEL, LargeAnswers
from bi2scope.server.guards.crowding import Crowding, Room
from bi2scope.server.guards.headers import SafeHeaders
from bi2scope.server.guards.hosts import Hosts
from bi2scope.server.guards.origins import Origins
from bi2scope.server.guards.records import Records
from bi2scope.server.guards.tokens import Tokens
from bi2scope.server.settings import MEBIBYTE, Settings

LEAST_COMPRESSED = 1_000
"""Bytes of a body below which compressing it is not worth it."""

for _kind in ("text/csv", *ARROW):
    add_compress_type(_kind)


def guarded(api: FastAPI, settings: Settings, scripts: Sequence[str] = ()) -> ASGIApp:
    """The application as a socket may serve it.

    Parameters
    ----------
    api
        The service, with the dashboard mounted on it or without.
    settings
        Its settings; a token is asked for if they have one.
    scripts
        Hashes of the screen's inline scripts (:func:`bi2scope.server.guards.headers.content_policy`).
    """
    app: ASGIApp = CompressMiddleware(
        LargeAnswers(api),
        minimum_size=LEAST_COMPRESSED,
        zstd_level=ZSTD_LEVEL,
        gzip_level=GZIP_LEVEL,
        brotli=False,
    )
    app = Bodies(app, Patience(longest_body(settings), settings.slow_client_seconds))
    app = Crowding(app, Room(settings.max_concurrent, settings.max_waiting, settings.max_wait_seconds))
    app = Origins(app)
    if settings.token is not None:
        app = Tokens(app, settings.token.get_secret_value(), settings.port)
    app = Hosts(app, settings.host, settings.allowed_hosts)
    return Records(SafeHeaders(app, scripts), api.state.metrics)


def longest_body(settings: Settings) -> int:
    """Bytes of a request's body: an upload as the screen sends it, which is in base64, and what is around it."""
    return settings.max_upload_bytes * 4 // 3 + MEBIBYTE
