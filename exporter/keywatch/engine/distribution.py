"""A histogram's state, which many observations can be added to at once."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import accumulate
from typing import Self

from keywatch.metrics.metric import Metric


@dataclass(slots=True)
class Distribution:
    """Observations per bucket, not cumulated, the last one being +Inf; their sum in the metric's unit."""

    counts: list[int]
    total: float = 0.0

    @classmethod
    def of(cls, metric: Metric) -> Self:
        """Make an empty one with the metric's buckets."""
        return cls([0] * (len(metric.buckets) + 1))

    def observe(self, metric: Metric, value: float) -> None:
        """Count one observation in the bucket whose upper bound it does not exceed."""
        self.counts[bisect_left(metric.buckets, value)] += 1
        self.total += value

    def add(self, other: Distribution) -> None:
        """Count all observations of another one with the same buckets."""
        self.counts = [mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)]
        self.total += other.total

    def cumulative(self) -> list[int]:
        """Return the counts as Prometheus wants them: each bucket with all below it."""
        return list(accumulate(self.counts))
