"""Gives every test the event loop of `keywatch serve` and a time-out, and ends what outlives a test process."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
import uvloop
from hypothesis import settings

from tests import slowness, timeouts
from tests.kafka import guard

_GUARD = pytest.StashKey[guard.Guard]()

# Time is measured by `make bench`; on a busy machine any example may take long.
settings.register_profile("keywatch", deadline=None)
settings.load_profile("keywatch")


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], uvloop.Loop]]:
    """Return the one loop there is."""
    return {"uvloop": uvloop.new_event_loop}


def pytest_configure(config: pytest.Config) -> None:
    """Have all ended that this process leaves behind, also when a time-out or a signal ends it."""
    config.stash[_GUARD] = guard.everything()
    config.pluginmanager.register(timeouts)
    config.pluginmanager.register(slowness)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Look for what was left behind."""
    config.stash[_GUARD].close()
