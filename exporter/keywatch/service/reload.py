"""Reads the configuration anew when told to and puts it in force as a whole; a bad one changes nothing and is told."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

from keywatch.config.model import Config
from keywatch.config.secret import SecurityError
from keywatch.config.yaml_file import ConfigError
from keywatch.engine import supervised
from keywatch.engine.probe import ProbeError
from keywatch.engine.supervised import Part
from keywatch.engine.worker import Worker
from keywatch.service import log_setup
from keywatch.service.own_metrics import OwnMetrics
from keywatch.service.watch import Watch

_LOG = logging.getLogger(__name__)
_READ_WITHIN = 30.0


class Reload:
    """Goes over to what `read` gives now, one at a time."""

    def __init__(self, watch: Watch, itself: OwnMetrics, read: Callable[[], Config]) -> None:
        self._watch = watch
        self._itself = itself
        self._read = read
        self._one_at_a_time = asyncio.Lock()
        # A thread of its own: a large file takes long, and one that cannot be read must hold up nobody else's calls.
        self._reader = Worker("reload")
        self._begun: asyncio.Task[None] | None = None
        self._again = False
        self._problem = ""

    def begin(self) -> None:
        """Read anew without waiting for it; the outcome is logged and in the metrics. Needs a running event loop.

        However often it is asked for while one is under way, it is read once more.
        """
        if self._begun is not None and not self._begun.done():
            self._again = True
        else:
            self._begun = supervised.task(Part.RELOAD, self._log_outcome())

    async def now(self, *, unasked: bool = False) -> str:
        """Read anew and say in words what changed; raises `ConfigError`, and then what was in force goes on.

        What nobody asked for logs no mistake that was logged already.
        """
        async with self._one_at_a_time:
            try:
                changed, config = await self._go_over()
            except (ConfigError, SecurityError) as error:
                self._itself.reloaded(successful=False)
                if not unasked or str(error) != self._problem:
                    for line in (*str(error).splitlines(), "what was read before stays in force"):
                        _LOG.error("%s", line)
                self._problem = str(error)
                raise ConfigError(str(error)) from error
            except Exception as error:
                self._itself.reloaded(successful=False)
                supervised.defect(Part.RELOAD, error)
                raise ConfigError("a defect of keywatch: see the log") from error
            self._problem = ""
            log_setup.set_up(config.log)
            self._itself.reloaded(successful=True)
            _LOG.info("configuration read anew: %s", changed)
            for warning in self._watch.warnings():
                _LOG.warning("%s", warning)
            return changed

    async def _go_over(self) -> tuple[str, Config]:
        try:
            async with asyncio.timeout(_READ_WITHIN):
                config = await self._reader.call(self._read)
        except (TimeoutError, ProbeError) as error:
            raise ConfigError(f"reading takes longer than {_READ_WITHIN:g} s, and still goes on") from error
        _same_port(self._watch.config, config)
        return await self._watch.change(config), config

    async def _log_outcome(self) -> None:
        while True:
            self._again = False
            with contextlib.suppress(ConfigError):  # it is logged already
                await self.now()
            if not self._again:
                return


def _same_port(old: Config, new: Config) -> None:
    """Refuse what only a restart can change, in place of pretending that it is in force."""
    for key in type(old.web).model_fields:
        if getattr(old.web, key) != getattr(new.web, key):
            raise ConfigError(f"web.{key}: another value needs a restart")
