"""Has every asynchronous test run on the event loop of `keywatch serve`, and no example against a clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import uvloop
from hypothesis import settings

# Time is measured by `make bench`; on a busy machine any example may take long.
settings.register_profile("keywatch", deadline=None)
settings.load_profile("keywatch")


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], uvloop.Loop]]:
    """Return the one loop there is."""
    return {"uvloop": uvloop.new_event_loop}
