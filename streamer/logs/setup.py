"""Logging: structlog as JSON lines or for people, with the libraries' own log lines through the same pipe.

Everything goes to standard error; standard output belongs to what a command was asked for.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, Literal, TextIO

import msgspec
import structlog
from structlog.typing import Processor

from streamer.logs.privacy import Privacy
from streamer.logs.repeats import RepeatFilter

LIBRARY_LOGGERS = ("faust", "mode", "aiokafka", "aiohttp", "asyncio", "rocksdict")
# At debug these tell what goes over the wire: passwords and customers' events.
TALKATIVE_LOGGERS = ("aiokafka.conn", "aiokafka.producer.producer")


def configure_logging(
    log_format: Literal["json", "console"],
    log_level: Literal["debug", "info", "warning", "error"],
    stream: TextIO | None = None,
    *,
    show_user_ids: bool = False,
) -> None:
    """Send every log line of the process to ``stream`` (standard error by default).

    Libraries are heard from ``warning`` up, at ``debug`` in full: what they say at ``info`` is about
    themselves. User ids are pseudonyms unless ``show_user_ids``.
    """
    output: TextIO = stream or sys.stderr
    level = logging.getLevelNamesMapping()[log_level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    privacy = Privacy()
    handler = logging.StreamHandler(output)
    if not show_user_ids:
        handler.addFilter(privacy)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *([] if show_user_ids else [privacy]),
                *_renderers(log_format, colors=output.isatty()),
            ],
        )
    )
    handler.addFilter(RepeatFilter(LIBRARY_LOGGERS))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    library_level = logging.NOTSET if level == logging.DEBUG else max(level, logging.WARNING)
    for name in LIBRARY_LOGGERS:
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
        library.setLevel(library_level)
    for name in TALKATIVE_LOGGERS:
        logging.getLogger(name).setLevel(max(level, logging.INFO))


def _renderers(log_format: Literal["json", "console"], *, colors: bool) -> list[Processor]:
    if log_format == "json":
        return [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=_json),
        ]
    # The formatter that structlog prefers when rich is there prints local variables, which may be secrets.
    return [structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)]


def _json(event: object, **_: Any) -> str:
    return msgspec.json.encode(event, enc_hook=repr).decode()
