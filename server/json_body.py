"""A request's body as JSON, bounded in size before it is read and checked like the parameters of an address."""

from __future__ import annotations

from typing import Any, TypeVar

import orjson
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from bi2scope.data.errors import ConfigurationError
from bi2scope.server.errors import UploadTooLargeError

MOST_BYTES = 16 << 20
"""Largest body that is read."""

Model = TypeVar("Model", bound=BaseModel)


async def body_of(request: Request, model: type[Model]) -> Model:
    """The body as a model.

    Raises
    ------
    UploadTooLargeError
        If the body is larger than :data:`MOST_BYTES`; refused as soon as that is known.
    ConfigurationError
        If it is not JSON, or no object.
    RequestValidationError
        If a value is not what the model takes.
    """
    received = bytearray()
    async for piece in request.stream():
        received += piece
        if len(received) > MOST_BYTES:
            raise UploadTooLargeError(f"The body is larger than the {MOST_BYTES >> 20} MiB that this address takes.")
    try:
        given = orjson.loads(received)
    except orjson.JSONDecodeError as error:
        raise ConfigurationError(f"The body is not JSON: {error}.", 'For instance: {"cells": ["AAACGT-1"]}') from None
    if not isinstance(given, dict):
        raise ConfigurationError("The body is no JSON object.", 'For instance: {"cells": ["AAACGT-1"]}')
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise RequestValidationError([{**each, "loc": ("body", *each["loc"][:1])} for each in error.errors()]) from None


def described(model: type[BaseModel]) -> dict[str, Any]:
    """The body in the description of the service; it is read by hand, so FastAPI cannot know it."""
    return {
        "requestBody": {"required": True, "content": {"application/json": {"schema": model.model_json_schema()}}},
    }
