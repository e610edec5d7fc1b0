"""Panels of the brokers' disks: which log directory failed, how full are they, and what lies there?"""

from __future__ import annotations

from keywatch.metrics import log_dirs as has
from keywatch_dashboards import house, palette
from keywatch_dashboards.grafana import Panel, query
from keywatch_dashboards.panels import StateTimeline, TimeSeries
from keywatch_dashboards.queries import now, pick

_DIRECTORY = "{{cluster}} / {{broker}} / {{log_dir}}"
_BROKER = "{{cluster}} / {{broker}}"
_NONE = "not known: an old Kafka, or no right to ask"
_PLACE = ("broker", "log_dir")


def directories() -> list[Panel]:
    """Draw which directories are in use, how much is free under them, and for how long that lasts."""
    free = now(has.LOG_DIR_FREE_BYTES, *_PLACE, how="min")
    size = now(has.LOG_DIR_SIZE_BYTES, *_PLACE)
    left = pick(has.LOG_DIR_FREE_BYTES)
    full_in = f"min by (cluster, broker, log_dir) (\n  {left}\n  / -(deriv({left}[1h]) < 0)\n)"
    return [
        StateTimeline(
            title="Log directories",
            description="Which directory did a broker take out of use because reading or writing failed, and when?",
            width=8,
            mappings=house.words({0: ("offline", house.BAD), 1: ("in use", house.GOOD)}),
            no_value=_NONE,
            targets=[query(now(has.LOG_DIR_UP, *_PLACE), _DIRECTORY)],
        ),
        TimeSeries(
            title="Free on the brokers' disks",
            description="Which share of each volume is free? Below 5 % somebody is called.",
            width=8,
            unit="percentunit",
            low=0,
            steps=house.below(attention=0.3, bad=0.05),
            no_value=_NONE,
            targets=[query(f"{free}\n/ {size}", _DIRECTORY)],
        ),
        TimeSeries(
            title="Time until a disk is full",
            description="If it goes on growing as in the last hour, when is each volume full? Absent: it does not.",
            width=8,
            unit="dtdurations",
            low=0,
            decimals=0,
            no_value="no disk fills",
            targets=[query(full_in, _DIRECTORY)],
        ),
    ]


def sizes() -> list[Panel]:
    """Draw what lies on the disks, by broker and by topic."""
    by_topic = now(has.TOPIC_LOG_BYTES, "broker", "topic")
    return [
        TimeSeries(
            title="Bytes on each broker",
            description="Do the brokers keep about as much as each other, or does one fill up first?",
            width=12,
            unit="bytes",
            low=0,
            no_value=_NONE,
            overrides=palette.by_broker(),
            targets=[query(f"sum by (cluster, broker) ({by_topic})", _BROKER)],
        ),
        TimeSeries(
            title="Bytes of the largest topics",
            description="Which ten topics take up the most, all replicas together, and which of them grows?",
            width=12,
            unit="bytes",
            low=0,
            no_value=_NONE,
            targets=[query(f"topk(10, sum by (cluster, topic) ({by_topic}))", "{{cluster}} / {{topic}}")],
        ),
    ]
