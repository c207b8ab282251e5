"""Logging: structlog for our own lines, the standard library's records through the same renderer. To stderr."""

from __future__ import annotations

import logging
import sys
from collections.abc import Container

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_QUIET = ("alembic", "uvicorn", "httpx", "httpcore", "clickhouse_connect")


def configure(level: str, form: str, minor: Container[str] = ()) -> None:
    """Set up logging for this process; ``form`` is ``console`` or ``json``.

    ``minor``: events that are information elsewhere, and in this process are shown to who debugs only.
    """
    # Over 40 lines: the steps of logging in their order, as structlog wants them.

    def demote(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        if event["event"] in minor and event["level"] == "info":
            if level != "debug":
                raise structlog.DropEvent
            event["level"] = "debug"
        return event

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    colours = sys.stderr.isatty()
    render: Processor = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=structlog.dev.plain_traceback)
    )
    tracebacks: list[Processor] = [structlog.processors.format_exc_info] if form == "json" else []
    structlog.configure(
        processors=[*shared, demote, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *tracebacks, render],
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
