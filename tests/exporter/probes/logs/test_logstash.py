"""A Logstash lives or is down for a reason; what it tells of itself becomes series whose labels are bounded."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywatch.engine.probe import Reason, Sample, Schedule
from keywatch.metrics import logs as cat
from keywatch.metrics.metric import Metric, MetricKind
from keywatch.net.http_peer import HttpPeer
from keywatch.probes.logs.logstash import _IN_TURN as IN_TURN
from keywatch.probes.logs.logstash import LogstashProbe
from keywatch.probes.logs.logstash_stats import LogstashStats
from tests.exporter.fakes.http_server import HttpServer, reply, serving
from tests.exporter.fakes.misshapen import misshapen

MADE = Path(__file__).parents[2] / "made" / "logstash-9-node-stats.json"
STATS: dict[str, Any] = json.loads(MADE.read_text(encoding="utf-8"))
PATH = "/_node/stats"
ENOUGH = 10.0
"""Seconds for an answer that must come, whatever else the machine has to do."""


def probe_of(server: HttpServer, timeout: float = 1.0) -> LogstashProbe:
    return LogstashProbe("kafka", "ls", HttpPeer(server.url), Schedule(5.0, timeout), clock=lambda: 10_000.0)


def values(samples: Sequence[Sample], metric: Metric) -> dict[tuple[str, ...], float]:
    return {sample.labels[2:]: sample.value for sample in samples if sample.metric is metric}


def stats_of(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(STATS), **changes}


async def test_a_logstash_that_is_well_tells_of_its_pipelines_queues_and_outputs() -> None:
    async with serving({PATH: reply(MADE.read_bytes())}) as server:
        probe = probe_of(server)
        samples = await probe.run(ENOUGH)
        await probe.close()
    assert values(samples, cat.LOGSTASH_UP) == {(): 1}
    assert values(samples, cat.LOGSTASH_INFO) == {("9.1.3",): 1}
    assert values(samples, cat.LOGSTASH_STATUS) == {("green",): 1, ("yellow",): 0, ("red",): 0, ("unknown",): 0}
    assert values(samples, cat.LOGSTASH_HEAP_USED_RATIO) == {(): 0.37}
    assert values(samples, cat.LOGSTASH_START_TIMESTAMP_SECONDS) == {(): 6400}
    assert values(samples, cat.LOGSTASH_OPEN_FILES) == {(): 187}
    assert values(samples, cat.LOGSTASH_CPU_RATIO) == {(): 0.07}
    assert values(samples, cat.LOGSTASH_QUEUE_BYTES) == {("events",): 52_428_800}
    assert values(samples, cat.LOGSTASH_QUEUE_MAX_BYTES) == {("events",): 1_073_741_824}
    assert values(samples, cat.LOGSTASH_QUEUE_DISK_FREE_BYTES) == {("events",): 81_604_378_624}
    assert values(samples, cat.LOGSTASH_QUEUE_EVENTS) == {("events",): 7, ("logs",): 0}
    assert values(samples, cat.LOGSTASH_DLQ_BYTES) == {("events",): 1024}
    assert values(samples, cat.LOGSTASH_RELOAD_SUCCESSFUL) == {("events",): 1, ("logs",): 1}
    assert values(samples, cat.LOGSTASH_BACKPRESSURE)["events", "last_1_minute"] == 0.002
    assert ("logs", "lifetime") not in values(samples, cat.LOGSTASH_BACKPRESSURE), "Infinity is no figure"
    assert values(samples, cat.LOGSTASH_WORKER_UTILIZATION_RATIO)["events", "last_5_minutes"] == pytest.approx(0.028)
    assert values(samples, cat.LOGSTASH_QUEUE_GROWTH_BYTES)["events", "current"] == -120.5
    assert not any("monitoring" in label for sample in samples for label in sample.labels)
    assert not [sample for sample in samples if sample.note]


def test_counters_begin_with_0_grow_by_what_is_new_and_survive_a_restart() -> None:
    stats = LogstashStats(("kafka", "ls"))
    first = stats.samples(STATS, 0.0)
    counters = [sample for sample in first if sample.metric.kind is MetricKind.COUNTER]
    assert len(counters) > 20
    assert {sample.value for sample in counters} == {0.0}, "what happened before keywatch looked is not its to count"
    later = stats_of()
    later["pipelines"]["events"]["events"]["in"] += 25
    later["pipelines"]["events"]["plugins"]["outputs"][0]["documents"]["retryable_failures"] += 3
    later["pipelines"]["events"]["plugins"]["filters"][0]["failures"] += 1
    later["jvm"]["gc"]["collectors"]["young"]["collection_time_in_millis"] += 500
    second = stats.samples(later, 5.0)
    assert values(second, cat.LOGSTASH_EVENTS_TOTAL)["events", "in"] == 25
    assert values(second, cat.LOGSTASH_DOCUMENTS_TOTAL)["events", "out-events", "retryable"] == 3
    assert values(second, cat.LOGSTASH_FILTER_FAILURES_TOTAL)["events", "user-date"] == 1
    assert values(second, cat.LOGSTASH_GC_SECONDS_TOTAL) == {(): 0.5}
    restarted = stats_of()
    restarted["pipelines"]["events"]["events"] = {"in": 4, "filtered": 4, "out": 4}
    third = stats.samples(restarted, 10.0)
    assert values(third, cat.LOGSTASH_EVENTS_TOTAL)["events", "in"] == 4


def test_a_result_that_never_happened_is_0_so_that_a_rate_sees_the_first() -> None:
    samples = LogstashStats(("kafka", "ls")).samples(STATS, 0.0)
    results = {labels[2] for labels in values(samples, cat.LOGSTASH_DOCUMENTS_TOTAL) if labels[1] == "out-logs"}
    assert results == {"success", "non_retryable", "retryable", "dlq"}


@pytest.mark.parametrize(
    ("reloads", "good"),
    [
        ({"last_success_timestamp": None, "last_failure_timestamp": None}, 1),
        ({"last_success_timestamp": None, "last_failure_timestamp": "2026-11-25T10:00:00.000Z"}, 0),
        (
            {
                "last_success_timestamp": "2026-11-25T09:00:00.000Z",
                "last_failure_timestamp": "2026-11-25T10:00:00.000Z",
            },
            0,
        ),
        (
            {
                "last_success_timestamp": "2026-11-25T11:00:00.000Z",
                "last_failure_timestamp": "2026-11-25T10:00:00.000Z",
            },
            1,
        ),
    ],
)
def test_a_reload_that_failed_last_shows(reloads: dict[str, Any], good: int) -> None:
    stats = stats_of()
    stats["pipelines"]["events"]["reloads"] = {"successes": 1, "failures": 1, **reloads}
    samples = LogstashStats(("kafka", "ls")).samples(stats, 0.0)
    assert values(samples, cat.LOGSTASH_RELOAD_SUCCESSFUL)[("events",)] == good


def test_a_plugin_without_an_id_has_no_series_of_its_own() -> None:
    samples = LogstashStats(("kafka", "ls")).samples(STATS, 0.0)
    assert set(values(samples, cat.LOGSTASH_FILTER_FAILURES_TOTAL)) == {("events", "user-date"), ("logs", "unnamed")}


def test_pipelines_plugins_and_statuses_without_end_are_bounded() -> None:
    one = copy.deepcopy(STATS["pipelines"]["events"])
    one["plugins"]["filters"] = [{"id": f"f{number}", "failures": 1} for number in range(500)]
    one["plugins"]["outputs"][0]["bulk_requests"]["responses"] = {str(200 + number): 1 for number in range(100)}
    stats = LogstashStats(("kafka", "ls"))
    for turn in range(3):
        pipelines = {f"p{turn}-{number}": one for number in range(30)} | {'a"b\n': one, "x" * 101: one}
        samples = stats.samples(stats_of(pipelines=pipelines), 0.0)
    labels = {
        sample.labels[2] for sample in samples if len(sample.labels) > 2 and sample.metric is cat.LOGSTASH_EVENTS_TOTAL
    }
    assert labels == {"other"}, "fifty names were taken by the turns before"
    failures = values(samples, cat.LOGSTASH_FILTER_FAILURES_TOTAL)
    assert len({plugin for _, plugin in failures}) == 201
    assert len({code for _, _, code in values(samples, cat.LOGSTASH_BULK_RESPONSES_TOTAL)}) <= 21


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_KEYS = [
    "events", "queue", "flow", "reloads", "plugins", "dead_letter_queue", "jvm", "process", "status", "version",
]  # fmt: skip


@given(key=st.sampled_from(_KEYS), value=_JSON)
def test_what_logstash_tells_in_another_form_costs_only_its_own_series(key: str, value: Any) -> None:
    stats = stats_of(**{key: value})
    stats["pipelines"]["events"][key] = value
    samples = LogstashStats(("kafka", "ls")).samples(stats, 0.0)
    assert values(samples, cat.LOGSTASH_EVENTS_TOTAL)["logs", "in"] == 0
    for sample in samples:
        assert len(sample.labels) == len(sample.metric.labels)
        assert all(label.isprintable() and len(label) <= 100 for label in sample.labels)


def test_one_thing_in_another_form_costs_only_the_series_that_are_made_of_it() -> None:
    calm = {(sample.metric, sample.labels) for sample in LogstashStats(("kafka", "ls")).samples(STATS, 1e6)}
    for words, shape in misshapen(STATS):
        if not isinstance(shape["pipelines"], dict):
            continue
        reader = LogstashStats(("kafka", "ls"))
        reader.samples(STATS, 1e6)
        samples = reader.samples(shape, 1e6) + reader.samples(STATS, 1e6)
        assert all(math.isfinite(sample.value) for sample in samples), words
        told = {(sample.metric, sample.labels) for sample in samples}
        assert calm <= told, words
        grown = {sample.metric for sample in samples if sample.metric.kind is MetricKind.COUNTER and sample.value}
        assert not grown, f"{words}: nothing was counted in between"


def test_what_plugins_that_share_a_label_count_is_told_apart() -> None:
    reader = LogstashStats(("kafka", "ls"))
    ids = ["a" * 64, "b" * 64]

    def grown(*counts: tuple[str, int]) -> dict[tuple[str, ...], float]:
        filters = [{"id": name, "failures": failures} for name, failures in counts]
        stats = stats_of(pipelines={"p": {"plugins": {"filters": filters}}})
        return values(reader.samples(stats, 0.0), cat.LOGSTASH_FILTER_FAILURES_TOTAL)

    assert grown((ids[0], 1000), (ids[1], 5)) == {("p", "unnamed"): 0}
    assert grown((ids[1], 7)) == {("p", "unnamed"): 2}
    assert grown((ids[0], 1000), (ids[1], 7)) == {("p", "unnamed"): 0}
    assert grown((ids[0], 1000), (ids[1], 7), ("c" * 64, 300)) == {("p", "unnamed"): 0}
    assert grown((ids[0], 1001), (ids[0], 9000)) == {("p", "unnamed"): 1}, "of two of one name the first counts"


async def test_two_misses_in_a_row_mean_down_and_one_answer_up_again() -> None:
    async with serving({PATH: None}) as server:
        probe = probe_of(server, 0.2)
        assert not values(await probe.run(0.2), cat.LOGSTASH_UP), "one miss is no verdict"
        down = await probe.run(0.2)
        assert values(down, cat.LOGSTASH_UP) == {(): 0}
        assert values(down, cat.LOGSTASH_DOWN_REASON) == {("timeout_response",): 1}
        (note,) = (sample.note for sample in down if sample.metric is cat.LOGSTASH_UP)
        assert str(note).startswith("down, timeout_response: ")
        server.pages[PATH] = reply(MADE.read_bytes())
        up = await probe.run(ENOUGH)
        assert values(up, cat.LOGSTASH_UP) == {(): 1}
        assert values(up, cat.LOGSTASH_DOWN_REASON) == {("timeout_response",): 0}
        await probe.close()


@pytest.mark.parametrize(
    ("page", "reason", "words"),
    [
        (reply("", "404 Not Found"), Reason.UNSUPPORTED, "this is not Logstash's own interface"),
        (reply("", "401 Unauthorized"), Reason.AUTHENTICATION, "status 401"),
        (reply("", "403 Forbidden"), Reason.AUTHORIZATION, "status 403"),
        (reply("oops", "500 Internal Server Error"), Reason.PROTOCOL, "status 500"),
        (reply("<html>", kind="text/html"), Reason.PROTOCOL, "something else than the figures of a Logstash"),
        (reply("[]"), Reason.PROTOCOL, "something else"),
        (reply('{"pipelines": 1}'), Reason.PROTOCOL, "something else"),
        (reply("[" * 50_000), Reason.PROTOCOL, "something else"),
        (reply(b"\xff\xfe"), Reason.PROTOCOL, "something else"),
        (reply(" " * (8 * 1024 * 1024 + 1)), Reason.PROTOCOL, "more than 8388608 bytes"),
    ],
    ids=["404", "401", "403", "500", "html", "list", "no pipelines", "a bomb", "no UTF-8", "too large"],
)
async def test_what_answers_wrongly_is_named(page: bytes, reason: Reason, words: str) -> None:
    async with serving({PATH: page}) as server:
        probe = probe_of(server)
        await probe.run(ENOUGH)
        samples = await probe.run(ENOUGH)
        await probe.close()
    assert values(samples, cat.LOGSTASH_DOWN_REASON) == {(reason,): 1}
    assert any(words in (sample.note or "") for sample in samples)


async def test_nodes_that_answer_in_turn_are_told_and_count_each_by_itself() -> None:
    def of(node: str, events: int) -> bytes:
        changed = stats_of(id=node)
        changed["pipelines"]["events"]["events"]["in"] = events
        return reply(json.dumps(changed).encode())

    async with serving({PATH: of("a", 1000)}) as server:
        probe = probe_of(server)
        grown, notes = [], []
        for node, events in (("a", 1000), ("b", 10), ("a", 1005), ("b", 12)):
            server.pages[PATH] = of(node, events)
            samples = await probe.run(ENOUGH)
            grown.append(values(samples, cat.LOGSTASH_EVENTS_TOTAL)["events", "in"])
            notes.append([sample.note for sample in samples if sample.note])
        await probe.close()
    assert grown == [0, 0, 5, 2]
    assert notes[:2] == [[], []], "a restart may bring another id"
    assert all(told == [IN_TURN] for told in notes[2:])
