"""Which incident explains which others: a dead broker its partitions, so that people see one thing and not nineteen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from keywatch.engine.incident import Incident
from keywatch.engine.probe import Reason
from keywatch.metrics import (
    cluster,
    dead_letters,
    groups,
    keycloak,
    lag,
    log_dirs,
    logs,
    quorum,
    reconciliation,
    retention,
)
from keywatch.metrics import probe as probe_metrics
from keywatch.metrics.metric import Metric
from keywatch.metrics.trouble import COUNTERS

_KAFKA: Final = frozenset({
    *("canary", "configs", "dlq", "events", "groups", "log_canary", "log_dirs", "log_lag", "retention"),
    *("offsets", "quorum", "reconciliation", "topics"),
})  # fmt: skip
_CAUSES: Final[Mapping[Metric, frozenset[str]]] = {
    cluster.CLUSTER_UP: _KAFKA | {"broker", "cluster"},
    cluster.BROKER_UP: _KAFKA | {"cluster"},
    quorum.BROKER_FENCED: _KAFKA - {"quorum"},
    log_dirs.LOG_DIR_UP: _KAFKA - {"quorum", "configs"},
    keycloak.KEYCLOAK_UP: frozenset({"reconciliation"}),
    logs.ELASTICSEARCH_UP: frozenset({"log_canary", "log_lag", "logstash"}),
    logs.LOGSTASH_UP: frozenset({"log_canary", "log_lag"}),
}
"""What explains others, the one that explains most first, and the probes that find them."""
_MEANS_IT: Final = {quorum.BROKER_FENCED: 1}
"""The value that means trouble where it is not 0."""
_RANK: Final = {metric: rank for rank, metric in enumerate(_CAUSES)}
_FACTS: Final = frozenset(COUNTERS) | {
    cluster.TOPIC_EXISTS,
    cluster.TLS_CERTIFICATE_NOT_AFTER_TIMESTAMP_SECONDS,
    dead_letters.DLQ_OLDEST_TIMESTAMP_SECONDS,
    dead_letters.DLQ_RECORDS,
    keycloak.KEYCLOAK_UP,
    lag.GROUP_REWOUND_TIMESTAMP_SECONDS,
    log_dirs.LOG_DIR_UP,
    log_dirs.LOG_DIR_FREE_BYTES,
    logs.ELASTICSEARCH_UP,
    logs.LOGSTASH_UP,
    retention.TOPIC_AS_EXPECTED,
    reconciliation.KEYCLOAK_CLOCK_SKEW_SECONDS,
}
"""What is to be acted on whatever else is wrong: it is folded under nothing."""
_OWN_REASONS: Final = (Reason.AUTHENTICATION, Reason.AUTHORIZATION, Reason.UNSUPPORTED, Reason.INTERNAL)
_NOT_BEFORE: Final = frozenset({groups.GROUP_LAG_RECORDS, groups.GROUP_LAG_SECONDS, reconciliation.EVENTS_MISSING})
"""What grows slowly: if it was there before the cause, it has another one."""
# A cause needs some misses to be sure of, and what follows from it may be seen before.
_SEEN_BEFORE = 10.0


def explains(metric: Metric) -> bool:
    """Return whether what this metric tells may be the cause of others."""
    return metric in _CAUSES


class Causes:
    """The causes among what is wrong now; what is asked of them does not grow with what follows from them."""

    def __init__(self, incidents: Iterable[Incident]) -> None:
        """Take those that explain others; the rest may be given too."""
        found = [one for one in incidents if one.metric in _CAUSES and one.value == _MEANS_IT.get(one.metric, 0)]
        self._causes: dict[str, list[Incident]] = {}
        for one in sorted(found, key=lambda incident: (_RANK[incident.metric], incident.since)):
            self._causes.setdefault(one.labels[0], []).append(one)

    def of(self, incident: Incident) -> Incident | None:
        """Return what this one follows from; None when it stands for itself.

        Of several causes it is the one of the same object, such as the broker, else the one that explains most.
        """
        causes = self._causes.get(incident.labels[0]) if incident.labels else None
        if not causes or incident.metric in _FACTS or any(own in incident.reason for own in _OWN_REASONS):
            return None
        probe = incident.labels[1] if incident.metric is probe_metrics.PROBE_SUCCESS else incident.metric.probe
        meant = [one for one in causes if one is not incident and self._may_follow(incident, probe, one)]
        return next((one for one in meant if one.labels == incident.labels[: len(one.labels)] != one.labels[:1]),
                    meant[0] if meant else None)  # fmt: skip

    @staticmethod
    def _may_follow(incident: Incident, probe: str, cause: Incident) -> bool:
        if incident.since < cause.since - (0.0 if incident.metric in _NOT_BEFORE else _SEEN_BEFORE):
            return False
        if incident.metric in _RANK and _RANK[incident.metric] <= _RANK[cause.metric]:
            return False  # or two causes would explain each other
        if probe in _CAUSES[cause.metric]:
            return True
        # Another figure of the very same object, such as a Keycloak that is down and so not ready.
        return probe == cause.metric.probe and incident.labels == cause.labels and incident.metric is not cause.metric
