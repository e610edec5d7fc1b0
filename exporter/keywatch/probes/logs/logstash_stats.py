"""Reads what Logstash tells of itself (GET /_node/stats) as samples; what is not there gives none."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping
from typing import Any

from keywatch.engine.probe import Sample
from keywatch.metrics import logs as cat
from keywatch.metrics.metric import Metric
from keywatch.probes.logs.deltas import Deltas

STATUSES = ("green", "yellow", "red", "unknown")
_WINDOWS = ("current", "last_1_minute", "last_5_minutes", "last_15_minutes", "lifetime")
_OTHER = "other"
_UNNAMED = "unnamed"
_ID = re.compile(r"[A-Za-z0-9._-]{1,100}")
# Logstash names a plugin without an id by a hash, another one after each change of its options.
_GENERATED = re.compile(r"(.*_)?[0-9a-f]{40,64}([-_].*)?|[0-9a-f]{8}-[0-9a-f]{4}-.*")
# As the alert LogstashQueueFilling.
_FULL = 0.8
_VERSION = re.compile(r"[0-9A-Za-z.+-]{1,40}")
_CODE = re.compile(r"[1-5][0-9]{2}")
_MOST_PIPELINES = 50
_MOST_PLUGINS = 200
_MOST_CODES = 20
# Java's largest whole number; nothing that is counted, measured or timed there is beyond it.
_MOST = 2**63
_RESULTS = {"successes": "success", "with_errors": "with_errors", "failures": "failure"}
_DOCUMENTS = {
    "successes": "success",
    "non_retryable_failures": "non_retryable",
    "retryable_failures": "retryable",
    "dlq_routed": "dlq",
}

_Labels = tuple[str, ...]
_Found = tuple[Metric, _Labels, float, str]
"""A series, its value, and the id of the plugin that it is about, if it is about one."""


class LogstashStats:
    """The samples of one Logstash, run after run; labels are bounded, and what is beyond is `other`."""

    def __init__(self, labels: tuple[str, str]) -> None:
        self._labels = labels
        self._deltas = Deltas()
        self._pipelines: set[str] = set()
        self._plugins: dict[str, set[str]] = {}
        self._codes: set[str] = set()

    def samples(self, stats: Mapping[str, Any], now: float) -> list[Sample]:
        """Return the samples of one answer; `now` in Unix time."""
        found = list(self._itself(stats, now))
        counters: dict[tuple[Metric, _Labels], dict[Hashable, float]] = {}
        gauges: dict[tuple[Metric, _Labels], float] = {}
        for name, pipeline in _mapping(stats, "pipelines").items():
            if not isinstance(pipeline, Mapping) or name == ".monitoring-logstash":
                continue
            label = self._bounded(name, self._pipelines, _MOST_PIPELINES)
            for metric, labels, value, plugin in self._pipeline(label, pipeline):
                key = metric, (*self._labels, *labels)
                if metric.kind == "gauge":
                    gauges[key] = gauges.get(key, 0.0) + value
                else:
                    # Several of them may have one label; each grows, and begins anew, by itself.
                    counters.setdefault(key, {}).setdefault((*key, hash((name, plugin))), value)
        for (metric, labels), value in gauges.items():
            most = gauges.get((cat.LOGSTASH_QUEUE_MAX_BYTES, labels)) if metric is cat.LOGSTASH_QUEUE_BYTES else None
            note = f"its queue is {value / most:.0%} full" if most and value / most > _FULL else None
            found.append(Sample(metric, labels, value, note))
        found += [Sample(metric, labels, self._deltas.total(each)) for (metric, labels), each in counters.items()]
        return found

    def _itself(self, stats: Mapping[str, Any], now: float) -> Iterator[Sample]:
        version, status = stats.get("version"), stats.get("status")
        if isinstance(version, str) and _VERSION.fullmatch(version):
            yield Sample(cat.LOGSTASH_INFO, (*self._labels, version), 1.0)
        known = status if status in STATUSES else "unknown"
        for one in STATUSES:
            yield Sample(cat.LOGSTASH_STATUS, (*self._labels, one), float(one == known))
        jvm, process = _mapping(stats, "jvm"), _mapping(stats, "process")
        if (heap := _number(jvm, "mem", "heap_used_percent")) is not None:
            yield Sample(cat.LOGSTASH_HEAP_USED_RATIO, self._labels, heap / 100)
        if (uptime := _number(jvm, "uptime_in_millis")) is not None:
            yield Sample(cat.LOGSTASH_START_TIMESTAMP_SECONDS, self._labels, round(now - uptime / 1000))
        spent: dict[Hashable, float] = {
            ("gc", hash(name)): took / 1000
            for name, collector in _mapping(jvm, "gc", "collectors").items()
            if (took := _number(collector, "collection_time_in_millis")) is not None
        }
        if spent:
            yield Sample(cat.LOGSTASH_GC_SECONDS_TOTAL, self._labels, self._deltas.total(spent))
        if (files := _number(process, "open_file_descriptors")) is not None:
            yield Sample(cat.LOGSTASH_OPEN_FILES, self._labels, files)
        if (cpu := _number(process, "cpu", "percent")) is not None and cpu >= 0:
            yield Sample(cat.LOGSTASH_CPU_RATIO, self._labels, cpu / 100)

    def _pipeline(self, name: str, pipeline: Mapping[str, Any]) -> Iterator[_Found]:
        events, queue, dlq = (_mapping(pipeline, key) for key in ("events", "queue", "dead_letter_queue"))
        for stage in ("in", "filtered", "out"):
            yield from _one(cat.LOGSTASH_EVENTS_TOTAL, (name, stage), _number(events, stage))
        push, spent = _number(events, "queue_push_duration_in_millis"), _number(events, "duration_in_millis")
        yield from _one(cat.LOGSTASH_QUEUE_PUSH_SECONDS_TOTAL, (name,), push, 1000)
        yield from _one(cat.LOGSTASH_PROCESSING_SECONDS_TOTAL, (name,), spent, 1000)
        yield from _one(cat.LOGSTASH_QUEUE_EVENTS, (name,), _number(queue, "events_count"))
        if queue.get("type") == "persisted":  # a queue in memory has these figures, and they mean nothing
            size = _number(queue, "queue_size_in_bytes")
            most = _number(queue, "max_queue_size_in_bytes")
            size = size if size is not None else _number(queue, "capacity", "queue_size_in_bytes")
            most = most if most is not None else _number(queue, "capacity", "max_queue_size_in_bytes")
            yield from _one(cat.LOGSTASH_QUEUE_BYTES, (name,), size)
            yield from _one(cat.LOGSTASH_QUEUE_MAX_BYTES, (name,), most)
            yield from _one(cat.LOGSTASH_QUEUE_DISK_FREE_BYTES, (name,), _number(queue, "data", "free_space_in_bytes"))
        for key, metric in (("queue_size_in_bytes", cat.LOGSTASH_DLQ_BYTES),
                            ("max_queue_size_in_bytes", cat.LOGSTASH_DLQ_MAX_BYTES),
                            ("dropped_events", cat.LOGSTASH_DLQ_DROPPED_TOTAL),
                            ("expired_events", cat.LOGSTASH_DLQ_EXPIRED_TOTAL)):  # fmt: skip
            yield from _one(metric, (name,), _number(dlq, key))
        yield from self._flow(name, _mapping(pipeline, "flow"))
        yield from _reloads(name, _mapping(pipeline, "reloads"))
        yield from self._plugins_of(name, _mapping(pipeline, "plugins"))

    def _flow(self, name: str, flow: Mapping[str, Any]) -> Iterator[_Found]:
        for key, metric, divisor in (("queue_backpressure", cat.LOGSTASH_BACKPRESSURE, 1),
                                     ("worker_utilization", cat.LOGSTASH_WORKER_UTILIZATION_RATIO, 100),
                                     ("queue_persisted_growth_bytes", cat.LOGSTASH_QUEUE_GROWTH_BYTES, 1)):  # fmt: skip
            for window in _WINDOWS:
                yield from _one(metric, (name, window), _number(flow, key, window), divisor)

    def _plugins_of(self, name: str, plugins: Mapping[str, Any]) -> Iterator[_Found]:
        known = self._plugins.setdefault(name, set())
        for plugin in _list(plugins, "filters"):
            label, own = self._bounded(plugin.get("id"), known, _MOST_PLUGINS), str(plugin.get("id"))
            failures = _number(plugin, "failures")
            yield from _one(cat.LOGSTASH_FILTER_FAILURES_TOTAL, (name, label), failures, plugin=own)
        for plugin in _list(plugins, "outputs"):
            label, own = self._bounded(plugin.get("id"), known, _MOST_PLUGINS), str(plugin.get("id"))
            documents, requests = _mapping(plugin, "documents"), _mapping(plugin, "bulk_requests")
            if not documents and not requests:
                continue
            # Those that are not there yet begin with 0, so that a rate sees the first.
            for key, result in _DOCUMENTS.items():
                yield cat.LOGSTASH_DOCUMENTS_TOTAL, (name, label, result), _number(documents, key) or 0.0, own
            for key, result in _RESULTS.items():
                yield cat.LOGSTASH_BULK_REQUESTS_TOTAL, (name, label, result), _number(requests, key) or 0.0, own
            for code in _mapping(requests, "responses"):
                shown = code if _CODE.fullmatch(code) else _OTHER
                shown = self._bounded(shown, self._codes, _MOST_CODES)
                answered = _number(requests, "responses", code)
                labels = name, label, shown
                yield from _one(cat.LOGSTASH_BULK_RESPONSES_TOTAL, labels, answered, plugin=f"{own} {code}")

    def _bounded(self, name: object, known: set[str], most: int) -> str:
        """Return a label for a name of Logstash's configuration; `unnamed` for one that it made itself."""
        if not isinstance(name, str) or not _ID.fullmatch(name):
            return _OTHER
        if _GENERATED.fullmatch(name):
            return _UNNAMED
        if name not in known:
            if len(known) >= most:
                return _OTHER
            known.add(name)
        return name


def _reloads(name: str, reloads: Mapping[str, Any]) -> Iterator[_Found]:
    for key, result in (("successes", "success"), ("failures", "failure")):
        yield from _one(cat.LOGSTASH_RELOADS_TOTAL, (name, result), _number(reloads, key))
    if reloads:
        succeeded, failed = (str(reloads.get(f"last_{kind}_timestamp") or "") for kind in ("success", "failure"))
        # Both are of the form 2026-11-25T10:00:00.000Z, so text sorts as time.
        yield cat.LOGSTASH_RELOAD_SUCCESSFUL, (name,), float(not failed or succeeded > failed), ""


def _one(
    metric: Metric, labels: _Labels, value: float | None, divisor: float = 1, plugin: str = ""
) -> Iterator[_Found]:
    if value is not None:
        yield metric, labels, value / divisor, plugin


def _mapping(data: object, *path: str) -> Mapping[str, Any]:
    for key in path:
        data = data.get(key) if isinstance(data, Mapping) else None
    return data if isinstance(data, Mapping) else {}


def _list(data: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    found = data.get(key)
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def _number(data: object, *path: str) -> float | None:
    *above, last = path
    value = _mapping(data, *above).get(last)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if abs(number) <= _MOST else None
