"""The part of the page for people that shows the path of events: Keycloak's nodes, and what arrived of their events."""

from __future__ import annotations

from keywatch import catalogue_events, catalogue_keycloak, catalogue_reconciliation
from keywatch.metric import Metric
from keywatch.page_cells import count, milliseconds, number, table, text, verdict
from keywatch.watch import Watch


def keycloaks(watch: Watch, cluster: str) -> str:
    """Write a row for each node of Keycloak."""
    up = watch.store.values(catalogue_keycloak.KEYCLOAK_UP)
    ready = watch.store.values(catalogue_keycloak.KEYCLOAK_READY)
    answers = watch.store.values(catalogue_keycloak.KEYCLOAK_RESPONSE_SECONDS)
    rows = [
        f"<td>{text(key[1])}</td><td>{verdict(state)}</td><td>{verdict(ready.get(key), 'ready', 'not ready')}</td>"
        f'<td class="n">{milliseconds(answers.get(key))}</td>'
        for key, state in sorted(up.items())
        if key[0] == cluster
    ]
    return table('<th>Keycloak</th><th>state</th><th>readiness</th><th class="n">answer</th>', rows)


def events(watch: Watch, cluster: str) -> str:
    """Write a row for each listener: what arrived, and what is wrong with it."""
    up = watch.store.values(catalogue_events.EVENTS_UP)
    behind = watch.store.values(catalogue_events.EVENTS_BEHIND_RECORDS)
    received = _sums(watch, catalogue_events.EVENTS_RECEIVED_TOTAL)
    malformed = _sums(watch, catalogue_events.EVENTS_MALFORMED_TOTAL)
    missing = _sums(watch, catalogue_reconciliation.EVENTS_MISSING)
    lost = _sums(watch, catalogue_reconciliation.EVENTS_LOST_TOTAL)
    rows = [
        f"<td>{text(key[1])}</td><td>{verdict(state, 'read', 'not read')}</td>"
        f'<td class="n">{number(received.get(key))}</td>{count(missing.get(key))}{count(lost.get(key))}'
        f"{count(malformed.get(key))}{count(behind.get(key))}"
        for key, state in sorted(up.items())
        if key[0] == cluster
    ]
    heads = "".join(f'<th class="n">{head}</th>' for head in ("received", "missing", "lost", "malformed", "behind"))
    return table(f"<th>events of</th><th>state</th>{heads}", rows)


def _sums(watch: Watch, metric: Metric) -> dict[tuple[str, ...], float]:
    """Sum a metric over all labels but cluster and listener."""
    sums: dict[tuple[str, ...], float] = {}
    for labels, value in watch.store.values(metric).items():
        sums[labels[:2]] = sums.get(labels[:2], 0.0) + value
    return sums
