"""ETags: an answer that depends on the store and the address alone is not made again for a client that has it.

The tag is made of the store's digest and its file's identity, the version of the program, the address and what the
client accepts, so it is known before anything is read. It is weak: compression may change the bytes.
"""

from __future__ import annotations

import hashlib
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bi2scope.server.answers import Leased
from bi2scope.server.catalogue import Catalogue
from bi2scope.server.dataset import program_version
from bi2scope.server.errors import API
from bi2scope.server.stores import OpenStore

TAG = "bi2scope.tag"
"""Where the tag of a request stands in its scope."""

REVALIDATED = "private, no-cache"
"""Kept by the client alone, and asked about each time."""


class NotModified(Exception):  # noqa: N818  no error: the client has the answer
    """The client has the answer that it asks for."""


async def tagged(request: Request, opened: Leased) -> Catalogue:
    """The catalogue of the store, for an answer that depends on store and address alone.

    Raises
    ------
    NotModified
        If the client has that answer.
    """
    if request.method in {"GET", "HEAD"}:
        tag = entity_tag(request, opened)
        if matches(request.headers.getlist("if-none-match"), tag):
            raise NotModified(tag)
        request.scope[TAG] = tag
    return opened.catalogue


Tagged = Annotated[Catalogue, Depends(tagged)]
"""The names of the store that a request asks, for an answer that has an ETag."""


def entity_tag(request: Request, opened: OpenStore) -> str:
    """The tag of the answer to a request, of the store as it is now."""
    attributes, identity = opened.reader.attributes, opened.identity
    parts = (
        attributes.dataset_digest,
        attributes.model_digest,
        identity.device,
        identity.inode,
        identity.size,
        identity.modified,
        program_version(),
        request.scope["path"],
        request.scope["query_string"],
        request.headers.get("accept", ""),
    )
    return f'W/"{hashlib.sha256(repr(parts).encode()).hexdigest()[:32]}"'


def matches(given: list[str], tag: str) -> bool:
    """Whether ``If-None-Match`` names a tag; a comma parts tags, and never stands in one of these."""
    return any(each.strip() in {tag, tag.removeprefix("W/"), "*"} for line in given for each in line.split(","))


def not_modified(_: Request, error: Exception) -> Response:
    """Say that the client has the answer."""
    return Response(status_code=304, headers={"ETag": str(error), "Cache-Control": REVALIDATED, "Vary": "Accept"})


class Validators:
    """Writes the tag of a request on its answer; other answers of the API may be kept by nobody."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and add to the head of its answer."""

        async def with_tag(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if message["status"] == 200 and TAG in scope:
                    headers["ETag"], headers["Cache-Control"] = scope[TAG], REVALIDATED
                    headers.add_vary_header("Accept")
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        below_api = scope["type"] == "http" and scope["path"].startswith(API)
        await self.app(scope, receive, with_tag if below_api else send)


def install(api: FastAPI) -> None:
    """Let the application's answers carry tags."""
    api.add_exception_handler(NotModified, not_modified)
    api.add_middleware(Validators)
