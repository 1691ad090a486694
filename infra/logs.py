"""Structured logs on standard error or in a file: JSON for machines, colours for people."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from io import FileIO
from pathlib import Path

import structlog

from infra.sentry import reports_of
from shared.errors import Rejected
from shared.settings import Settings

REOPENED_AFTER = 1.0
"""Seconds for which lines still follow a file that was moved away."""


def configure(settings: Settings) -> None:
    """Set up structlog once a process. Every line has time, level, event and the bound context.

    A ``log_file`` gets JSON whatever the format. Errors with a trace go to Sentry, too, where that
    is set. Raises Rejected if the file cannot be written.
    """
    json_wanted = settings.log_format == "json" or settings.log_file is not None
    reports = reports_of(settings)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            *(() if reports is None else (reports,)),
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info
            if json_wanted
            else structlog.processors.UnicodeDecoder(),
            structlog.processors.JSONRenderer()
            if json_wanted
            # Rich's tracebacks would print local variables, API keys among them.
            else structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[settings.log_level]
        ),
        logger_factory=_output(settings.log_file),
        cache_logger_on_first_use=False,
    )


def _output(file: Path | None) -> Callable[..., object]:
    if file is None:
        return structlog.PrintLoggerFactory(sys.stderr)
    logger = _Appending(file)
    return lambda *_: logger


class _ClosedWhenUnused(FileIO):
    """A file that any thread may still be writing to when another has opened the next one."""

    def __del__(self) -> None:
        self.close()


class _Appending:
    """Adds lines to a file that several processes write and anybody may move away or empty."""

    def __init__(self, file: Path) -> None:
        self._path = file
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._opened()
        except OSError as error:
            raise Rejected(
                f"Cannot write the log to {file}: {error.strerror}. Change LOG_FILE.",
                details={"variable": "LOG_FILE", "path": str(file)},
            ) from error

    def _opened(self) -> FileIO:
        self._until = time.monotonic() + REOPENED_AFTER
        return _ClosedWhenUnused(self._path, "a")

    def msg(self, line: str) -> None:
        if time.monotonic() >= self._until:
            self._file = self._opened()
        # One write a line: lines of several processes never mix.
        self._file.write(f"{line}\n".encode())

    debug = info = warning = warn = error = err = critical = fatal = failure = exception = log = msg
