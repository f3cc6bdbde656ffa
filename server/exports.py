"""What tables say of themselves before their rows, and what their files are called."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from bi2scope.data.attention import Cut
from bi2scope.data.exchange.columns import Columns
from bi2scope.data.exchange.comments import cut_lines, origin_lines
from bi2scope.data.exchange.selection import Table
from bi2scope.server.params import CutQuery

if TYPE_CHECKING:
    from bi2scope.data.store.reader import StoreReader


def origin(reader: StoreReader) -> list[str]:
    """Program, data set and model."""
    return origin_lines(reader.attributes)


def cut_comments(reader: StoreReader, query: CutQuery, truncated: bool) -> list[str]:
    """Layer, head, candidates and cut of a request, and whether links are missing."""
    return cut_lines(reader.attributes, query.cut, layer=query.layer, head=query.head, truncated=truncated)


def cut_of(query: CutQuery) -> dict[str, Any]:
    """The cut as a view's address has it."""
    return {"threshold": query.threshold, "k": query.top_k, "layer": query.layer, "head": query.head}


def whole_table(
    reader: StoreReader, name: str, comments: Iterable[str], columns: Columns, cut: Cut | None = None
) -> Table:
    """A table of one block: program, data set and model first, then further comments."""
    title = f"{reader.attributes.name or 'bi2scope'} {name}"
    return Table(title, cut or Cut(), (*origin(reader), *comments), iter([columns]))


def view_address(**shown: Any) -> str:
    """Address of the view on the screen, relative to the service; what is ``None`` is left out."""
    return "/?" + urlencode({name: value for name, value in shown.items() if value is not None}, quote_via=quote)


def attachment(*parts: object, ending: str = "csv") -> str:
    """Value of ``Content-Disposition`` for a file named after its parts, in ASCII and, if that differs, UTF-8."""
    name = "_".join(re.sub(r"[\s/\\:*?\"<>|\x00-\x1f]+", "-", str(part)) for part in parts if part is not None)
    plain = re.sub(r"[^A-Za-z0-9._+-]", "-", name)
    extended = "" if plain == name else f"; filename*=UTF-8''{quote(name, safe='')}.{ending}"
    return f'attachment; filename="{plain}.{ending}"{extended}'
