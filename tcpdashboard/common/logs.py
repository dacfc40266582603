"""One log set-up for every process: readable in the terminal, JSON lines in files.

Standard-library loggers (Django, Celery, uvicorn, websockets, httpx) and structlog's pass through
the same processors: each line has a time, a level, the process, request or task ids, no secret.
"""

from __future__ import annotations

import logging.config
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict

import orjson
import structlog
from structlog.typing import EventDict, Processor

from tcpdashboard.common.logfiles import SharedLogFile
from tcpdashboard.common.redaction import Redactor


class LogOptions(TypedDict):
    """What settings.LOGGING holds; sizes in MB, ages in days."""

    process: str
    level: str
    format: str
    color: bool
    folder: str
    file_mb: float
    files: int
    days: float
    secrets: list[str]


# What these say at INFO repeats our own lines, or comes several times a second.
QUIET = {
    "celery.app.trace": "WARNING",
    "celery.beat": "WARNING",
    "celery.worker.consumer.connection": "WARNING",
    "celery.worker.strategy": "WARNING",
    "django.request": "ERROR",
    "django.utils.autoreload": "WARNING",
    "httpcore": "WARNING",
    "httpx": "WARNING",
    "uvicorn.access": "WARNING",
    "websockets": "WARNING",
}


def configure_logs(process: str) -> None:
    """Set logging up for `process` (its name in the lines and its file) from Django's settings."""
    from django.conf import settings

    configure({**settings.LOGGING, "process": process})


def configure(options: Mapping[str, Any]) -> None:
    """Set logging and structlog up from `LogOptions`; Django calls this with settings.LOGGING."""
    chosen = LogOptions(**options)  # type: ignore[typeddict-item]
    shared = _shared_processors(chosen["process"])
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    logging.config.dictConfig(_dict_config(chosen, shared))
    logging.captureWarnings(capture=False)


def _drop_noise(_logger: Any, _method: str, event: EventDict) -> EventDict:
    # Probes ask every few seconds; what they are told is in the answer.
    if event.get("code") == 200 and str(event.get("request", "")).startswith("GET /health/"):
        raise structlog.DropEvent
    # A hint that nobody took in time: the sweep has seen to it.
    if event.get("event") == "task_revoked" and event.get("expired"):
        raise structlog.DropEvent
    event.pop("color_message", None)
    return event


def wants_color(stream: Any = None) -> bool:
    """Say whether `stream` (default: standard error) is a terminal that shows colours."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool((stream or sys.stderr).isatty()) and os.environ.get("TERM") != "dumb"


def _shared_processors(process: str) -> list[Processor]:
    def name_process(_logger: Any, _method: str, event: EventDict) -> EventDict:
        event["process"] = process
        return event

    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        name_process,
        _drop_noise,
    ]


def _dict_config(options: LogOptions, shared: list[Processor]) -> dict[str, Any]:
    handlers: dict[str, Any] = {
        "console": {"class": "logging.StreamHandler", "formatter": options["format"]}
    }
    if options["folder"]:
        handlers["file"] = {"()": _file_handler, "options": options, "formatter": "json"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "console": _formatter(shared, _console(options)),
            "json": _formatter(shared, _json(options)),
        },
        "handlers": handlers,
        "root": {"handlers": list(handlers), "level": options["level"]},
        "loggers": {
            **{name: {"handlers": [], "propagate": True} for name in ("django", "django.server")},
            **{name: {"level": level} for name, level in QUIET.items()},
        },
    }


def _formatter(shared: list[Processor], processors: list[Processor]) -> dict[str, Any]:
    return {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": shared,
        "processors": [
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            # Before redaction, because the text of an exception may hold a secret.
            structlog.processors.format_exc_info,
            *processors,
        ],
    }


def _console(options: LogOptions) -> list[Processor]:
    def shorten(_logger: Any, _method: str, event: EventDict) -> EventDict:
        event["timestamp"] = str(event.get("timestamp", ""))[11:23]
        if event.pop("process", "") and event.get("logger") == "root":
            del event["logger"]
        return event

    renderer = structlog.dev.ConsoleRenderer(
        colors=options["color"],
        exception_formatter=structlog.dev.plain_traceback,
        pad_event_to=0,
        sort_keys=False,
    )
    return [Redactor(options["secrets"]), shorten, renderer]


def _json(options: LogOptions) -> list[Processor]:
    def dumps(event: Any, **_options: Any) -> str:
        return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()

    return [Redactor(options["secrets"]), structlog.processors.JSONRenderer(serializer=dumps)]


def _file_handler(options: LogOptions) -> logging.Handler:
    return SharedLogFile(
        Path(options["folder"]) / f"{options['process']}.log",
        max_bytes=round(options["file_mb"] * 1_000_000),
        keep_files=options["files"],
        keep_days=options["days"],
    )
