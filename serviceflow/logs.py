"""Structured log lines with the request's id; JSON where machines read, coloured text where people do."""

from __future__ import annotations

import logging.config
import re
from collections.abc import MutableMapping
from typing import Any

import structlog

ANSWER_LINK = re.compile(r"(/answer/)[^\s\"']+")


def mask_links(_logger: Any, _name: str, said: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Whoever has the address of an answer link can answer: no line shows it."""
    for key, value in said.items():
        if isinstance(value, str) and "/answer/" in value:
            said[key] = ANSWER_LINK.sub(r"\1***", value)
    return said


SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    mask_links,
]


def configure(options: dict[str, Any]) -> None:
    """Django's LOGGING_CONFIG hook: `{"level": "INFO", "json": true}`."""
    renderer = (
        structlog.processors.JSONRenderer()
        if options["json"]
        else structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "structured": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "processor": renderer,
                    "foreign_pre_chain": SHARED,
                }
            },
            "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "structured"}},
            "loggers": {"django": {"level": options["level"], "handlers": []}},
            "root": {"handlers": ["console"], "level": options["level"]},
        }
    )
    structlog.configure(
        processors=[*SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
