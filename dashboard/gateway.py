"""The API on the dashboard's own address, when the service runs in another process or on another machine.

Browsers then need to reach the dashboard alone: what a page downloads is fetched from the service and passed on, piece
by piece.
"""

from __future__ import annotations

from typing import Final

import httpx
from fastapi import FastAPI, Request
from starlette.background import BackgroundTask
from starlette.responses import Response, StreamingResponse

from bi2scope.dashboard.client import Client, ClientError
from bi2scope.server.wire import ErrorBody, ErrorDetail

ASKED: Final = ("accept", "accept-encoding", "content-type", "if-none-match", "x-request-id")
"""Headers of a request that the service is told."""

PLAIN: Final = {"accept-encoding": "identity"}
"""What the service is told for a client that says nothing of encodings: else the HTTP library would name its own."""

ANSWERED: Final = (
    "cache-control", "content-disposition", "content-encoding", "content-length", "content-type", "etag", "retry-after",
    "vary", "x-request-id",
)  # fmt: skip
"""Headers of an answer that the browser is told."""

METHODS = ["GET", "HEAD", "POST", "DELETE"]


def pass_on_api(app: FastAPI, client: Client) -> None:
    """Answer what is below ``/api`` with the answers of the client's service.

    To be called before the dashboard is mounted, which answers every address that is left.
    """

    @app.api_route("/api/{rest:path}", methods=METHODS, include_in_schema=False)
    async def passed_on(request: Request, rest: str) -> Response:
        del rest
        try:
            answer = await client.forward(
                request.method,
                b"?".join(filter(None, (request.scope["raw_path"], request.scope["query_string"]))),
                PLAIN | {name: request.headers[name] for name in ASKED if name in request.headers},
                request.stream() if request.method == "POST" else None,
            )
        except ClientError as error:
            detail = ErrorDetail(type=error.kind, message=error.message, hint=error.hint)
            return Response(ErrorBody(error=detail).model_dump_json(), 503, media_type="application/json")
        return _streamed(answer)


def _streamed(answer: httpx.Response) -> StreamingResponse:
    headers = {name: answer.headers[name] for name in ANSWERED if name in answer.headers}
    return StreamingResponse(answer.aiter_raw(), answer.status_code, headers, background=BackgroundTask(answer.aclose))
