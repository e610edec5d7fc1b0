"""The part of the page for people that shows the way of logs: Logstash, Elasticsearch, and what can be found."""

from __future__ import annotations

from keywatch.metrics import log_canary as canary
from keywatch.metrics import logs as cat
from keywatch.service.watch import Watch
from keywatch.web.page.cells import (
    ago,
    count,
    heads,
    milliseconds,
    number,
    numeric,
    percent,
    rows_of,
    table,
    text,
    verdict,
)


def logs(watch: Watch, cluster: str) -> str:
    """Write a row for each Logstash, one for Elasticsearch, one for each topic carried there, one for marked events."""
    rows = (_logstashes, _elasticsearch, _topics, _marked)
    return "".join(write(watch, cluster) for write in rows)


def _logstashes(watch: Watch, cluster: str) -> str:
    values = watch.store.values
    answers = values(cat.LOGSTASH_RESPONSE_SECONDS)
    most = values(cat.LOGSTASH_QUEUE_MAX_BYTES)
    fill: dict[tuple[str, ...], float] = {}
    for labels, size in values(cat.LOGSTASH_QUEUE_BYTES).items():
        if most.get(labels):
            fill[labels[:2]] = max(fill.get(labels[:2], 0.0), size / most[labels])
    rejected: dict[tuple[str, ...], float] = {}
    for labels, number_of in values(cat.LOGSTASH_DOCUMENTS_TOTAL).items():
        if labels[-1] == "dlq":
            rejected[labels[:2]] = rejected.get(labels[:2], 0.0) + number_of
    rows = [
        f"<td>{text(key[1])}</td><td>{verdict(state)}</td>{numeric(milliseconds(answers.get(key)))}"
        f"{numeric(percent(fill.get(key)))}{count(rejected.get(key))}"
        for key, state in rows_of(values(cat.LOGSTASH_UP), cluster)
    ]
    return table(heads(("Logstash", "state"), ("answer", "fullest queue", "refused")), rows)


def _elasticsearch(watch: Watch, cluster: str) -> str:
    values = watch.store.values
    key = (cluster,)
    state = values(cat.ELASTICSEARCH_UP).get(key)
    if state is None:
        return ""
    status = next((one[1] for one, held in values(cat.ELASTICSEARCH_STATUS).items() if one[0] == cluster and held), "")
    product = next((f"{one[1]} {one[2]}" for one in values(cat.ELASTICSEARCH_INFO) if one[0] == cluster), "")
    free = values(cat.ELASTICSEARCH_DISK_AVAILABLE_RATIO).get(key)
    row = (
        f"<td>{text(product)}</td><td>{verdict(state)}</td><td>{text(status)}</td>"
        f"{numeric(percent(free))}"
        f"{count(values(cat.ELASTICSEARCH_LIFECYCLE_ERROR_INDICES).get(key))}"
        f"{count(values(cat.ELASTICSEARCH_BLOCKED_INDICES).get(key))}"
    )
    return table(heads(("search", "state", "health"), ("free disk", "policy errors", "read-only")), [row])


def _topics(watch: Watch, cluster: str) -> str:
    values = watch.store.values
    index, seconds = values(cat.LOG_INDEX_LAG_RECORDS), values(cat.LOG_LAG_SECONDS)
    rows = [
        f"<td>{text(key[1])}</td>{numeric(number(unread))}{numeric(number(index.get(key)))}"
        f"{numeric(ago(seconds.get(key)))}"
        for key, unread in rows_of(values(cat.LOG_CONSUME_LAG_RECORDS), cluster)
    ]
    return table(heads(("logs of",), ("not read", "read, not to be found", "behind")), rows)


def _marked(watch: Watch, cluster: str) -> str:
    values = watch.store.values
    key = (cluster,)
    state = values(canary.LOG_CANARY_UP).get(key)
    if state is None:
        return ""
    took, limit = (
        values(one).get(key) for one in (canary.LOG_CANARY_LAST_ROUND_TRIP_SECONDS, canary.LOG_CANARY_LIMIT_SECONDS)
    )
    lost = values(canary.LOG_CANARY_EVENTS_TOTAL).get((cluster, "lost"))
    row = f"<td>{verdict(state)}</td>{numeric(ago(took))}{numeric(ago(limit))}{count(lost)}"
    return table(heads(("marked events",), ("to the search in", "limit", "lost")), [row])
