"""Every metric of keywatch, joined from the modules that declare them: what is not there is not exported."""

from __future__ import annotations

from typing import Final

from keywatch.metrics import (
    canary,
    cluster,
    dead_letters,
    events,
    exporter,
    groups,
    keycloak,
    lag,
    log_canary,
    log_dirs,
    logs,
    members,
    probe,
    quorum,
    reconciliation,
    retention,
)
from keywatch.metrics.metric import Metric

METRICS: Final[tuple[Metric, ...]] = tuple(
    value
    for module in (
        probe,
        cluster,
        quorum,
        log_dirs,
        exporter,
        groups,
        canary,
        lag,
        members,
        retention,
        events,
        reconciliation,
        keycloak,
        dead_letters,
        logs,
        log_canary,
    )
    for value in vars(module).values()
    if isinstance(value, Metric)
)
"""All metrics, in the order in which they are told everywhere."""

COLLECTORS: Final[tuple[str, ...]] = tuple(dict.fromkeys(metric.probe for metric in METRICS))
"""The values of `collect[]` beside `health`."""
