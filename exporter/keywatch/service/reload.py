"""Reads the configuration anew when told to and puts it in force as a whole; a bad one changes nothing and is told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from keywatch.config.model import Config
from keywatch.config.secret import SecurityError
from keywatch.config.yaml_file import ConfigError
from keywatch.service import log_setup
from keywatch.service.own_metrics import OwnMetrics
from keywatch.service.watch import Watch

_LOG = logging.getLogger(__name__)


class Reload:
    """Goes over to what `read` gives now, one at a time."""

    def __init__(self, watch: Watch, itself: OwnMetrics, read: Callable[[], Config]) -> None:
        self._watch = watch
        self._itself = itself
        self._read = read
        self._one_at_a_time = asyncio.Lock()
        self._begun: set[asyncio.Task[None]] = set()

    def begin(self) -> None:
        """Read anew without waiting for it; the outcome is logged and in the metrics. Needs a running event loop."""
        task = asyncio.get_running_loop().create_task(self._log_outcome())
        self._begun.add(task)
        task.add_done_callback(self._begun.discard)

    async def now(self) -> str:
        """Read anew and say in words what changed; raises `ConfigError`, and then what was in force goes on."""
        async with self._one_at_a_time:
            try:
                # On a thread, because a large file takes long to be parsed and checked.
                config = await asyncio.to_thread(self._read)
                _same_port(self._watch.config, config)
                changed = await self._watch.change(config)
            except (ConfigError, SecurityError) as error:
                self._itself.reloaded(successful=False)
                _LOG.error("%s\nwhat was read before stays in force", error)
                raise ConfigError(str(error)) from error
            log_setup.set_up(config.log)
            self._itself.reloaded(successful=True)
            _LOG.info("configuration read anew: %s", changed)
            for warning in self._watch.warnings():
                _LOG.warning("%s", warning)
            return changed

    async def _log_outcome(self) -> None:
        try:
            await self.now()
        except ConfigError:
            return  # it is logged already


def _same_port(old: Config, new: Config) -> None:
    """Refuse what only a restart can change, in place of pretending that it is in force."""
    for key in type(old.web).model_fields:
        if getattr(old.web, key) != getattr(new.web, key):
            raise ConfigError(f"web.{key}: another value needs a restart")
