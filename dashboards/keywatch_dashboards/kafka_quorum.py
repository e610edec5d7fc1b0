"""Panels of the control plane: do the controllers have a leader, who follows it, and how far behind are brokers?"""

from __future__ import annotations

from keywatch.metrics import quorum as has
from keywatch_dashboards import house
from keywatch_dashboards.grafana import Panel, query
from keywatch_dashboards.panels import StateTimeline, TimeSeries
from keywatch_dashboards.queries import now, rate

_CONTROLLER = "{{cluster}} / {{controller}}"
_NONE = "not known: ZooKeeper, an old Kafka, or no right to ask"


def quorum() -> list[Panel]:
    """Draw whether there is a leader, and which controllers follow it."""
    return [
        StateTimeline(
            title="Quorum of controllers",
            description="Do the controllers have a leader, and since when not? Without one no partition gets one.",
            width=8,
            mappings=house.words({0: ("no leader", house.BAD), 1: ("has a leader", house.GOOD)}),
            no_value=_NONE,
            targets=[query(now(has.QUORUM_UP), "{{cluster}}")],
        ),
        StateTimeline(
            title="Controllers that follow the leader",
            description="Which controller is dead, or does not reach the leader, and since when?",
            width=8,
            mappings=house.words({0: ("does not follow", house.ATTENTION), 1: ("follows", house.GOOD)}),
            no_value=_NONE,
            targets=[query(now(has.CONTROLLER_UP, "controller"), _CONTROLLER)],
        ),
        StateTimeline(
            title="Brokers cut off from the controllers",
            description="Which broker answers clients and is fenced, or about to be, and since when?",
            width=8,
            mappings=house.words({0: ("heard", house.GOOD), 1: ("fenced", house.BAD)}),
            no_value=_NONE,
            targets=[query(now(has.BROKER_FENCED, "broker"), "{{cluster}} / {{broker}}")],
        ),
    ]


def behind() -> list[Panel]:
    """Draw elections, and how far controllers and brokers are behind the leader."""
    return [
        TimeSeries(
            title="Elections among controllers",
            description="How often does the quorum elect a leader? For some seconds nothing else is elected.",
            width=8,
            unit="suffix:elections/s",
            low=0,
            no_value=_NONE,
            targets=[query(rate(has.QUORUM_ELECTIONS_TOTAL), "{{cluster}}")],
        ),
        TimeSeries(
            title="Metadata that controllers lack",
            description="How many records of the cluster's metadata has each controller not fetched?",
            width=8,
            low=0,
            decimals=0,
            no_value=_NONE,
            targets=[query(now(has.CONTROLLER_LAG_RECORDS, "controller"), _CONTROLLER)],
        ),
        TimeSeries(
            title="Metadata that brokers lack",
            description="How many records of the cluster's metadata has each broker not fetched yet?",
            width=8,
            low=0,
            decimals=0,
            no_value=_NONE,
            targets=[query(now(has.BROKER_METADATA_LAG_RECORDS, "broker"), "{{cluster}} / {{broker}}")],
        ),
    ]
