"""Sets up logging: ECS JSON on standard error, or plain text on a terminal, written by a thread of its own."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from typing import Any

import ecs_logging

from keywatch.config.web import Log
from keywatch.engine.probe import Sample
from keywatch.metrics.exporter import LOG_LINES_LOST_TOTAL
from keywatch.service.log_writer import LogWriter
from keywatch.surfaces import log_json, log_text

_INDENT = "    "


class TextFormatter(logging.Formatter):
    """A line for each record; those of a trace stand behind it, indented, so that none looks like a record."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """Write the line."""
        return log_text(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        """Write the trace."""
        return "\n".join(_INDENT + log_text(line) for line in super().formatException(ei).split("\n"))


class JsonFormatter(ecs_logging.StdlibFormatter):
    """A line of JSON for each record, in the terms of ECS."""

    def __init__(self) -> None:
        super().__init__(exclude_fields=["log.original", "log.origin", "process"], extra={"service.name": "keywatch"})

    def format_to_ecs(self, record: logging.LogRecord) -> dict[str, Any]:
        """Write no number that JSON does not have."""
        return log_json(super().format_to_ecs(record))


def set_up(log: Log) -> None:
    """Send all logs to standard error in the configured format; standard output stays for a command's result."""
    root = logging.getLogger()
    writer = _writer()
    if writer is None or writer.stream is not sys.stderr:
        writer = LogWriter(sys.stderr)
    as_text = log.format == "text" or (log.format == "auto" and sys.stderr.isatty())
    writer.setFormatter(TextFormatter() if as_text else JsonFormatter())
    root.handlers[:] = [writer]
    root.setLevel(log.level.upper())
    logging.captureWarnings(capture=True)
    # librdkafka tells of every connection that breaks; the probes say the same once, with the reason.
    logging.getLogger("keywatch.librdkafka").setLevel(logging.DEBUG if log.level == "debug" else logging.CRITICAL)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    logging.getLogger("asyncio").setLevel(logging.WARNING)


def _writer() -> LogWriter | None:
    return next((one for one in logging.getLogger().handlers if isinstance(one, LogWriter)), None)


class LostLines:
    """How many lines were lost, for the exporter's own samples."""

    def __init__(self) -> None:
        self._told = 0

    def __call__(self) -> Iterator[Sample]:
        """Return those that came since the last call."""
        writer = _writer()
        lost = writer.lost if writer is not None else 0
        new, self._told = max(lost - self._told, 0), lost
        yield Sample(LOG_LINES_LOST_TOTAL, (), float(new))
