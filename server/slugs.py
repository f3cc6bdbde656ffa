"""Names of stores in addresses, and the stores that the command line names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from bi2scope.data.errors import ConfigurationError

if TYPE_CHECKING:
    from bi2scope.data.store.reader import StoreReader

SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""What a slug may be: it stands in an address as it is."""


def slug_of(name: str, path: Path) -> str:
    """Slug of a store: its name, or else the stem of its file, in letters that an address takes.

    Examples
    --------
    >>> slug_of("PBMC 10k (café)", Path("a.h5"))
    'PBMC-10k-cafe'
    >>> slug_of("", Path("stores/blood.h5"))
    'blood'
    """
    return _plain(name) or _plain(path.stem) or "store"


def _plain(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9._-]+", "-", letters).strip("-._")[:64]


def open_stores(arguments: Sequence[str], closing: ExitStack) -> dict[str, StoreReader]:
    """Open the stores of ``bi2scope serve A.h5 other=B.h5``, by slug and in that order.

    Parameters
    ----------
    arguments
        Paths, each with ``SLUG=`` before it or not.
    closing
        Closes the files.

    Raises
    ------
    ConfigurationError
        If two have one slug.
    StoreError
        If one cannot be opened.
    """
    from bi2scope.data.store.reader import StoreReader

    readers: dict[str, StoreReader] = {}
    for argument in arguments:
        given, path = split_argument(argument)
        reader = closing.enter_context(StoreReader.open(path))
        slug = given or slug_of(reader.attributes.name, path)
        if slug in readers:
            raise ConfigurationError(
                f"{readers[slug].path} and {path} would both be served as {slug!r}.",
                f"Name one of them: bi2scope serve {readers[slug].path} other={path}.",
            )
        readers[slug] = reader
    return readers


def split_argument(argument: str) -> tuple[str | None, Path]:
    """Slug and path of ``SLUG=PATH``; a file whose name has such a beginning is a path alone.

    Raises
    ------
    ConfigurationError
        If what stands before ``=`` is no slug, and there is no file of the whole name.
    """
    path = Path(argument)
    slug, equals, rest = argument.partition("=")
    if not equals or path.exists() or "/" in slug:
        return None, path
    if not SLUG.fullmatch(slug):
        raise ConfigurationError(
            f"{slug!r} before {rest} cannot name a store in an address.",
            "Take letters, digits, dots, underscores and hyphens, 64 at most.",
        )
    return slug, Path(rest)
