"""Turns frames, counters and accounts into the Prometheus text format or OpenMetrics."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

from keywatch import catalogue
from keywatch.metric import Kind, Metric
from keywatch.store import Distribution, Frame, Key, Labels, Store

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
HEALTH = "health"


class UnknownCollectorError(ValueError):
    """A value of `collect[]` that names no collector."""


def selection(names: Iterable[str]) -> Callable[[Metric], bool]:
    """Give the filter for values of `collect[]`: collectors' names or `health`; none of them means everything.

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
    frames = list(store.frames())
    accounts = _accounts(store, frames)
    parts: list[bytes] = []
    for metric in catalogue.METRICS:
        if not wanted(metric):
            continue
        body = list(_body(store, frames, accounts, metric))
        if body:
            parts.append(_header(metric, openmetrics))
            parts.extend(body)
    if openmetrics:
        parts.append(b"# EOF\n")
    return b"".join(parts)


def _body(
    store: Store, frames: list[tuple[Key, Frame]], accounts: dict[Metric, dict[Labels, float]], metric: Metric
) -> Iterator[bytes]:
    if metric.kind is Kind.COUNTER:
        yield from _lines(metric, store.counters.get(metric, {}))
    elif metric.kind is Kind.HISTOGRAM:
        for labels, distribution in store.histograms.get(metric, {}).items():
            yield _histogram(metric, labels, distribution)
    elif metric in accounts:
        yield from _lines(metric, accounts[metric])
    else:
        for _, frame in frames:
            gauge = frame.get(metric)
            if gauge is not None:
                if gauge.rendered is None:
                    gauge.rendered = b"".join(_lines(metric, gauge.series))
                yield gauge.rendered


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
        catalogue.PROBE_SUCCESS: success,
        catalogue.PROBE_LAST_RUN_TIMESTAMP_SECONDS: last_run,
        catalogue.PROBE_PERIOD_SECONDS: period,
        catalogue.PROBE_FRAME_TIMESTAMP_SECONDS: found,
    }


def _lines(metric: Metric, series: dict[Labels, float]) -> Iterator[bytes]:
    for labels, value in series.items():
        yield _prefix(metric, labels) + number(value)


def _histogram(metric: Metric, labels: Labels, distribution: Distribution) -> bytes:
    base = _pairs(metric, labels)
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


def number(value: float) -> bytes:
    """Write a value and the line's end; whole numbers without a fraction, because they are the most and shorter."""
    if value == int(value) if math.isfinite(value) else False:
        return b"%d\n" % int(value)
    if math.isnan(value):
        return b"NaN\n"
    if math.isinf(value):
        return b"+Inf\n" if value > 0 else b"-Inf\n"
    return repr(value).encode() + b"\n"


@lru_cache(maxsize=250_000)
def _prefix(metric: Metric, labels: Labels) -> bytes:
    pairs = _pairs(metric, labels)
    return f"{metric.name}{{{pairs}}} ".encode() if pairs else f"{metric.name} ".encode()


def _pairs(metric: Metric, labels: Labels) -> str:
    return ",".join(f'{name}="{_escape(value)}"' for name, value in zip(metric.labels, labels, strict=True))


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _header(metric: Metric, openmetrics: bool) -> bytes:
    # OpenMetrics names a counter's family without its suffix; the text format names the series.
    family = metric.name.removesuffix("_total") if openmetrics and metric.kind is Kind.COUNTER else metric.name
    return f"# HELP {family} {metric.help}\n# TYPE {family} {metric.kind}\n".encode()
