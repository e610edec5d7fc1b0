"""Sets up logging: ECS JSON on standard error, or plain text on a terminal."""

from __future__ import annotations

import logging
import sys

import ecs_logging

from keywatch.config.web import Log


def set_up(log: Log) -> None:
    """Send all logs to standard error in the configured format; standard output stays for a command's result."""
    handler = logging.StreamHandler(sys.stderr)
    as_text = log.format == "text" or (log.format == "auto" and sys.stderr.isatty())
    if as_text:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S"))
    else:
        handler.setFormatter(
            ecs_logging.StdlibFormatter(
                exclude_fields=["log.original", "log.origin", "process"], extra={"service.name": "keywatch"}
            )
        )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(log.level.upper())
    # librdkafka tells of every connection that breaks; the probes say the same once, with the reason.
    logging.getLogger("keywatch.librdkafka").setLevel(logging.DEBUG if log.level == "debug" else logging.CRITICAL)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
