"""Has every asynchronous test run on the event loop that `keywatch serve` runs on."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import uvloop


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], uvloop.Loop]]:
    """Give the one loop there is."""
    return {"uvloop": uvloop.new_event_loop}
