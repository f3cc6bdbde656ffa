"""Answers that are tables, in the format that the address ends in: the formats, and the routes made from them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Annotated, Any, Literal

import numpy as np
import orjson
from fastapi import APIRouter, Path
from starlette.responses import Response, StreamingResponse

from bi2scope.data.errors import ConfigurationError
from bi2scope.data.exchange.columns import Column, Lazy
from bi2scope.data.exchange.selection import Table
from bi2scope.data.exchange.streams import STREAMS
from bi2scope.server.columns import to_json
from bi2scope.server.exports import attachment
from bi2scope.server.params import MAX_ROWS
from bi2scope.server.wire import Wire


@dataclass(frozen=True, eq=False)
class TableBody:
    """A table as JSON has it.

    Attributes
    ----------
    fields
        What stands beside the columns, by name.
    columns
        The columns.
    key
        The field that holds the columns; ``None`` puts them among the fields.
    by_row
        Whether the field is a list of rows instead.
    written
        Columns that are JSON already, by name.
    """

    fields: Mapping[str, Any]
    columns: Lazy
    key: str | None = None
    by_row: bool = False
    written: Mapping[str, orjson.Fragment] = field(default_factory=dict)

    def json(self, chosen: Sequence[str] | None) -> bytes:
        """The body as JSON, with the chosen columns alone."""
        columns = _only(self.columns, chosen)
        if self.key is None:
            return to_json({**self.fields, **{name: self.written.get(name) or columns[name] for name in columns}})
        return to_json({**self.fields, self.key: _rows(columns) if self.by_row else dict(columns)})


@dataclass(frozen=True, eq=False)
class Answer:
    """An answer that is a table; nothing is made before it is written.

    Attributes
    ----------
    body
        What JSON has; a :class:`Wire` has no columns to choose from.
    table
        What all other formats have.
    stem
        Parts of the name of a file.
    """

    body: Callable[[], TableBody | Wire]
    table: Callable[[], Table]
    stem: tuple[object, ...]


@dataclass(frozen=True)
class Form:
    """A format of answers.

    Attributes
    ----------
    media_type
        As the answer's header has it.
    says
        What it is, for the description of the service.
    chooses
        Whether its columns can be chosen.
    most
        Most rows; ``None`` is no bound.
    """

    media_type: str
    says: str
    chooses: bool = True
    most: int | None = None


FORMS: Mapping[str, Form] = {
    "json": Form("application/json", f"columns, {MAX_ROWS:,} rows at most", most=MAX_ROWS),
    "csv": Form("text/csv; charset=utf-8", "the same rows as CSV, comment lines first"),
    "arrow": Form("application/vnd.apache.arrow.stream", "the same rows as an Arrow IPC stream"),
    "bedpe": Form("text/plain; charset=utf-8", "the pairs as BEDPE", chooses=False),
    "interact": Form("text/plain; charset=utf-8", "the pairs as a track of the UCSC Genome Browser", chooses=False),
    "longrange": Form(
        "text/plain; charset=utf-8", "the pairs as a track of the WashU Epigenome Browser", chooses=False
    ),
}
"""Every format, by the ending of the address; ``.json`` may be left out."""

TABLES = ("json", "csv", "arrow")
PAIRS = (*TABLES, "bedpe", "interact", "longrange")
"""Formats of tables whose rows pair a gene with a peak."""


def table_routes(
    router: APIRouter, path: str, model: type[Wire], endings: Sequence[str] = TABLES, **rest: Any
) -> Callable[[Callable[..., Answer]], Callable[..., Answer]]:
    """Make the routes of a table: its address as JSON, and with each of the endings.

    The function decorated takes what a route's function takes, and ``most``: the most rows that the format takes.
    ``rest`` goes to both routes.
    """

    def register(function: Callable[..., Answer]) -> Callable[..., Answer]:
        about = {"description": inspect.getdoc(function), **rest}
        name, given = function.__name__, inspect.signature(function, eval_str=True)
        parameters = [each for each in given.parameters.values() if each.name != "most"]
        described = "; ".join(f"{ending}: {FORMS[ending].says}" for ending in endings)
        kinds: dict[str, Any] = {FORMS[ending].media_type.partition(";")[0]: {} for ending in endings}
        router.add_api_route(
            path, _endpoint(function, parameters, endings, False), response_model=model, name=name, **about
        )
        about["responses"] = {**about.get("responses", {}), 200: {"content": kinds, "description": described}}
        router.add_api_route(
            f"{path}.{{ending}}",
            _endpoint(function, parameters, endings, True),
            response_class=Response,
            name=f"{name}_as",
            **about,
        )
        return function

    return register


def _endpoint(
    function: Callable[..., Answer], parameters: list[inspect.Parameter], endings: Sequence[str], named: bool
) -> Callable[..., Response]:
    def answer(ending: str = "json", **given: Any) -> Response:
        return table_response(function, ending, given)

    listed = Annotated[Literal[tuple(endings)], Path(description="The format")]  # type: ignore[valid-type]
    ending = inspect.Parameter("ending", inspect.Parameter.KEYWORD_ONLY, annotation=listed)
    answer.__signature__ = inspect.Signature([*parameters, *([ending] if named else [])])  # type: ignore[attr-defined]
    return answer


def table_response(function: Callable[..., Answer], ending: str, given: Mapping[str, Any]) -> Response:
    """What a function makes of what it was given, in a format."""
    chosen = chosen_columns(ending, getattr(given.get("query"), "columns", None))
    return answered(function(**given, most=FORMS[ending].most), ending, chosen)


def chosen_columns(ending: str, columns: str | None) -> list[str] | None:
    """The columns that were asked for, in their order; ``None`` for all.

    Raises
    ------
    ConfigurationError
        If the format has columns of its own.
    """
    if columns is None:
        return None
    if not FORMS[ending].chooses:
        raise ConfigurationError(f".{ending} has columns of its own; leave columns out, or ask for .csv or .arrow.")
    return list(dict.fromkeys(name.strip() for name in columns.split(",")))


def answered(answer: Answer, ending: str, chosen: Sequence[str] | None) -> Response:
    """An answer in a format, sent piece by piece if it has more than one."""
    form = FORMS[ending]
    if ending == "json":
        return Response(_json(answer.body(), chosen), media_type=form.media_type)
    pieces = STREAMS[ending](_with_columns(answer.table(), chosen))
    headers = {"Content-Disposition": attachment(*answer.stem, ending=ending)}
    first, second = next(pieces), next(pieces, None)  # what is damaged is found before anything is sent
    if second is None:
        return Response(first, media_type=form.media_type, headers=headers)
    return StreamingResponse(chain([first, second], pieces), media_type=form.media_type, headers=headers)


def _json(body: TableBody | Wire, chosen: Sequence[str] | None) -> bytes:
    if isinstance(body, TableBody):
        return body.json(chosen)
    if chosen is not None:
        raise ConfigurationError("JSON has no columns to choose from here; .csv and .arrow have.")
    return to_json(body)


def _with_columns(table: Table, chosen: Sequence[str] | None) -> Table:
    """A table with some of its columns; each of its blocks has the same ones."""
    if chosen is None:
        return table
    first = Lazy.of(next(table.blocks))
    blocks: Iterator[Lazy] = (Lazy.of(block).only(chosen) for block in table.blocks)
    return replace(table, blocks=chain([_only(first, chosen)], blocks))


def _only(columns: Lazy, chosen: Sequence[str] | None) -> Lazy:
    """Some of the columns.

    Raises
    ------
    ConfigurationError
        If there is no column of such a name.
    """
    unknown = [name for name in chosen or () if name not in columns]
    if unknown:
        raise ConfigurationError(
            f"There is no column {', '.join(map(repr, unknown))} here.", f"There are: {', '.join(columns)}."
        )
    return columns if chosen is None else columns.only(chosen)


def _rows(columns: Mapping[str, Column]) -> list[dict[str, Any]]:
    values = [np.asarray(column).tolist() for column in columns.values()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*values, strict=True)]
