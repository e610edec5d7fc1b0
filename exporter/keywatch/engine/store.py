"""The latest frame of each probe and the counters that outlive frames: what /metrics reads."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from keywatch.engine.distribution import Distribution
from keywatch.engine.probe import Probe, Reason, Sample
from keywatch.engine.series import Labels, MetricSeries, Rows, SeriesSet
from keywatch.engine.slices import Pieces
from keywatch.metrics import probe as probe_metrics
from keywatch.metrics.metric import Metric, MetricKind

_T = TypeVar("_T")
_SERIES_PER_PIECE = 500


class Key(NamedTuple):
    """Whose frame it is."""

    cluster: str
    probe: str
    target: str


def key_of(probe: Probe) -> Key:
    """Return the key under which a probe's frames are kept."""
    return Key(probe.cluster, probe.name, probe.target)


@dataclass(slots=True)
class Gauge:
    """The series of one gauge from one run; `found` in Unix time, `expires` on the monotonic clock, in seconds."""

    found: float
    expires: float
    series: list[MetricSeries] = field(default_factory=list)

    @property
    def values(self) -> dict[Labels, float]:
        """Return the value of each series by its labels."""
        return {
            labels: float(value)
            for one in self.series
            for labels, value in zip(one.rows.labels, one.values, strict=True)
        }


Frame = dict[Metric, Gauge]
"""What a probe last told."""


@dataclass(slots=True)
class Account:
    """How the last run of one probe went; `last_run` in Unix time, `period` in seconds."""

    success: bool
    last_run: float
    period: float


def _gauges(samples: Collection[Sample], found: float, expires: float, before: Frame) -> Frame:
    """Sort gauges by metric; loose ones that are as before keep their series, which are rendered already."""
    frame: Frame = {}
    loose: dict[Metric, dict[Labels, float]] = {}
    for metric, labels, value, _ in samples.loose if isinstance(samples, SeriesSet) else samples:
        if metric.kind is MetricKind.GAUGE:
            loose.setdefault(metric, {})[labels] = value
    for metric, series in loose.items():
        frame[metric] = Gauge(found, expires, [_series(metric, series, before.get(metric))])
    if isinstance(samples, SeriesSet):
        for one in samples.series:
            gauge = frame.get(one.metric)
            if gauge is None:
                gauge = frame[one.metric] = Gauge(found, expires)
            gauge.series.append(one)
    return frame


def _series(metric: Metric, series: dict[Labels, float], before: Gauge | None) -> MetricSeries:
    labels, values = tuple(series), tuple(series.values())
    known = before.series[0] if before is not None and before.series else None
    if known is None or known.rows.labels != labels:
        return MetricSeries(metric, Rows(labels), values)
    return known if known.values == values else MetricSeries(metric, known.rows, values)


def _forget(series: dict[Labels, _T], about: Labels) -> None:
    """Let go the series whose first labels are these."""
    for labels in [labels for labels in series if labels[: len(about)] == about]:
        del series[labels]


