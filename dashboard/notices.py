"""What went wrong, on the screen: never a blank page, never a traceback."""

from __future__ import annotations

import functools
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import html, no_update, set_props

from bi2scope.dashboard import ids
from bi2scope.dashboard.client import ClientError

log = logging.getLogger(__name__)

Answer = Callable[..., Awaitable[tuple[Any, ...]]]


def notice(error: ClientError, *, closable: bool = False) -> dmc.Alert:
    """An error's message and hint."""
    return dmc.Alert(
        children=error.hint or None,
        title=error.message,
        color="red",
        variant="light",
        className="notice",
        withCloseButton=closable,
        closeButtonLabel="Close" if closable else None,
        attributes={"root": {"role": "alert"}},
    )


def or_notice(n_outputs: int, instead: Sequence[Any] = ()) -> Callable[[Answer], Answer]:
    """Give a callback one more output, the last: empty when it went well, the notice when the API refused.

    Parameters
    ----------
    n_outputs
        Outputs of the callback itself.
    instead
        What they become when the API refuses; they stay as they are when left out.
    """

    def wrap(callback: Answer) -> Answer:
        @functools.wraps(callback)
        async def answer(*given: Any) -> tuple[Any, ...]:
            try:
                return *await callback(*given), None
            except ClientError as error:
                log.info("%s: %s", callback.__name__, error.message)
                return *(instead or [no_update] * n_outputs), notice(error)

        return answer

    return wrap


def or_instead(*instead: Any) -> Callable[[Answer], Answer]:
    """Give a callback these outputs when the API refuses; another callback of the same view shows why."""

    def wrap(callback: Answer) -> Answer:
        @functools.wraps(callback)
        async def answer(*given: Any) -> tuple[Any, ...]:
            try:
                return await callback(*given)
            except ClientError as error:
                log.info("%s: %s", callback.__name__, error.message)
                return instead

        return answer

    return wrap


def unexpected(error: Exception) -> None:
    """Log an error that no callback took care of, and say on the screen that there was one."""
    set_props(ids.ALARM, {"children": notice(told(error), closable=True)})


def told(error: Exception) -> ClientError:
    """What the screen says of an error, which the log is told too; of a defect the log has the details."""
    if isinstance(error, ClientError):
        log.warning("%s", error.message)
        return error
    log.error("The dashboard failed", exc_info=error)
    return ClientError(
        f"The dashboard itself failed ({type(error).__name__}).",
        "This is a defect of bi2scope; the log of the service has the details. Reload the page to go on.",
    )


def unreachable_page(error: ClientError) -> html.Main:
    """The whole page when even the data set cannot be had: the error and a way back."""
    back = html.A("Open the first data set", href="?", className="way-back") if error.kind == "NotFoundError" else None
    return html.Main(
        [html.H1("bi2scope", className="brand"), notice(error), dmc.Button("Try again", id=ids.RETRY, mt="md"), back],
        className="lone-notice",
    )


def address_notes(problems: Sequence[str]) -> dmc.Alert | None:
    """What the address asked for and did not get; nothing when it got all."""
    if not problems:
        return None
    return dmc.Alert(
        dmc.List([dmc.ListItem(text) for text in problems], size="sm"),
        title="The address asks for something that is not there",
        color="orange",
        variant="light",
        className="address-notes",
        withCloseButton=True,
        closeButtonLabel="Close",
        mb="sm",
        attributes={"root": {"role": "alert"}},
    )
