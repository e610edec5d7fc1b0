"""Which values mean trouble by themselves, and in which words, where no probe says so (standard library only).

Whoever is paged by an alert must find its object on the page and in `keywatch check`: what an alert watches stands
here, or its probe gives the sample a note. The bounds are those of the alerts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from keywatch.metrics import canary, cluster, dead_letters, events, exporter, keycloak, log_canary, logs, reconciliation
from keywatch.metrics.metric import Metric

Labels = tuple[str, ...]
Judge = Callable[[Labels, float, float], str | None]
"""Labels, a gauge's value and the time (Unix) → what is wrong, or None."""

_MINUTE, _DAY = 60.0, 86_400.0
_RENEW_WITHIN, _ENDS_WITHIN = 14 * _DAY, 2 * _DAY


@dataclass(frozen=True, slots=True)
class Counted:
    """A counter whose rise means trouble for `window` seconds; `only` are the values of its last label that do."""

    one: str
    many: str
    window: float = 15 * _MINUTE
    only: frozenset[str] | None = None
    kind: bool = False
    """Whether the last label says of which kind they are, which people want to read."""

    def words(self, labels: Labels, count: float) -> str:
        """Return what is wrong after a rise by `count` within the window."""
        kind = f" ({labels[-1]})" if self.kind else ""
        span = f"the last {self.window / _MINUTE:.0f} minutes"
        return f"{count:.0f} {self.one if count == 1 else self.many}{kind} in {span}"


def duration(seconds: float) -> str:
    """Write a duration for people, in the unit that suits it."""
    for size, unit in ((_DAY, "days"), (3600.0, "h"), (_MINUTE, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


def _slow(most: float, words: str) -> Judge:
    return lambda _, value, __: f"{words} {duration(value)}, above {duration(most)}" if value > most else None


def _zero(words: str) -> Judge:
    return lambda _, value, __: words if value == 0 else None


def _ends(_: Labels, value: float, now: float) -> str | None:
    left = value - now
    if left >= _RENEW_WITHIN:
        return None
    urgency = "its certificate" if left >= _ENDS_WITHIN else "urgent: its certificate"
    return f"{urgency} ends in {duration(left)}" if left > 0 else f"{urgency} ended {duration(-left)} ago"


def _old(most: float, words: str) -> Judge:
    def judge(_: Labels, value: float, now: float) -> str | None:
        return words.format(duration(now - value)) if now - value > most else None

    return judge


def _lying(_: Labels, value: float, __: float) -> str | None:
    return f"{value:.0f} dead letter{' lies' if value == 1 else 's lie'} in it" if value > 0 else None


def _skewed(_: Labels, value: float, __: float) -> str | None:
    direction = "ahead of" if value > 0 else "behind"
    return f"its clock is {duration(abs(value))} {direction} keywatch's" if abs(value) > 5 else None


def _disk(_: Labels, value: float, __: float) -> str | None:
    return f"only {value:.0%} of the fullest disk is free" if value < 0.15 else None


GAUGES: Final[Mapping[Metric, Judge]] = {
    cluster.BROKER_RESPONSE_SECONDS: _slow(1.5, "answers slowly:"),
    cluster.TLS_CERTIFICATE_NOT_AFTER_TIMESTAMP_SECONDS: _ends,
    canary.CANARY_LAST_ROUND_TRIP_SECONDS: _slow(1.0, "a record takes long to come back:"),
    dead_letters.DLQ_RECORDS: _lying,
    dead_letters.DLQ_OLDEST_TIMESTAMP_SECONDS: _old(_DAY, "its oldest dead letter has lain there for {}"),
    reconciliation.EVENTS_JUDGED_TIMESTAMP_SECONDS: _old(300.0, "whether events are missing was last known {} ago"),
    reconciliation.KEYCLOAK_CLOCK_SKEW_SECONDS: _skewed,
    keycloak.KEYCLOAK_RESPONSE_SECONDS: _slow(0.5, "answers slowly:"),
    keycloak.KEYCLOAK_TLS_CERTIFICATE_NOT_AFTER_TIMESTAMP_SECONDS: _ends,
    logs.LOGSTASH_RELOAD_SUCCESSFUL: _zero("its last reload failed: the configuration before it is in force"),
    logs.ELASTICSEARCH_DISK_AVAILABLE_RATIO: _disk,
    logs.LOG_LAG_SECONDS: _slow(300.0, "what was logged can be found only after"),
    exporter.CONFIG_RELOAD_SUCCESSFUL: _zero("the configuration could not be read anew: the one before is in force"),
    exporter.WEB_CONFIG_RELOAD_SUCCESSFUL: _zero("the web configuration could not be read anew: see the log"),
    exporter.EVENT_LOOP_LAG_SECONDS: _slow(0.5, "keywatch itself is held up for"),
}
"""Gauges, of which each value is judged by itself."""

COUNTERS: Final[Mapping[Metric, Counted]] = {
    canary.CANARY_RECORDS_LOST_TOTAL: Counted("canary record was lost", "canary records were lost", 5 * _MINUTE),
    dead_letters.DLQ_ADDED_TOTAL: Counted("dead letter came", "dead letters came", 5 * _MINUTE, kind=True),
    events.EVENTS_MALFORMED_TOTAL: Counted("record was no event", "records were no events", kind=True),
    events.EVENTS_SKIPPED_RECORDS_TOTAL: Counted("record was deleted unread", "records were deleted unread"),
    reconciliation.EVENTS_LOST_TOTAL: Counted("event was lost", "events were lost"),
    logs.LOGSTASH_DLQ_DROPPED_TOTAL: Counted(
        "dead letter was dropped, its queue is full", "dead letters were dropped, their queue is full", 5 * _MINUTE
    ),
    logs.LOGSTASH_DOCUMENTS_TOTAL: Counted(
        "document was not taken", "documents were not taken", 2 * _MINUTE, frozenset({"dlq", "retryable"}), kind=True
    ),
    log_canary.LOG_CANARY_EVENTS_TOTAL: Counted(
        "marked event was lost", "marked events were lost", only=frozenset({"lost"})
    ),
    exporter.DEFECTS_TOTAL: Counted("defect of keywatch was met", "defects of keywatch were met", kind=True),
    exporter.LOG_LINES_LOST_TOTAL: Counted("line of keywatch's log was lost", "lines of keywatch's log were lost"),
}
"""Counters, whose rise is trouble for a while."""
