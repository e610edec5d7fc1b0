"""The panels of marked events on the dashboard of logs: does an event reach the search, and how long does it take?"""

from __future__ import annotations

from keywatch.metrics import log_canary as has
from keywatch_dashboards import house
from keywatch_dashboards.grafana import Panel, query
from keywatch_dashboards.panels import StateTimeline, TimeSeries
from keywatch_dashboards.queries import now, rate

_CLUSTER = "{{cluster}}"
_NONE = "no marked events are sent (logs.canary)"


def marked() -> list[Panel]:
    """Make the panels."""
    return [
        StateTimeline(
            title="Marked events arrive",
            description="Can the newest event that keywatch itself wrote be found in time, and since when not?",
            width=8,
            mappings=house.words({0: ("not found", house.BAD), 1: ("found", house.GOOD)}),
            no_value=_NONE,
            targets=[query(now(has.LOG_CANARY_UP), _CLUSTER)],
        ),
        TimeSeries(
            title="From Kafka to the search",
            description="How long does a marked event need from Kafka until it can be found, and how long may it?",
            width=8,
            unit="s",
            low=0,
            no_value=_NONE,
            targets=[
                query(now(has.LOG_CANARY_LAST_ROUND_TRIP_SECONDS), _CLUSTER),
                query(now(has.LOG_CANARY_LIMIT_SECONDS, how="min"), f"{_CLUSTER}: limit"),
            ],
        ),
        TimeSeries(
            title="What became of marked events",
            description="Were they found, late, lost, or refused by Kafka?",
            width=8,
            unit="suffix:events/s",
            low=0,
            stacked=True,
            no_value=_NONE,
            targets=[query(rate(has.LOG_CANARY_EVENTS_TOTAL, "result"), f"{_CLUSTER}: {{{{result}}}}")],
        ),
    ]
