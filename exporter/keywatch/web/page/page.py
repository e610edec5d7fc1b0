"""The page for people: what is wrong now and since when, then clusters, brokers, topics and groups at a glance."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from heapq import nsmallest
from itertools import chain, islice

from keywatch import __version__
from keywatch.engine.incident import Incident
from keywatch.engine.series import Labels
from keywatch.engine.slices import Pieces, at_once
from keywatch.metrics import canary, groups
from keywatch.metrics import cluster as cluster_metrics
from keywatch.names import shortened
from keywatch.service.watch import Watch
from keywatch.web.page.cells import MOST_ROWS, ago, count, heads, milliseconds, number, numeric, table, text, verdict
from keywatch.web.page.logs import logs
from keywatch.web.page.path import dead_letters, events, keycloaks

_ROWS_PER_PIECE = 500
_FOLLOWERS_SHOWN = 5
# Relative, so that they hold behind a proxy that serves keywatch below a path.
_LINKS = tuple(
    f'<a href="{path}">/{path}</a>'
    for path in ("metrics", "metrics?collect[]=health", "-/incidents", "-/healthy", "-/ready", "-/config")
)
STYLE = """
:root{color-scheme:light dark;--bad:#b3261e;--good:#1b6e3c;--dim:#666;--line:#8884}
@media (prefers-color-scheme:dark){:root{--bad:#ff8a80;--good:#7bd88f;--dim:#aaa}}
*{box-sizing:border-box}
body{font:15px/1.45 system-ui,sans-serif;margin:0 auto;max-width:72rem;padding:1rem}
h1{font-size:1.2rem;margin:0}h2{font-size:1.05rem;margin:1.4rem 0 .4rem}
header{display:flex;flex-wrap:wrap;gap:.3rem 1rem;align-items:baseline;justify-content:space-between}
.state{font-size:1.35rem;font-weight:600;margin:.8rem 0 .2rem}
a{color:inherit}
.bad{color:var(--bad)}.good{color:var(--good)}.dim{color:var(--dim)}
.wrap{overflow-x:auto;margin-bottom:1rem}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.25rem .7rem .25rem 0;border-bottom:1px solid var(--line);vertical-align:top}
th{font-weight:600;color:var(--dim);font-size:.85rem}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td.s{white-space:nowrap}
td.follows{color:var(--dim);padding-left:1.2rem}
td{overflow-wrap:anywhere}
@media (max-width:600px){
body{padding:.6rem}
.wrong th{display:none}
.wrong tr{display:block;border-bottom:1px solid var(--line);padding:.3rem 0}
.wrong td{display:inline;border:0;padding:0 .4rem 0 0}
.wrong td:first-child{display:block;font-weight:600}
.wrong td:nth-child(2){display:inline-block}
.wrong td.follows{padding-left:1.2rem;font-weight:400}
.wrong td.n,.wrong td.s{color:var(--dim)}
td,th{padding-right:.4rem;font-size:.9rem}
}
"""
"""The page's only style."""


def page(watch: Watch, now: float) -> str:
    """Write the page as HTML; `now` in Unix time. It reloads itself every two seconds."""
    return at_once(writing(watch, now))


def writing(watch: Watch, now: float) -> Pieces[str]:
    """Write the page as `page` does, in pieces."""
    store = watch.store
    store.expire(time.monotonic())
    parts = [(yield from _incidents(watch, now))]
    for cluster in watch.config.clusters:
        name = cluster.name
        up = store.values(cluster_metrics.CLUSTER_UP).get((name,))
        alive = store.values(cluster_metrics.BROKERS).get((name,), 0.0)
        expected = store.values(cluster_metrics.BROKERS_EXPECTED).get((name,), 0.0)
        identity = watch.topologies[name].cluster_id if name in watch.topologies else ""
        parts.append(
            f"<h2>Cluster {text(name)} {verdict(up)}</h2>"
            f'<p class="dim">{alive:.0f} of {expected:.0f} brokers alive. {text(identity)}</p>'
        )
        yield
        for part in (_brokers, keycloaks, events):
            parts.append(part(watch, name))
            yield
        parts += [dead_letters(watch, name, now), logs(watch, name)]
        yield
        parts += [(yield from _topics(watch, name)), (yield from _groups(watch, name))]
    clock = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="2">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><title>keywatch</title>'
        f"<style>{STYLE}</style></head><body><header><h1>keywatch</h1>"
        f'<span class="dim">{clock}, {text(__version__)}</span></header>{"".join(parts)}'
        f"<h2>More</h2><p>{' · '.join(_LINKS)}</p>"
        "</body></html>\n"
    )


def _incidents(watch: Watch, now: float) -> Pieces[str]:
    overview = yield from watch.incidents.overview(MOST_ROWS)
    waiting = watch.scheduler.not_yet_run()
    if not overview.things:
        words = "Looking; some probes have not answered yet." if waiting else overview.words
        return f'<p class="state {"dim" if waiting else "good"}">{words}</p>'
    rows = []
    for incident in overview.first:
        rows.append(_row(incident, now))
        followers = overview.follow(incident)
        rows += [_row(one, now, "follows") for one in followers.first[:_FOLLOWERS_SHOWN]]
        if (more := followers.count - _FOLLOWERS_SHOWN) > 0:
            rows.append(f'<td class="follows">and {more} more that follow from it</td>')
    columns = heads(("what", "where")) + heads(("since",), ("for",))
    left = overview.things - len(overview.first)
    return f'<p class="state bad">{overview.words}</p><div class="wrong">{table(columns, rows, len(rows) + left)}</div>'


def _row(incident: Incident, now: float, style: str = "") -> str:
    cell = f'<td class="{style}">' if style else "<td>"
    return (
        f"{cell}{text(incident.note)}</td>{cell}{text(incident.where)}</td>"
        f'<td class="s">{time.strftime("%H:%M:%S", time.gmtime(incident.since))} UTC</td>'
        f"{numeric(ago(now - incident.since))}"
    )


def _brokers(watch: Watch, cluster: str) -> str:
    store = watch.store
    states = store.values(cluster_metrics.BROKER_UP)
    answers = store.values(cluster_metrics.BROKER_RESPONSE_SECONDS)
    canaries = store.values(canary.CANARY_UP)
    trips = store.values(canary.CANARY_LAST_ROUND_TRIP_SECONDS)
    topology = watch.topologies.get(cluster)
    rows = []
    for label, broker in topology.brokers.items() if topology else ():
        key = (cluster, label)
        where = str(broker.endpoint) if broker.endpoint else "address unknown"
        rows.append(
            f"<td>{text(label)}</td><td>{text(where)}</td><td>{verdict(states.get(key))}</td>"
            f"{numeric(milliseconds(answers.get(key)))}"
            f"<td>{verdict(canaries.get(key), 'crosses', 'fails')}</td>"
            f"{numeric(milliseconds(trips.get(key)))}"
        )
    answering = heads(("broker", "address", "state"), ("answer",))
    return table(answering + heads(("canary",), ("round trip",)), rows)


def _topics(watch: Watch, cluster: str) -> Pieces[str]:
    metrics = (
        cluster_metrics.TOPIC_PARTITIONS_OFFLINE,
        cluster_metrics.TOPIC_PARTITIONS_ELECTING,
        cluster_metrics.TOPIC_PARTITIONS_BELOW_MIN_ISR,
        cluster_metrics.TOPIC_PARTITIONS_UNDER_REPLICATED,
    )
    columns: list[Mapping[Labels, float]] = []
    for metric in metrics:
        column = yield from watch.store.reading(metric, cluster)
        columns.append(column)
    partitions = yield from watch.store.reading(cluster_metrics.TOPIC_PARTITIONS, cluster)
    rows = []
    for labels, size in (yield from _worst_first(partitions, columns)):
        cells = "".join(count(column.get(labels)) for column in columns)
        rows.append(f"<td>{text(shortened(labels[1]))}</td>{numeric(number(size))}{cells}")
    yield
    counted = ("partitions", "offline", "electing", "below min ISR", "under-replicated")
    return table(heads(("topic",), counted), rows, len(partitions))


def _groups(watch: Watch, cluster: str) -> Pieces[str]:
    records = yield from watch.store.reading(groups.GROUP_LAG_RECORDS, cluster)
    seconds = yield from watch.store.reading(groups.GROUP_LAG_SECONDS, cluster)
    unknown = yield from watch.store.reading(groups.GROUP_PARTITIONS_UNKNOWN, cluster)
    members = yield from watch.store.reading(groups.GROUP_MEMBERS, cluster)
    rows = []
    for labels, lag in (yield from _worst_first(records, [unknown, records])):
        rows.append(
            f"<td>{text(shortened(labels[1]))}</td><td>{text(shortened(labels[2]))}</td>"
            f"{numeric(number(members.get(labels[:2])))}{numeric(number(lag))}"
            f"{numeric(ago(seconds.get(labels)))}{count(unknown.get(labels))}"
        )
    yield
    counted = ("members", "lag, records", "lag, time", "partitions unknown")
    return table(heads(("group", "topic"), counted), rows, len(records))


def _worst_first(
    rows: Mapping[Labels, float], columns: Sequence[Mapping[Labels, float]]
) -> Pieces[list[tuple[Labels, float]]]:
    """Return as many rows as a table shows, those first with the highest values in the columns, then by name."""
    worst: list[tuple[Labels, float]] = []
    left = iter(rows.items())
    while some := list(islice(left, _ROWS_PER_PIECE)):
        worst = nsmallest(
            MOST_ROWS, chain(worst, some), key=lambda row: ([-column.get(row[0], 0.0) for column in columns], row[0])
        )
        yield
    return worst
