"""From an exception to the answer: one table of HTTP statuses, one body for every error."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bi2scope.data.errors import Bi2scopeError, InputError, NotFoundError, StoreError
from bi2scope.server.params import WANTED
from bi2scope.server.wire import ErrorBody, ErrorDetail

logger = logging.getLogger(__name__)

API = "/api"
"""Below this path every answer is the service's; all other paths are the screen's."""


class UploadTooLargeError(InputError):
    """An upload is larger than the service takes."""


class SlowClientError(InputError):
    """A client took too long to send its request."""


class ClientGoneError(ConnectionError):
    """A client does not take its answer; there is nobody left to tell."""


STATUS: Mapping[type[Bi2scopeError], int] = {
    NotFoundError: 404,
    SlowClientError: 408,
    UploadTooLargeError: 413,
    InputError: 422,
    StoreError: 503,
    Bi2scopeError: 500,
}
"""HTTP status by class of exception; a class that is not named has the status of its nearest ancestor."""

HTTP_TYPES = {404: "NotFoundError", 405: "MethodNotAllowedError"}


def status_of(error: Bi2scopeError) -> int:
    """HTTP status of an exception, from :data:`STATUS`."""
    return next(STATUS[ancestor] for ancestor in type(error).__mro__ if ancestor in STATUS)


def error_response(status: int, kind: str, message: str, hint: str = "") -> Response:
    """An answer with :class:`~bi2scope.server.wire.ErrorBody` as its body."""
    body = ErrorBody(error=ErrorDetail(type=kind, message=message, hint=hint))
    return Response(body.model_dump_json(), status, media_type="application/json")


def _on_bi2scope_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, Bi2scopeError)
    status = status_of(error)
    if status >= 500:
        logger.error("%s", error, exc_info=error)
    message = error.message
    for store in request.app.state.stores if isinstance(error, StoreError) else ():
        message = message.replace(str(store.path), store.path.name)  # where it lies is not the client's business
    return error_response(status, type(error).__name__, message, error.hint)


def _on_http_exception(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    kind = HTTP_TYPES.get(error.status_code, "HTTPError")
    response = error_response(error.status_code, kind, str(error.detail))
    response.headers.update(error.headers or {})
    return response


def _on_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    problems = [_sentence(problem, request.url.path) for problem in error.errors()]
    return error_response(422, "ConfigurationError", " ".join(dict.fromkeys(problems)))


def _sentence(problem: Mapping[str, Any], path: str) -> str:
    """One problem that pydantic found, as a sentence with the range that was wanted."""
    name = str(problem["loc"][-1])
    if problem["type"] == "extra_forbidden":
        nearest = difflib.get_close_matches(name, WANTED, n=1)
        meant = f" Did you mean {nearest[0]}?" if nearest else ""
        return f"{path} takes no parameter {name!r}.{meant}"
    wanted = WANTED.get(name)
    if wanted is None:
        return f"{name}: {problem['msg']}."
    return f"{name} is {_shown(problem['input'])}; it must be {wanted}."


def _shown(given: object) -> str:
    text = str(given)
    return text if len(text) <= 60 else f"{text[:60]}..."


class UnexpectedErrors:
    """Answers whatever else goes wrong below ``/api`` with a 500 that shows nothing of the program, and logs it.

    A plain ASGI middleware: starlette's own handler for ``Exception`` raises the exception again after its answer,
    which a client in the same process would then receive instead of the answer.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; answer in its place if that fails before anything was sent."""
        if scope["type"] != "http" or not scope["path"].startswith(API):
            await self.app(scope, receive, send)
            return
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, watch)
        except ClientGoneError:
            raise
        except Exception:
            logger.exception("%s %s failed", scope["method"], scope["path"])
            if started:
                raise
            message = "The service failed while answering; this is a defect of bi2scope."
            hint = "The log of the service holds the details; please report them."
            await error_response(500, "InternalError", message, hint)(scope, receive, send)


def install(api: FastAPI) -> None:
    """Make every error of the application an :class:`~bi2scope.server.wire.ErrorBody`."""
    api.add_exception_handler(Bi2scopeError, _on_bi2scope_error)
    api.add_exception_handler(HTTPException, _on_http_exception)
    api.add_exception_handler(RequestValidationError, _on_validation_error)
    api.add_middleware(UnexpectedErrors)
