"""Known states of a store, for tests of what is made of them."""

from __future__ import annotations

from keywatch.engine.probe import Reason, Sample
from keywatch.engine.store import Account, Key, Store
from keywatch.metrics import canary as sent
from keywatch.metrics import cluster as cat

NOW = 1e9  # on the monotonic clock, long after any test: what expires then stands
WALL = 1_700_000_000.0  # in Unix time
ODD = 'a"b\\c\nd {e="f"}'  # everything that has to be escaped


def known() -> Store:
    """Make a store with each kind of metric, labels that need escaping, and accounts of several targets."""
    store = Store()
    for broker, up in (("1", 1.0), ("2", 0.0)):
        key = Key("kafka", "broker", broker)
        samples = [
            Sample(cat.BROKER_UP, ("kafka", broker), up),
            Sample(cat.BROKER_RESPONSE_SECONDS, ("kafka", broker), 0.0125 * int(broker)),
            Sample(cat.BROKER_FAILURES_TOTAL, ("kafka", broker, Reason.REFUSED), 1.0 - up),
        ]
        store.replace(key, samples, WALL - int(broker), NOW + 10)
        store.account(key, Account(True, WALL - int(broker), 0.5), 0.002, None)
    canary = Key("kafka", "canary", "")
    trips = [Sample(sent.CANARY_ROUND_TRIP_SECONDS, ("kafka", "1"), seconds) for seconds in (0.004, 0.005, 0.3, 7.0)]
    store.replace(canary, [Sample(sent.CANARY_UP, ("kafka", "1"), 1.0), *trips], WALL, NOW + 10)
    store.account(canary, Account(False, WALL - 30, 1.0), 2.5, Reason.TIMEOUT_RESPONSE)
    offsets = Key("kafka", "offsets", "")
    ends = [Sample(cat.PARTITION_END_OFFSET, ("kafka", ODD, str(index)), 2.0**53 * index) for index in range(2)]
    store.replace(offsets, ends, WALL, NOW + 10)
    store.account(offsets, Account(True, WALL, 1.0), 0.01, None)
    return store