class Store:
    """Frames replace frames; counters and histograms accumulate. Written by the runner only."""

    def __init__(self) -> None:
        self._frames: dict[Key, Frame] = {}
        self._accounts: dict[Key, Account] = {}
        self.counters: dict[Metric, dict[Labels, float]] = {}
        self.histograms: dict[Metric, dict[Labels, Distribution]] = {}

    def replace(self, key: Key, samples: Collection[Sample], found: float, expires: float) -> None:
        """Put the frame of a run that succeeded in place of the last one."""
        self._frames[key] = _gauges(samples, found, expires, self._frames.get(key, {}))
        self.accumulate(samples)

    def degrade(self, key: Key, samples: Collection[Sample], found: float, expires: float) -> None:
        """After a failed run keep the old frame until `expires` at the latest, save for the metrics told anew."""
        frame = self._frames.setdefault(key, {})
        for gauge in frame.values():
            gauge.expires = min(gauge.expires, expires)
        frame.update(_gauges(samples, found, expires, frame))
        self.accumulate(samples)

    def accumulate(self, samples: Iterable[Sample]) -> None:
        """Add counters' increments and histograms' observations; gauges, so all series, are passed over."""
        for metric, labels, value, _ in samples.loose if isinstance(samples, SeriesSet) else samples:
            if metric.kind is MetricKind.COUNTER:
                series = self.counters.setdefault(metric, {})
                series[labels] = series.get(labels, 0.0) + value
            elif metric.kind is MetricKind.HISTOGRAM:
                self._distribution(metric, labels).observe(metric, value)
        for metric, labels, distribution in samples.distributions if isinstance(samples, SeriesSet) else ():
            self._distribution(metric, labels).add(distribution)

    def account(self, key: Key, account: Account, duration: float, reason: Reason | None) -> None:
        """Record how a run went: success, `duration` in seconds, and the reason of a failure."""
        self._accounts[key] = account
        labels = (key.cluster, key.probe)
        self._distribution(probe_metrics.PROBE_DURATION_SECONDS, labels).observe(
            probe_metrics.PROBE_DURATION_SECONDS, duration
        )
        failures = self.counters.setdefault(probe_metrics.PROBE_FAILURES_TOTAL, {})
        for name in (Reason.INTERNAL, Reason.STUCK, *((reason,) if reason else ())):
            failures.setdefault((*labels, name), 0.0)
        if reason:
            failures[(*labels, reason)] += 1

    def drop(self, key: Key) -> None:
        """Drop a probe that was taken out of service, with its counters and histograms, or those of its target."""
        self._frames.pop(key, None)
        self._accounts.pop(key, None)
        whole = not any((other.cluster, other.probe) == (key.cluster, key.probe) for other in self._accounts)
        for metric in (*self.counters, *self.histograms):
            if metric.probe == key.probe:
                about = (key.cluster, key.target) if key.target else (key.cluster,)
            elif metric.labels[:2] == probe_metrics.PROBE_DURATION_SECONDS.labels and whole:
                about = (key.cluster, key.probe)
            else:
                continue
            _forget(self.counters.get(metric, {}), about)
            _forget(self.histograms.get(metric, {}), about)

    def expire(self, now: float) -> None:
        """Let gauges go whose time is over; `now` on the monotonic clock."""
        for frame in self._frames.values():
            for metric in [metric for metric, gauge in frame.items() if gauge.expires < now]:
                del frame[metric]

    def frames(self) -> Iterator[tuple[Key, Frame]]:
        """Return all frames that stand."""
        yield from self._frames.items()

    def accounts(self) -> Iterator[tuple[Key, Account]]:
        """Return how each probe's last run went."""
        yield from self._accounts.items()

    def values(self, metric: Metric) -> dict[Labels, float]:
        """Return a gauge's or counter's series over all frames: labels to value."""
        if metric.kind is MetricKind.COUNTER:
            return dict(self.counters.get(metric, {}))
        found: dict[Labels, float] = {}
        for frame in self._frames.values():
            if metric in frame:
                found.update(frame[metric].values)
        return found

    def reading(self, metric: Metric, cluster: str) -> Pieces[dict[Labels, float]]:
        """Return a gauge's series of one cluster in pieces, because they may be very many: labels to value."""
        found: dict[Labels, float] = {}
        # Frames that are replaced meanwhile stay whole: series do not change.
        gauges = [frame[metric] for key, frame in self._frames.items() if key.cluster == cluster and metric in frame]
        for gauge in gauges:
            for count, one in enumerate(tuple(gauge.series), 1):
                found.update(zip(one.rows.labels, map(float, one.values), strict=True))
                if count % _SERIES_PER_PIECE == 0:
                    yield
        yield
        return found

    def _distribution(self, metric: Metric, labels: Labels) -> Distribution:
        series = self.histograms.setdefault(metric, {})
        if labels not in series:
            series[labels] = Distribution.of(metric)
        return series[labels]
