"""Turns frames, counters and accounts into the Prometheus text format or OpenMetrics."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache, partial

from keywatch.engine import supervised
from keywatch.engine.distribution import Distribution
from keywatch.engine.series import Labels, number, pairs, prefix
from keywatch.engine.slices import Pieces, at_once
from keywatch.engine.store import Frame, Key, Store
from keywatch.engine.supervised import Part
from keywatch.metrics import catalogue
from keywatch.metrics import probe as probe_metrics
from keywatch.metrics.metric import Metric, MetricKind

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
HEALTH = "health"
_ROWS_PER_PIECE = 500


class UnknownCollectorError(ValueError):
    """A value of `collect[]` that names no collector."""


def selection(names: Iterable[str]) -> Callable[[Metric], bool]:
    """Return the filter for values of `collect[]`: collectors' names or `health`; none of them means everything.

    Raises `UnknownCollectorError`, whose text tells what is allowed.
    """
    wanted = frozenset(names)
    unknown = sorted(wanted - {HEALTH, *catalogue.COLLECTORS})
    if unknown:
        allowed = ", ".join((HEALTH, *catalogue.COLLECTORS))
        raise UnknownCollectorError(f"collect[]: no collector is called {unknown[0]!r}; allowed: {allowed}")
    if not wanted:
        return lambda _: True
    return lambda metric: metric.probe in wanted or (metric.health and HEALTH in wanted)


def render(store: Store, wanted: Callable[[Metric], bool], *, openmetrics: bool) -> bytes:
    """Render every wanted metric; a metric without series is left out, as both formats ask."""
    return at_once(rendering(store, wanted, openmetrics=openmetrics))


def rendering(store: Store, wanted: Callable[[Metric], bool], *, openmetrics: bool, more: bytes = b"") -> Pieces[bytes]:
    """Render as `render` does, in pieces, and `more` behind; told is what the store held at first, counters aside.

    Gauges whose time is over are let go here too: that they end must not hang on whoever refreshes the store.
    """
    store.expire(time.monotonic())
    # Frames that are replaced meanwhile stay whole here: series do not change, and each frame is copied.
    frames = [(key, dict(frame)) for key, frame in store.frames()]
    accounts = _accounts(store, frames)
    parts: list[bytes] = []
    for metric in catalogue.METRICS:
        if not wanted(metric):
            continue
        body: list[bytes] = []
        if metric.kind is MetricKind.GAUGE and metric not in accounts:
            yield from _gauges(frames, metric, body)
        else:
            for count, lines in enumerate(_accumulated(store, accounts, metric), 1):
                body.append(lines)
                if count % _ROWS_PER_PIECE == 0:
                    yield
            yield
        if body:
            parts.append(_header(metric, openmetrics))
            parts.extend(body)
    parts.append(more)  # joined once, because all of a large cluster is megabytes
    if openmetrics:
        parts.append(b"# EOF\n")
    return b"".join(parts)


def _gauges(frames: list[tuple[Key, Frame]], metric: Metric, body: list[bytes]) -> Pieces[None]:
    count = 0
    for _, frame in frames:
        gauge = frame.get(metric)
        for series in gauge.series if gauge is not None else ():
            count += 1 if series.is_rendered else len(series.values)
            try:
                body.append((yield from series.rendering()))
            except Exception as error:  # noqa: BLE001 - told, and all others are served
                supervised.defect(Part.RENDERING, error, metric.name)
            if count >= _ROWS_PER_PIECE:
                count = 0
                yield
    yield


def _accumulated(store: Store, accounts: dict[Metric, dict[Labels, float]], metric: Metric) -> Iterator[bytes]:
    if metric.kind is MetricKind.HISTOGRAM:
        for labels, distribution in list(store.histograms.get(metric, {}).items()):
            yield _written(metric, partial(_histogram, metric, labels, distribution))
    else:
        series = store.counters.get(metric, {}) if metric.kind is MetricKind.COUNTER else accounts[metric]
        for labels, value in list(series.items()):  # which may grow meanwhile
            yield _written(metric, partial(_line, metric, labels, value))


def _written(metric: Metric, write: Callable[[], bytes]) -> bytes:
    """Write series, or nothing when they cannot be written: a defect in some must not cost the page."""
    try:
        return write()
    except Exception as error:  # noqa: BLE001 - told, and all others are served
        supervised.defect(Part.RENDERING, error, metric.name)
        return b""


def _line(metric: Metric, labels: Labels, value: float) -> bytes:
    return f"{_prefix(metric, labels)}{number(value)}\n".encode()


def _accounts(store: Store, frames: list[tuple[Key, Frame]]) -> dict[Metric, dict[Labels, float]]:
    """Join the accounts of probes of one name into the worst of them."""
    success: dict[Labels, float] = {}
    last_run: dict[Labels, float] = {}
    period: dict[Labels, float] = {}
    found: dict[Labels, float] = {}
    for key, account in store.accounts():
        labels = (key.cluster, key.probe)
        success[labels] = min(success.get(labels, 1.0), float(account.success))
        last_run[labels] = min(last_run.get(labels, math.inf), account.last_run)
        period[labels] = account.period
    for key, frame in frames:
        labels = (key.cluster, key.probe)
        if labels in success and frame:
            found[labels] = min(found.get(labels, math.inf), *(gauge.found for gauge in frame.values()))
    return {
        probe_metrics.PROBE_SUCCESS: success,
        probe_metrics.PROBE_LAST_RUN_TIMESTAMP_SECONDS: last_run,
        probe_metrics.PROBE_PERIOD_SECONDS: period,
        probe_metrics.PROBE_FRAME_TIMESTAMP_SECONDS: found,
    }


def _histogram(metric: Metric, labels: Labels, distribution: Distribution) -> bytes:
    base = pairs(metric, labels)
    cumulative = distribution.cumulative()
    separator = "," if base else ""
    lines = [
        f'{metric.name}_bucket{{{base}{separator}le="{bound}"}} {count}\n'
        for bound, count in zip((*map(float, metric.buckets), "+Inf"), cumulative, strict=True)
    ]
    braces = f"{{{base}}}" if base else ""
    lines.append(f"{metric.name}_sum{braces} {distribution.total!r}\n")
    lines.append(f"{metric.name}_count{braces} {cumulative[-1]}\n")
    return "".join(lines).encode()


@lru_cache(maxsize=10_000)
def _prefix(metric: Metric, labels: Labels) -> str:
    return prefix(metric, labels)


def _header(metric: Metric, openmetrics: bool) -> bytes:
    # OpenMetrics names a counter's family without its suffix; the text format names the series.
    family = metric.name.removesuffix("_total") if openmetrics and metric.kind is MetricKind.COUNTER else metric.name
    return f"# HELP {family} {metric.help}\n# TYPE {family} {metric.kind}\n".encode()
