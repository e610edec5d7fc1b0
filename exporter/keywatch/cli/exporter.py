"""Runs the exporter until it is told to end: web port first, then probes; never ends because Kafka is away."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Callable
from pathlib import Path

from keywatch.cli.hangups import HANGUPS
from keywatch.config.endpoint import listen_address
from keywatch.config.model import Config
from keywatch.config.named_files import named_files
from keywatch.engine import supervised
from keywatch.service import memory_use
from keywatch.service.file_watch import FileWatch
from keywatch.service.own_metrics import OwnMetrics
from keywatch.service.reload import Reload
from keywatch.service.watch import Watch
from keywatch.web.pages import port
from keywatch.web.port import Port

_LOG = logging.getLogger(__name__)
_END_WITHIN = 3.0


class ListenError(Exception):
    """The port cannot be listened on; the text names it and why."""


async def serve(config: Config, read: Callable[[], Config], watched: Path | None = None) -> None:
    """Serve until SIGTERM or SIGINT; SIGHUP has the configuration read anew by `read`.

    So has a change of the file `watched`, or of one that the configuration names.

    Raises `SecurityError` for unusable certificates towards Kafka, `ConfigError` for those of the port.
    """
    memory_use.be_frugal()
    supervised.watch_process()
    watch = Watch(config)
    for warning in watch.warnings():
        _LOG.warning("%s", warning)
    itself = OwnMetrics(watch.store, watch.incidents)
    itself.add_trouble(watch.standing_still)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    reload = Reload(watch, itself, read)
    entrance = port(watch, itself, reload=reload)
    await _listen(entrance, config)
    memory_use.settle()
    beat = itself.begin()
    watch.start()
    HANGUPS.lead_to(loop, reload.begin)
    going = [beat]
    if watched is not None:
        files = FileWatch(watched, lambda: named_files(watch.config), reload)
        itself.add_source(files.samples)
        going.append(files.begin())
    await ended.wait()
    _LOG.info("ending")
    for task in going:
        task.cancel()
    HANGUPS.ignore(loop)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_END_WITHIN):
            await watch.stop()
            await entrance.close()


async def _listen(entrance: Port, config: Config) -> None:
    where = listen_address(config.web.listen_address)
    try:
        await entrance.open(where.host or None, where.port)
    except OSError as error:
        raise ListenError(f"web.listen_address: cannot listen on {where}: {error.strerror or error}") from error
    clusters = ", ".join(cluster.name for cluster in config.clusters)
    _LOG.info("watching %s; %s://%s:%s/metrics", clusters, entrance.scheme, where.host or "localhost", entrance.number)


def end_now() -> None:
    """End the process without waiting for threads that a dead cluster may hold inside librdkafka.

    Last lines of the log are waited for, a second at most; standard output holds nothing of ours.
    """
    for handler in logging.getLogger().handlers:
        handler.flush()
    os._exit(0)
