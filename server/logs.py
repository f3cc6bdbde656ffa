"""The log of the service, on standard error: plain lines, or one JSON object a line."""

from __future__ import annotations

import logging
import logging.config
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

import orjson

from bi2scope.server.settings import Settings

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Name of the request that is being answered."""


def _message(record: logging.LogRecord) -> dict[str, Any]:
    return {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "request_id": request_id.get(),
        "message": record.getMessage(),
        **getattr(record, "request", {}),
    }


class JsonLines(logging.Formatter):
    """One JSON object a line; a traceback is the value of ``traceback``."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line."""
        line = _message(record)
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


class PlainLines(logging.Formatter):
    """One line for a person; a traceback follows it."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line."""
        line = _message(record)
        figures = f" {line['ms']} ms {line['bytes']} bytes" if "ms" in line else ""
        name = f" [{line['request_id']}]" if line["request_id"] else ""
        text = f"{line['time']} {line['level']}{name} {line['message']}{figures}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


def configure(settings: Settings) -> None:
    """Make this process log as the settings say."""
    formatter = JsonLines if settings.log == "json" else PlainLines
    level = settings.log_level or ("info" if settings.log == "json" else "warning")
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"line": {"()": formatter}},
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
            "root": {"level": "WARNING", "handlers": ["stderr"]},
            "loggers": {"bi2scope": {"level": level.upper()}, "uvicorn": {"level": "WARNING"}},
        }
    )
