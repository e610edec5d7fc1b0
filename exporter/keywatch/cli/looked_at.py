"""Makes a row for each probe that `keywatch check` ran beside the brokers': its state, and what it found in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from keywatch.engine.counted import counted
from keywatch.engine.series import Labels
from keywatch.engine.store import Key, key_of
from keywatch.metrics import canary, dead_letters, events, groups, keycloak, logs, reconciliation
from keywatch.metrics.metric import Metric
from keywatch.service.watch import Watch

_Values = Callable[[Metric], Mapping[Labels, float]]
_BROKER_PROBES = frozenset({"broker", "cluster"})
"""What the table of the brokers shows."""


def looked_at(watch: Watch, cluster: str) -> list[dict[str, Any]]:
    """Return for each probe: `probe`, `target`, `state` (`ok`, `wrong`, `no answer`) and `found`, in words."""
    accounts = dict(watch.store.accounts())
    rows = []
    for key in sorted(key_of(probe) for probe in watch.scheduler.probes):
        if key.cluster != cluster or key.probe in _BROKER_PROBES:
            continue
        account = accounts.get(key)
        state = "no answer" if account is None or not account.success else "ok"
        if state == "ok" and watch.incidents.count(key):
            state = "wrong"
        words = _WORDS.get(key.probe)
        found = words(watch.store.values, key, watch) if words is not None else ""
        rows.append({"probe": key.probe, "target": key.target, "state": state, "found": found})
    return rows


def _topics(_: _Values, key: Key, watch: Watch) -> str:
    topics = watch.topologies[key.cluster].topics
    return counted(len(topics), "topic") if topics is not None else ""


def _groups(values: _Values, key: Key, _: Watch) -> str:
    return counted(sum(labels[0] == key.cluster for labels in values(groups.GROUP_UP)), "consumer group")


def _canary(values: _Values, key: Key, _: Watch) -> str:
    states = [up for labels, up in values(canary.CANARY_UP).items() if labels[0] == key.cluster]
    return f"records cross {sum(map(bool, states))} of {len(states)} brokers" if states else ""


def _keycloak(values: _Values, key: Key, _: Watch) -> str:
    took = values(keycloak.KEYCLOAK_RESPONSE_SECONDS).get((key.cluster, key.target))
    return f"answers in {took * 1000:.0f} ms" if took is not None else ""


def _events(values: _Values, key: Key, _: Watch) -> str:
    def total(metric: Metric) -> float:
        return sum(count for labels, count in values(metric).items() if labels[:2] == (key.cluster, key.target))

    behind = values(events.EVENTS_BEHIND_RECORDS).get((key.cluster, key.target), 0.0)
    late = f", {behind:.0f} records behind" if behind else ""
    received, malformed = total(events.EVENTS_RECEIVED_TOTAL), total(events.EVENTS_MALFORMED_TOTAL)
    return f"{counted(received, 'event')} and {counted(malformed, 'malformed record')} were read{late}"


def _reconciliation(values: _Values, key: Key, _: Watch) -> str:
    missing = values(reconciliation.EVENTS_MISSING)
    count = sum(number for labels, number in missing.items() if labels[:2] == (key.cluster, key.target))
    return f"{counted(count, 'event')} missing since this look began"


def _dlq(values: _Values, key: Key, _: Watch) -> str:
    depth = values(dead_letters.DLQ_RECORDS).get((key.cluster, key.target))
    return counted(depth, "dead letter") if depth is not None else ""


def _elasticsearch(values: _Values, key: Key, _: Watch) -> str:
    states = values(logs.ELASTICSEARCH_STATUS)
    return ", ".join(labels[1] for labels, held in states.items() if held and labels[0] == key.cluster)


_WORDS: Final[Mapping[str, Callable[[_Values, Key, Watch], str]]] = {
    "topics": _topics,
    "groups": _groups,
    "canary": _canary,
    "keycloak": _keycloak,
    "events": _events,
    "reconciliation": _reconciliation,
    "dlq": _dlq,
    "elasticsearch": _elasticsearch,
}
