# SPDX-License-Identifier: AGPL-3.0-or-later
"""Logs on standard error that hold ids and places in the code, and never what people wrote."""

import asyncio
import logging
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from helproom.config.sections.log import LogSection

_MOST_FRAMES = 12
_MOST_CAUSES = 5
Caught = tuple[type[BaseException], BaseException, TracebackType | None]

log = structlog.get_logger()


def set_up(settings: LogSection, stream: TextIO | None = None) -> None:
    """Send our logs, those of libraries, warnings and uncaught exceptions to `stream` (standard error)."""
    stream = stream or sys.stderr
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            drop_words,
            _renderer(settings, stream),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    _route_libraries()
    _route_uncaught()


def _renderer(settings: LogSection, stream: TextIO) -> Processor:
    if settings.form == "console" or (settings.form == "auto" and stream.isatty()):
        return structlog.dev.ConsoleRenderer(colors=stream.isatty())
    return structlog.processors.JSONRenderer(ensure_ascii=True)


def drop_words(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Put types and places instead of exceptions and bytes, whose texts may hold anybody's words."""
    caught = _caught(event.pop("exc_info", None))
    event.pop("stack_info", None)
    for name, value in event.items():
        if isinstance(value, BaseException):
            event[name] = type(value).__name__
        elif isinstance(value, bytes | bytearray | memoryview):
            event[name] = f"{len(value)} bytes"
    if caught is not None:
        event["exception"] = [_described(error) for error in _chain(caught)]
    return event


def _caught(info: Any) -> BaseException | None:
    if isinstance(info, BaseException):
        return info
    if isinstance(info, tuple):
        return info[1] if isinstance(info[1], BaseException) else None
    return sys.exc_info()[1] if info else None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception, what it came of, and what a group of them holds."""
    waiting: list[BaseException] = [error]
    seen: set[int] = set()
    while waiting and len(seen) < _MOST_CAUSES:
        current = waiting.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        if isinstance(current, BaseExceptionGroup):
            waiting += current.exceptions
        cause = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
        waiting += [cause] if cause is not None else []


def _described(error: BaseException) -> dict[str, Any]:
    frames: list[str] = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{Path(code.co_filename).name}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return {"type": type(error).__name__, "frames": frames[-_MOST_FRAMES:]}


_REPEATING = frozenset({"gnupg"})
"""They warn of what we judge ourselves: of GnuPG, twice for each letter that is only encrypted."""


class _FromLibraries(logging.Handler):
    """Says which library complained and where in its code; what it said may hold addresses or mails."""

    def emit(self, record: logging.LogRecord) -> None:
        if (record.name in _REPEATING and record.levelno < logging.ERROR) or _is_cancelled(record):
            return
        try:
            log.log(
                record.levelno,
                "library",
                library=record.name,
                at=f"{Path(record.pathname).name}:{record.lineno} {record.funcName}",
                exc_info=record.exc_info,
            )
        except Exception:  # noqa: BLE001 - a log that breaks must break nothing else
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Say nothing: the usual way would print the message that must not be seen."""


def _is_cancelled(record: logging.LogRecord) -> bool:
    """What is under way at a stop is cancelled: APScheduler calls that an error in a job."""
    caught = _caught(record.exc_info)
    return isinstance(caught, asyncio.CancelledError)


def _route_libraries() -> None:
    root = logging.getLogger()
    # The handler's level too: a library may have set a lower one for its own loggers.
    root.handlers[:] = [_FromLibraries(logging.WARNING)]
    root.setLevel(logging.WARNING)
    for logger in logging.root.manager.loggerDict.values():
        if isinstance(logger, logging.Logger):
            logger.handlers.clear()
            logger.propagate = True
    logging.captureWarnings(capture=True)


def _route_uncaught() -> None:
    sys.excepthook = _hook
    threading.excepthook = lambda args: _hook(args.exc_type, args.exc_value, args.exc_traceback)
    sys.unraisablehook = lambda args: _hook(args.exc_type, args.exc_value, args.exc_traceback)


def _hook(kind: type[BaseException], error: BaseException | None, _trace: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        log.error("uncaught", exc_info=error)
