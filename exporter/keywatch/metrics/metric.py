"""What a metric is: its declaration and the naming rules that every declaration must obey (standard library only)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

_NAME = re.compile(r"keywatch(_[a-z0-9]+)+")
_LABEL = re.compile(r"[a-z][a-z_]*")
# Prometheus adds these itself; an exporter that sets them breaks the join with `up`.
_FORBIDDEN_LABELS = frozenset({"job", "instance", "env", "environment", "le", "quantile"})
_FORBIDDEN_UNITS = ("_ms", "_milliseconds", "_minutes", "_hours", "_percent", "_kb", "_mb", "_age_seconds")


class MetricKind(StrEnum):
    """The Prometheus types in use; summaries are left out because they cannot be aggregated."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True, eq=False)
class Metric:
    """One metric, declared once.

    `probe` is the collector that emits it (a value of `collect[]`); `health` puts it into the small set of
    `collect[]=health`. Instances compare by identity, so they are cheap keys. Raises `ValueError` when a naming rule
    is broken (https://prometheus.io/docs/practices/naming/), that is, at import.
    """

    name: str
    kind: MetricKind
    help: str
    labels: tuple[str, ...] = ()
    probe: str = "exporter"
    health: bool = False
    buckets: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or self.name.endswith(_FORBIDDEN_UNITS):
            raise ValueError(f"{self.name}: not keywatch_<thing>_<what>_<base unit>")
        if (self.kind is MetricKind.COUNTER) != self.name.endswith("_total"):
            raise ValueError(f"{self.name}: _total belongs to counters, all of them and nothing else")
        if (self.kind is MetricKind.HISTOGRAM) != bool(self.buckets):
            raise ValueError(f"{self.name}: buckets belong to histograms, all of them and nothing else")
        if list(self.buckets) != sorted(set(self.buckets)):
            raise ValueError(f"{self.name}: buckets must ascend")
        if not self.help.endswith("."):
            raise ValueError(f"{self.name}: the help is a sentence and ends with a full stop")
        for label in self.labels:
            if not _LABEL.fullmatch(label) or label in _FORBIDDEN_LABELS:
                raise ValueError(f"{self.name}: label {label!r} is not allowed")

    def __str__(self) -> str:
        """Return the name, so that queries can be written as f-strings and a misspelt metric is a NameError."""
        return self.name
