"""What all routes share: the store behind a request, and answers as JSON and as CSV."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.responses import Response, StreamingResponse

from bi2scope.server.catalogue import Catalogue
from bi2scope.server.columns import to_json
from bi2scope.server.wire import ErrorBody, Wire

Responses = dict[int | str, dict[str, Any]]
CSV: Responses = {200: {"content": {"text/csv": {}}, "description": "The same rows as CSV, comment lines first"}}
TOO_LARGE: Responses = {413: {"model": ErrorBody, "description": "The upload is too large"}}


def served(request: Request) -> Catalogue:
    """The catalogue of the store that this application serves; checks that the store is still there."""
    catalogue: Catalogue = request.app.state.catalogue
    catalogue.require_store()
    return catalogue


Served = Annotated[Catalogue, Depends(served)]


def json(body: Wire) -> Response:
    """A body as JSON, its columns written straight from the arrays."""
    return Response(to_json(body), media_type="application/json")


def csv(pieces: Iterator[bytes], disposition: str) -> Response:
    """A CSV file, sent piece by piece."""
    headers = {"Content-Disposition": disposition, "Cache-Control": "no-store"}
    return StreamingResponse(pieces, media_type="text/csv; charset=utf-8", headers=headers)
