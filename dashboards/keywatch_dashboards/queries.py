"""PromQL over metrics that the catalogue names: one that does not exist is an error, not a blank panel."""

from __future__ import annotations

from collections.abc import Sequence

from keywatch.metrics.metric import Metric

HEALTH_JOB, FULL_JOB = "keywatch-health", "keywatch"
"""Prometheus' jobs, as the alert rules name them: every second the few series that matter, all of them every 15."""

Q = "$__rate_interval"


def pick(metric: Metric, where: str = "", *, suffix: str = "", full: bool = False) -> str:
    """Select a metric in the job that has it soonest, in the chosen clusters; `full` asks for the slow job."""
    matchers = [f'job="{HEALTH_JOB if metric.health and not full else FULL_JOB}"']
    if "cluster" in metric.labels:
        matchers.append('cluster=~"$cluster"')
    if where:
        matchers.append(where)
    return f"{metric}{suffix}{{{', '.join(matchers)}}}"


def _by(metric: Metric, by: tuple[str, ...]) -> str:
    return ", ".join(["cluster", *by] if "cluster" in metric.labels else by)


def now(metric: Metric, *by: str, where: str = "", how: str = "max") -> str:
    """Return a gauge by labels, and always by cluster; several instances of keywatch count as one."""
    return f"{how} by ({_by(metric, by)}) ({pick(metric, where)})"


def _once(metric: Metric, function: str, where: str, span: str) -> str:
    labels = ", ".join(metric.labels)
    return f"max by ({labels}) ({function}({pick(metric, where)}[{span}]))"


def rate(metric: Metric, *by: str, where: str = "", span: str = Q) -> str:
    """Return how much a counter grows in a second; what several instances counted counts once."""
    return f"sum by ({_by(metric, by)}) ({_once(metric, 'rate', where, span)})"


def grown(metric: Metric, *by: str, where: str = "", span: str = Q) -> str:
    """Return how much a counter grew; what several instances counted counts once."""
    return f"sum by ({_by(metric, by)}) ({_once(metric, 'increase', where, span)})"


def buckets(metric: Metric, where: str = "") -> str:
    """Return a histogram's buckets for a heatmap."""
    return f"sum by (le) (increase({pick(metric, where, suffix='_bucket')}[{Q}]))"


def quantile(share: float, metric: Metric, *by: str, where: str = "") -> str:
    """Return the time within which a share of a histogram's observations fell."""
    inner = f"rate({pick(metric, where, suffix='_bucket')}[{Q}])"
    return f"histogram_quantile({share}, sum by ({_by(metric, (*by, 'le'))}) ({inner}))"


def coded(up: Metric, reason: Metric, reasons: Sequence[str], *by: str) -> str:
    """Return 0 for what is up, else the number of its reason, from 1; one more than all for a reason not among them."""
    found = [f"({now(up, *by)} == 1) * 0"]
    for number, name in enumerate(reasons, start=1):
        asked = now(reason, *by, where=f'reason="{name}"')
        found.append(f"({asked} == 1) * {number}")
    found.append(f"{now(up, *by)} * 0 + {len(reasons) + 1}")
    return "\nor ".join(found)
