"""The part of the page for people that shows the way of logs: Logstash, Elasticsearch, and what can be found."""

from __future__ import annotations

from keywatch.metrics import log_canary as canary
from keywatch.metrics import logs as cat
from keywatch.service.watch import Watch
from keywatch.web.page.cells import ago, count, milliseconds, number, table, text, verdict


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
        f'<td>{text(key[1])}</td><td>{verdict(state)}</td><td class="n">{milliseconds(answers.get(key))}</td>'
        f'<td class="n">{"" if key not in fill else f"{fill[key]:.0%}"}</td>{count(rejected.get(key))}'
        for key, state in sorted(values(cat.LOGSTASH_UP).items())
        if key[0] == cluster
    ]
    heads = "".join(f'<th class="n">{head}</th>' for head in ("answer", "fullest queue", "refused"))
    return table(f"<th>Logstash</th><th>state</th>{heads}", rows)


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
        f'<td class="n">{"" if free is None else f"{free:.0%}"}</td>'
        f"{count(values(cat.ELASTICSEARCH_LIFECYCLE_ERROR_INDICES).get(key))}"
        f"{count(values(cat.ELASTICSEARCH_BLOCKED_INDICES).get(key))}"
    )
    heads = "".join(f'<th class="n">{head}</th>' for head in ("free disk", "policy errors", "read-only"))
    return table(f"<th>search</th><th>state</th><th>health</th>{heads}", [row])


def _topics(watch: Watch, cluster: str) -> str:
    values = watch.store.values
    index, seconds = values(cat.LOG_INDEX_LAG_RECORDS), values(cat.LOG_LAG_SECONDS)
    rows = [
        f'<td>{text(key[1])}</td><td class="n">{number(unread)}</td><td class="n">{number(index.get(key))}</td>'
        f'<td class="n">{ago(seconds.get(key))}</td>'
        for key, unread in sorted(values(cat.LOG_CONSUME_LAG_RECORDS).items())
        if key[0] == cluster
    ]
    heads = "".join(f'<th class="n">{head}</th>' for head in ("not read", "read, not to be found", "behind"))
    return table(f"<th>logs of</th>{heads}", rows)


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
    row = f'<td>{verdict(state)}</td><td class="n">{ago(took)}</td><td class="n">{ago(limit)}</td>{count(lost)}'
    heads = "".join(f'<th class="n">{head}</th>' for head in ("to the search in", "limit", "lost"))
    return table(f"<th>marked events</th>{heads}", [row])
