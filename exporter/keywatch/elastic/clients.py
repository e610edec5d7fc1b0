"""Loads the official client of a product when one first answers: each costs more than most of keywatch together."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from keywatch.elastic.api import Api
from keywatch.elastic.product import Name
from keywatch.elastic.wire import Call, Wire
from keywatch.engine.worker import Worker

Connect = Callable[[Wire], Callable[[Call], Api]]
"""Makes a client that speaks through a wire, and then what asks by it for the length of a call."""
_loaded: dict[Name, Connect] = {}


async def client_of(name: Name) -> Connect:
    """Return it, loaded on a thread for the first time: the loop has other things to do meanwhile."""
    if name not in _loaded:
        worker = Worker(f"client-{name}")
        try:
            await worker.call(partial(load, name))
        finally:
            worker.end()
    return _loaded[name]


def load(name: Name) -> None:
    """Load it here and now."""
    # It tells of each request that it sends; the probes tell what became of them.
    logging.getLogger("elastic_transport").setLevel(logging.WARNING)
    if name is Name.ELASTICSEARCH:
        from keywatch.elastic.elasticsearch_api import connected  # noqa: PLC0415 - only once one answers
    else:
        from keywatch.elastic.opensearch_api import connected  # noqa: PLC0415 - as above
    _loaded[name] = connected
