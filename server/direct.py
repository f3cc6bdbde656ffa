"""Tables that are asked for at every move of a slider, answered without FastAPI's way from an address to a function.

FastAPI tries the routes of nested routers twice over and takes a request's parameters one by one, which takes as long
as making the table does. So the routes here stand before its own and take what is as it should be: a GET, in a format
that there is. FastAPI's routes of the same tables describe them, and answer all else.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, get_type_hints
from urllib.parse import parse_qsl

from anyio import CapacityLimiter, to_thread
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.datastructures import URLPath
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, NoMatchFound, compile_path
from starlette.types import Receive, Scope, Send

from bi2scope.server.answers import MOST_LETTERS, leased
from bi2scope.server.tabular import Answer, table_response
from bi2scope.server.validators import tagged

_lease = asynccontextmanager(leased)


@dataclass(frozen=True)
class Table:
    """A table that is answered directly.

    Attributes
    ----------
    path
        Its address without ending.
    function
        What :func:`~bi2scope.server.tabular.table_routes` was given: of ``catalogue``, names out of the address,
        ``query`` (a model, of no lists) and ``most``.
    endings
        Its formats.
    brief
        Formats that take a millisecond, nearly all of it with the interpreter's lock. They are made one at a time:
        threads that take turns at the lock for so little take twice as long in all as one after the other.
    at_hand
        Whether a brief answer, of ``catalogue``, names and ``query``, reads nothing and is small: such are made on the
        event loop, for handing them to a thread and back takes a third as long as making them.
    """

    path: str
    function: Callable[..., Answer]
    endings: Sequence[str]
    brief: Sequence[str] = ()
    at_hand: Callable[..., bool] | None = None


class DirectTable(BaseRoute):
    """One address of a table.

    Parameters
    ----------
    path
        As FastAPI would be given it, with all that stands before it.
    table
        The table.
    lane
        Lets one brief answer be made at a time.
    """

    def __init__(self, path: str, table: Table, lane: CapacityLimiter) -> None:
        self.path_regex, self.path_format, _ = compile_path(path)
        self.table, self.lane = table, lane
        self.query = get_type_hints(table.function)["query"]

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether it is for this route to answer."""
        found = self.path_regex.match(scope["path"]) if scope["type"] == "http" and scope["method"] == "GET" else None
        if found is None:
            return Match.NONE, {}
        names = found.groupdict()
        if names.get("ending", "json") not in self.table.endings or len(names.get("store", "")) > MOST_LETTERS:
            return Match.NONE, {}
        return Match.FULL, {"endpoint": self.table.function, "path_params": names, "route": self}

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        """None: FastAPI's route of the table knows its name."""
        raise NoMatchFound(name, path_params)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, with the store held until the answer has been sent."""
        request = Request(scope, receive, send)
        names = {name: value for name, value in scope["path_params"].items() if name != "store"}
        ending = names.pop("ending", "json")
        async with _lease(request) as opened:
            given = {"catalogue": await tagged(request, opened), **names, "query": asked(self.query, scope)}
            work = functools.partial(table_response, self.table.function, ending, given)
            response = await self._response(work, ending in self.table.brief, given)
            await response(scope, receive, send)

    async def _response(self, work: Callable[[], Response], brief: bool, given: Mapping[str, Any]) -> Response:
        if brief and self.table.at_hand is not None and self.table.at_hand(**given):
            return work()
        return await to_thread.run_sync(work, limiter=self.lane if brief else None)


def asked(model: type[BaseModel], scope: Scope) -> BaseModel:
    """The query of a request as a model; of a name that comes twice, the last.

    Raises
    ------
    RequestValidationError
        As FastAPI does, if a value is not what the model takes.
    """
    given = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise RequestValidationError([{**each, "loc": ("query", *each["loc"])} for each in error.errors()]) from None


def direct_tables(before: Sequence[str], tables: Sequence[Table]) -> Iterator[DirectTable]:
    """Routes of some tables, below each of the addresses in ``before``."""
    lane = CapacityLimiter(1)
    for prefix in before:
        for table in tables:
            yield DirectTable(f"{prefix}{table.path}", table, lane)
            yield DirectTable(f"{prefix}{table.path}.{{ending}}", table, lane)
