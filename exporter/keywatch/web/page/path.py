"""The part of the page for people that shows the path of events: Keycloak's nodes, what arrived, and what died."""

from __future__ import annotations

from keywatch.metrics import dead_letters as dead_letter_metrics
from keywatch.metrics import events as event_metrics
from keywatch.metrics import keycloak as keycloak_metrics
from keywatch.metrics import reconciliation
from keywatch.metrics.metric import Metric
from keywatch.service.watch import Watch
from keywatch.web.page.cells import ago, count, heads, milliseconds, number, numeric, rows_of, table, text, verdict


def keycloaks(watch: Watch, cluster: str) -> str:
    """Write a row for each node of Keycloak."""
    up = watch.store.values(keycloak_metrics.KEYCLOAK_UP)
    ready = watch.store.values(keycloak_metrics.KEYCLOAK_READY)
    answers = watch.store.values(keycloak_metrics.KEYCLOAK_RESPONSE_SECONDS)
    rows = [
        f"<td>{text(key[1])}</td><td>{verdict(state)}</td><td>{verdict(ready.get(key), 'ready', 'not ready')}</td>"
        f"{numeric(milliseconds(answers.get(key)))}"
        for key, state in rows_of(up, cluster)
    ]
    return table(heads(("Keycloak", "state", "readiness"), ("answer",)), rows)


def events(watch: Watch, cluster: str) -> str:
    """Write a row for each listener: what arrived, and what is wrong with it."""
    up = watch.store.values(event_metrics.EVENTS_UP)
    behind = watch.store.values(event_metrics.EVENTS_BEHIND_RECORDS)
    received = _sums(watch, event_metrics.EVENTS_RECEIVED_TOTAL)
    malformed = _sums(watch, event_metrics.EVENTS_MALFORMED_TOTAL)
    missing = _sums(watch, reconciliation.EVENTS_MISSING)
    lost = _sums(watch, reconciliation.EVENTS_LOST_TOTAL)
    rows = [
        f"<td>{text(key[1])}</td><td>{verdict(state, 'read', 'not read')}</td>"
        f"{numeric(number(received.get(key)))}{count(missing.get(key))}{count(lost.get(key))}"
        f"{count(malformed.get(key))}{count(behind.get(key))}"
        for key, state in rows_of(up, cluster)
    ]
    return table(heads(("events of", "state"), ("received", "missing", "lost", "malformed", "behind")), rows)


def dead_letters(watch: Watch, cluster: str, now: float) -> str:
    """Write a row for each dead-letter queue: what lies there, and since when; `now` in Unix time."""
    up = watch.store.values(dead_letter_metrics.DLQ_UP)
    depth = watch.store.values(dead_letter_metrics.DLQ_RECORDS)
    added = _sums(watch, dead_letter_metrics.DLQ_ADDED_TOTAL)
    unreadable = watch.store.values(dead_letter_metrics.DLQ_UNREADABLE)
    oldest = watch.store.values(dead_letter_metrics.DLQ_OLDEST_TIMESTAMP_SECONDS)
    rows = [
        f"<td>{text(key[1])}</td><td>{verdict(state, 'read', 'not read')}</td>{count(depth.get(key))}"
        f"{count(added.get(key))}{numeric(ago(now - oldest[key] if key in oldest else None))}"
        f"{count(unreadable.get(key))}"
        for key, state in rows_of(up, cluster)
    ]
    return table(heads(("dead letters in", "state"), ("lie there", "came", "oldest", "unreadable")), rows)


def _sums(watch: Watch, metric: Metric) -> dict[tuple[str, ...], float]:
    """Sum a metric over all labels but its first two: the cluster, and the listener or queue."""
    sums: dict[tuple[str, ...], float] = {}
    for labels, value in watch.store.values(metric).items():
        sums[labels[:2]] = sums.get(labels[:2], 0.0) + value
    return sums
