"""Bodies of wide tables: the columns stay numpy arrays from the store to the bytes.

A table of ten thousand links has more than a hundred thousand values; making python lists of them, having pydantic
look at each and writing them with the standard library's ``json`` takes fifty times as long as orjson on the arrays.
So these bodies are built without validation, from columns whose types and lengths this package's tests prove.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
import orjson

from bi2scope.data.exchange.columns import Coded, Column
from bi2scope.server.wire import Wire

Body = TypeVar("Body", bound=Wire)


def columnar(model: type[Body], **fields: Any) -> Body:
    """A body of the model from its fields, whose columns may be arrays; nothing is validated or copied."""
    missing = model.model_fields.keys() ^ fields.keys()
    if missing:
        raise TypeError(f"{model.__name__} and what was given differ in {sorted(missing)}")
    return model.model_construct(**fields)


def to_json(body: Wire | Mapping[str, Any] | Column) -> bytes:
    """A body, or a column, as JSON; what is no finite number becomes ``null``, floats are written to full precision."""
    return orjson.dumps(body, default=_plain, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_PASSTHROUGH_DATACLASS)


def _plain(value: Any) -> Any:
    """What orjson cannot write by itself: bodies, arrays of text, arrays that are not contiguous, numpy numbers."""
    if isinstance(value, Wire):
        return value.__dict__
    if isinstance(value, Coded):
        return value.words.texts[value.codes].tolist()
    if isinstance(value, np.ndarray):
        return value.tolist() if value.dtype == object else np.ascontiguousarray(value)
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"cannot write {type(value).__name__} as JSON")
