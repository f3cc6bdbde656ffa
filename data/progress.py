"""Progress bars: rate and time left on standard error; in a log file a line every ten seconds."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm

_LOG_SECONDS = 10.0


def progress_bar(
    iterable: Iterable[Any] | None = None, *, what: str, unit: str, total: int | None = None, shown: bool = True
) -> tqdm[Any]:
    """Wrap an iterable, or give a bar to advance by hand.

    Parameters
    ----------
    iterable
        What to go through; ``None`` for a bar that the caller advances with ``update``.
    what, unit
        What is being done, and to what: ``"Attend"``, ``"cell"``.
    total
        Steps in all, where the iterable does not know.
    shown
        Whether to draw anything.
    """
    pace: dict[str, Any] = {} if sys.stderr.isatty() else {"mininterval": _LOG_SECONDS, "maxinterval": _LOG_SECONDS}
    return tqdm(iterable, desc=what, unit=unit, total=total, disable=not shown, file=sys.stderr, **pace)
