"""One JSON object a line, and only what is on a list: ids, types, counts, durations.

A player's words can hide in an exception's text, a library's message or a URL's query, so none of these is
printed: of an exception its class and place, of a library's record its constant template.
"""

from __future__ import annotations

import logging
import logging.config
import sys
import traceback
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog

#: What a line may hold. Everything else is dropped before it is rendered.
ALLOWED_KEYS = frozenset(
    {
        "event", "level", "timestamp", "logger", "exception", "where",
        "player_id", "session_id", "connection_id", "message_id", "message_type", "role", "seq",
        "code", "reason", "seconds", "count", "bytes", "crisis_level", "crisis_types", "stored",
        "engine", "rule", "exercise", "protocol", "url", "status", "worker",
    }
)  # fmt: skip


def render(_: Any, level: str, event: MutableMapping[str, Any]) -> bytes:
    """The whole of structlog's chain in one step: several lines are written for every turn."""
    if "exc_info" in event:
        _describe_error(event)
    line = {key: value for key, value in event.items() if key in ALLOWED_KEYS}
    line["level"] = level
    line["timestamp"] = datetime.now(UTC)
    return orjson.dumps(line, option=orjson.OPT_UTC_Z)


def _describe_error(event: MutableMapping[str, Any]) -> None:
    error = event.pop("exc_info")
    if error is True:
        error = sys.exc_info()[1]
    if isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        event["exception"], event["where"] = describe(error)


def describe(error: BaseException) -> tuple[str, str]:
    """Class and place of an exception, without its text."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{frames[-1].filename.rsplit('/site-packages/')[-1]}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__module__}.{type(error).__qualname__}", where


class LibraryFormatter(logging.Formatter):
    """Records of Django, the servers and other libraries: the template they log, never what they fill in."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "timestamp": self.formatTime(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": str(record.msg).splitlines()[0][:200] if record.msg else "",
        }
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            line["exception"], line["where"] = describe(error)
            if str(error) and str(error) in str(
                record.msg
            ):  # a library made the exception's text its template
                line["event"] = "exception"
        return orjson.dumps(line).decode()


def logging_config(level: str) -> dict[str, Any]:
    """A dictConfig for libraries, after setting up structlog for our own lines."""
    structlog.configure(
        processors=[render],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.BytesLoggerFactory(),
        cache_logger_on_first_use="pytest" not in sys.modules,  # tests exchange standard output
    )
    config = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "config.logs.LibraryFormatter"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {
            "uvicorn.error": {"level": "WARNING"},
            "uvicorn.access": {"handlers": [], "propagate": False},
            "daphne": {"level": "WARNING"},
            "django.channels.server": {"handlers": [], "propagate": False},
            "django.server": {"handlers": [], "propagate": False},
        },
    }
    logging.config.dictConfig(config)
    return config
