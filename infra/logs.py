"""Structured logs on standard error or in a file: JSON for machines, colours for people."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from pathlib import Path

import structlog

from infra.sentry import reports_of
from shared.errors import Rejected
from shared.settings import Settings


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


class _Appending:
    """Adds lines to a file that several processes write and anybody may move away or empty."""

    def __init__(self, file: Path) -> None:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.open("ab").close()
        except OSError as error:
            raise Rejected(
                f"Cannot write the log to {file}: {error.strerror}. Change LOG_FILE.",
                details={"variable": "LOG_FILE", "path": str(file)},
            ) from error
        self._file = file

    def msg(self, line: str) -> None:
        # Opened for each line, and one write a line: lines of several processes never mix.
        with self._file.open("ab", buffering=0) as file:
            file.write(f"{line}\n".encode())

    debug = info = warning = warn = error = err = critical = fatal = failure = exception = log = msg
