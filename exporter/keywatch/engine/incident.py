"""One thing that is wrong: which metric says so, of what, since when and why."""

from __future__ import annotations

from dataclasses import dataclass

from keywatch.engine.series import Labels, shown
from keywatch.metrics.metric import Metric


@dataclass(slots=True)
class Incident:
    """The metric that says so, its labels, since when (Unix time) and why.

    `follows` names the object that it was folded under when it was told of, and is empty for what stands for itself.
    """

    metric: Metric
    labels: Labels
    since: float
    note: str
    value: float
    follows: str = ""

    @property
    def reason(self) -> str:
        """The words before the first colon, which stay the same while the figures behind it change."""
        return self.note.partition(":")[0] if ":" in self.note else ""

    @property
    def where(self) -> str:
        """The object as `label=value` pairs."""
        return " ".join(f"{name}={value}" for name, value in shown(self.metric, self.labels).items())
