"""What all routes share: the store behind a request, and answers as JSON and as CSV."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

from fastapi import Depends, Path, Request
from starlette.responses import Response, StreamingResponse

from bi2scope.server.catalogue import Catalogue
from bi2scope.server.columns import to_json
from bi2scope.server.stores import OpenStore, Stores
from bi2scope.server.tf import Comparisons
from bi2scope.server.wire import ErrorBody, Wire

Responses = dict[int | str, dict[str, Any]]
REFUSALS: Responses = {
    status: {"model": ErrorBody, "description": description}
    for status, description in (
        (404, "There is nothing of that name; the nearest names are offered"),
        (422, "A parameter is out of its range"),
        (503, "The attention store is gone or damaged"),
    )
}
CSV: Responses = {200: {"content": {"text/csv": {}}, "description": "The same rows as CSV, comment lines first"}}
TOO_LARGE: Responses = {413: {"model": ErrorBody, "description": "The upload is too large"}}


MOST_LETTERS = 64
"""Longest slug of a store in an address."""


def named_store(
    store: Annotated[str, Path(max_length=MOST_LETTERS, description="Slug of a store, from /api/v1/stores")],
) -> None:
    """Describe the part of an address that names a store; :func:`leased` reads it."""


async def leased(request: Request) -> AsyncIterator[OpenStore]:
    """The store that the address names, or the default; held until the answer has been sent."""
    stores: Stores = request.app.state.stores
    slug = request.path_params.get("store")
    store = stores.default if slug is None else stores.named(slug)
    async with store.lease() as opened:
        yield opened


Leased = Annotated[OpenStore, Depends(leased)]


async def _catalogue(opened: Leased) -> Catalogue:
    return opened.catalogue


async def _comparisons(opened: Leased) -> Comparisons:
    return opened.comparisons


Served = Annotated[Catalogue, Depends(_catalogue)]
"""The names of the store that a request asks."""

Compared = Annotated[Comparisons, Depends(_comparisons)]
"""The comparisons of the store that a request asks."""


def json(body: Wire) -> Response:
    """A body as JSON, its columns written straight from the arrays."""
    return Response(to_json(body), media_type="application/json")


def csv(pieces: Iterator[bytes], disposition: str) -> Response:
    """A CSV file, sent piece by piece."""
    headers = {"Content-Disposition": disposition}
    return StreamingResponse(pieces, media_type="text/csv; charset=utf-8", headers=headers)
