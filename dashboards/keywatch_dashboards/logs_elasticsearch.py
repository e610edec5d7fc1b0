"""Panels of Elasticsearch: does the cluster work, and is what must be kept kept?"""

from __future__ import annotations

from keywatch.metrics import logs as has
from keywatch_dashboards import house
from keywatch_dashboards.grafana import Panel, newest, query
from keywatch_dashboards.panels import Stat, StateTimeline, Table, TimeSeries
from keywatch_dashboards.queries import now, rate

_NO_SEARCH = "no Elasticsearch is watched"
_DISK_LOW, _DISK_FULL = 0.15, 0.05


def search() -> list[Panel]:
    """Draw how the cluster of Elasticsearch is."""
    states = (now(has.ELASTICSEARCH_STATUS, where=f'status="{name}"') for name in ("green", "yellow", "red"))
    status = "\nor ".join(f"({state} == 1) * {number}" for number, state in enumerate(states))
    return [
        StateTimeline(
            title="Elasticsearch answers",
            description="Does it answer, and since when not?",
            width=6,
            mappings=house.words(house.UP_DOWN),
            no_value=_NO_SEARCH,
            targets=[query(now(has.ELASTICSEARCH_UP), "{{cluster}}")],
        ),
        StateTimeline(
            title="Health of its cluster",
            description="Is a copy missing (yellow), or a whole shard, so that events cannot be found (red)?",
            width=6,
            mappings=house.words({0: ("green", house.GOOD), 1: ("yellow", house.ATTENTION), 2: ("red", house.BAD)}),
            no_value=_NO_SEARCH,
            targets=[query(status, "{{cluster}}")],
        ),
        TimeSeries(
            title="Disk left on the fullest node",
            description="How much is free? Below 15 % a node takes no new shards, at 5 % nothing can be written.",
            width=6,
            unit="percentunit",
            low=0,
            high=1,
            limit_line=True,
            steps=house.below(attention=_DISK_LOW, bad=_DISK_FULL),
            no_value=_NO_SEARCH,
            targets=[query(now(has.ELASTICSEARCH_DISK_AVAILABLE_RATIO, how="min"), "{{cluster}}")],
        ),
        Stat(
            title="Indices that take nothing, or stand still",
            description="How many indices are read-only and should not be, and how many lifecycles stand still?",
            width=6,
            decimals=0,
            steps=house.above(bad=1),
            no_value=_NO_SEARCH,
            targets=[
                newest(now(has.ELASTICSEARCH_BLOCKED_INDICES), "{{cluster}}: read-only"),
                newest(now(has.ELASTICSEARCH_LIFECYCLE_ERROR_INDICES), "{{cluster}}: lifecycle"),
            ],
        ),
    ]


def kept() -> list[Panel]:
    """Draw how much is kept, and where lifecycles stand still."""
    columns = {
        "Size": now(has.ELASTICSEARCH_DATA_STREAM_BYTES, "dataset"),
        "Indices": now(has.ELASTICSEARCH_BACKING_INDICES, "dataset"),
    }
    return [
        Table(
            title="Data streams",
            description="How much does each dataset take, in how many indices?",
            width=12,
            sort="Size",
            no_value=_NO_SEARCH,
            targets=[newest(expr, table=True) for expr in columns.values()],
            transformations=house.joined({"cluster": "Cluster", "dataset": "Dataset"}, list(columns)),
            overrides=[house.column("Size", unit="bytes")],
        ),
        TimeSeries(
            title="Ingest pipeline failed",
            description="On how many documents could Elasticsearch's own pipeline not do its work?",
            width=12,
            unit="suffix:documents/s",
            low=0,
            no_value=_NO_SEARCH,
            targets=[query(rate(has.ELASTICSEARCH_INGEST_FAILED_TOTAL, "pipeline"), "{{cluster}} / {{pipeline}}")],
        ),
    ]
