"""Structured logging: one JSON line per event on standard error, or a plain line on a terminal.

Prompts, answers and secrets are never given to it; the texts of exceptions are not either, since a provider's
or a driver's message may quote them: only the exception's type is logged.
"""

import logging
import sys
from typing import TextIO

import structlog

type Logger = structlog.typing.FilteringBoundLogger


def configure_logging(stream: TextIO | None = None) -> Logger:
    """Set up logging for the process and give the logger to hand to adapters."""
    out = stream or sys.stderr
    render: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=False) if out.isatty() else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _exception_type,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=out),
        cache_logger_on_first_use=True,
    )
    # Libraries' own loggers speak up only when something is wrong.
    logging.basicConfig(level=logging.WARNING, stream=out, format="%(levelname)s %(name)s: %(message)s")
    logger: Logger = structlog.get_logger()
    return logger


def _exception_type(
    logger: object, method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    raised = event.pop("exc_info", None)
    error = sys.exc_info()[1] if raised is True else raised
    if isinstance(error, BaseException):
        event["exception"] = type(error).__name__
    return event
