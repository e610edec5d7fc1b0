"""Each outcome of a run is recorded under a bounded reason, and no probe can harm another."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import cast

import pytest

from keywatch.engine.exposition import render
from keywatch.engine.incidents import Incidents
from keywatch.engine.probe import ProbeError, Reason, Sample
from keywatch.engine.runner import Runner
from keywatch.engine.series import MetricSeries, Rows, SeriesSet
from keywatch.engine.store import Key, Store, key_of
from keywatch.engine.worker import Worker
from keywatch.metrics import cluster as cluster_metrics
from keywatch.metrics import probe as probe_metrics
from tests.exporter.fakes.scripted import Act, Scripted, fails, gives, hangs
from tests.exporter.waiting import until

UP = Sample(cluster_metrics.CLUSTER_UP, ("kafka",), 1.0)
DOWN = Sample(cluster_metrics.CLUSTER_UP, ("kafka",), 0.0, "down, refused: nobody answers")
BROKERS = Sample(cluster_metrics.BROKERS, ("kafka",), 3.0)


class Bench:
    """A runner with what it writes to."""

    def __init__(self) -> None:
        self.store = Store()
        self.incidents = Incidents()
        self.runner = Runner(self.store, self.incidents)

    def failures(self, name: str) -> dict[str, float]:
        """Count the failures of a probe by reason."""
        counts = self.store.values(probe_metrics.PROBE_FAILURES_TOTAL)
        return {labels[2]: count for labels, count in counts.items() if labels[1] == name and count}

    def success(self, name: str) -> bool:
        """Return whether a probe's last run could answer."""
        return dict(self.store.accounts())[Key("kafka", name, "")].success

    def wrong(self) -> list[str]:
        """Return what is wrong now, in words."""
        return [incident.note for incident in self.incidents]


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def released() -> Iterator[threading.Event]:
    """Return an event for calls to block on; they end with the test at the latest."""
    event = threading.Event()
    yield event
    event.set()


async def test_a_success_puts_its_frame_in_place_and_is_accounted(bench: Bench) -> None:
    assert await bench.runner.run(Scripted("cluster", gives(UP, BROKERS)))
    assert bench.store.values(cluster_metrics.CLUSTER_UP) == {("kafka",): 1.0}
    assert bench.success("cluster")
    assert bench.failures("cluster") == {}
    assert bench.wrong() == []
    (duration,) = bench.store.histograms[probe_metrics.PROBE_DURATION_SECONDS].values()
    assert duration.cumulative()[-1] == 1


async def test_failure_is_counted_under_a_bounded_reason(bench: Bench) -> None:
    probe = Scripted("cluster", fails(ProbeError(Reason.NO_METADATA, "the details")))
    assert not await bench.runner.run(probe)
    assert not await bench.runner.run(probe)
    assert not bench.success("cluster")
    assert bench.failures("cluster") == {Reason.NO_METADATA: 2}
    assert bench.wrong() == ["no_metadata: the details"]


async def test_a_failed_run_may_tell_a_state_and_the_other_edge_follows(bench: Bench) -> None:
    probe = Scripted("cluster", gives(UP, BROKERS), fails(ProbeError(Reason.REFUSED, "", [DOWN])), gives(UP))
    await bench.runner.run(probe)
    await bench.runner.run(probe)
    assert bench.store.values(cluster_metrics.CLUSTER_UP) == {("kafka",): 0.0}
    assert bench.store.values(cluster_metrics.BROKERS) == {
        ("kafka",): 3.0
    }  # not told anew, so the last known stands for a while
    assert bench.wrong() == [DOWN.note]  # and not the failure of the probe beside it
    await bench.runner.run(probe)
    assert bench.store.values(cluster_metrics.CLUSTER_UP) == {("kafka",): 1.0}
    assert bench.wrong() == []


async def test_what_was_wrong_is_not_called_well_because_nobody_can_look(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    probe = Scripted("cluster", gives(DOWN), fails(ProbeError(Reason.STUCK, "it hangs")), gives(DOWN), gives(UP))
    await bench.runner.run(probe)
    (incident,) = bench.incidents
    await bench.runner.run(probe)
    assert set(bench.wrong()) == {DOWN.note, "stuck: it hangs"}
    await bench.runner.run(probe)
    assert [found.since for found in bench.incidents] == [incident.since]
    assert not [record for record in caplog.records if "over" in record.message and "down" in record.message]
    await bench.runner.run(probe)
    assert bench.wrong() == []


async def test_a_defect_is_internal_logged_once_with_its_trace_and_others_go_on(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    broken = Scripted("canary", fails(ZeroDivisionError("a secret of the code")))
    for _ in range(3):
        assert not await bench.runner.run(broken)
    assert await bench.runner.run(Scripted("cluster", gives(UP)))
    assert bench.failures("canary") == {Reason.INTERNAL: 3}
    assert bench.wrong() == ["internal: ZeroDivisionError"]
    traces = [record for record in caplog.records if record.exc_info]
    assert len(traces) == 1
    assert traces[0].getMessage() == "probe canary of cluster kafka has a defect"
    assert traces[0].levelno == logging.ERROR


async def test_a_new_defect_and_one_that_came_back_are_logged_again(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    zero, key = fails(ZeroDivisionError()), fails(KeyError())
    probe = Scripted("canary", zero, key, key, gives(), key)
    for _ in range(5):
        await bench.runner.run(probe)
    kinds = [record.exc_info[0] for record in caplog.records if record.exc_info]
    assert kinds == [ZeroDivisionError, KeyError, KeyError]


async def test_a_run_that_cancels_itself_is_a_defect_and_not_the_end_of_its_lane(bench: Bench) -> None:
    assert not await bench.runner.run(Scripted("canary", fails(asyncio.CancelledError())))
    assert bench.failures("canary") == {Reason.INTERNAL: 1}


async def test_a_run_past_its_deadline_is_stuck_and_the_next_one_starts_afresh(bench: Bench) -> None:
    probe = Scripted("cluster", hangs(), gives(UP))
    assert not await bench.runner.run(probe)
    assert bench.failures("cluster") == {Reason.STUCK: 1}
    assert bench.wrong() == ["stuck: no answer 0.5 s after its deadline of 0.1 s"]
    await until(lambda: not probe.under_way, "the run is over, because it was cancelled")
    assert await bench.runner.run(probe)


async def test_a_probe_that_ignores_cancelling_gets_no_second_run_beside_the_first(bench: Bench) -> None:
    ended = asyncio.Event()

    async def stubborn() -> Sequence[Sample]:
        while not ended.is_set():
            try:
                await ended.wait()
            except asyncio.CancelledError:
                continue
        raise ZeroDivisionError  # whoever gave up must not be warned about it

    probe = Scripted("cluster", stubborn, gives(UP))
    assert not await bench.runner.run(probe)
    assert not await bench.runner.run(probe)
    assert probe.runs == 1
    assert bench.failures("cluster") == {Reason.STUCK: 2}
    assert "stuck: the run before has still not come back" in bench.wrong()
    ended.set()
    await until(lambda: probe.under_way == 0, "the first run ends")
    assert await bench.runner.run(probe)
    assert probe.most_at_once == 1


async def test_a_probe_in_a_blocking_call_is_stuck_while_others_go_on(bench: Bench, released: threading.Event) -> None:
    worker = Worker("c-library")

    async def blocks() -> Sequence[Sample]:
        return await worker.call(lambda: [UP] if released.wait() else [])

    probe, other = Scripted("canary", blocks), Scripted("cluster", gives(UP))
    stuck = asyncio.ensure_future(bench.runner.run(probe))
    assert await bench.runner.run(other)
    assert not await stuck
    # The thread is still held: the next run fails at once in place of waiting behind the first.
    assert not await bench.runner.run(probe)
    assert bench.wrong() == ["stuck: c-library: the call before has still not come back"]
    assert bench.failures("canary") == {Reason.STUCK: 2}
    released.set()
    deadline = time.monotonic() + 60
    while not await bench.runner.run(probe):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    assert bench.success("canary")
    worker.end()


async def test_a_call_on_the_thread_gives_its_error_to_whoever_waits() -> None:
    worker = Worker("c-library")
    with pytest.raises(ZeroDivisionError):
        await worker.call(lambda: 1 // 0)
    assert await worker.call(lambda: 7) == 7
    worker.end()


async def test_cancelling_a_run_cancels_its_probe(bench: Bench) -> None:
    probe = Scripted("cluster", hangs())
    run = asyncio.ensure_future(bench.runner.run(probe))
    await until(lambda: probe.under_way, "the run has begun")
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    await until(lambda: not probe.under_way, "the probe has ended")
    assert list(bench.store.accounts()) == []


async def test_a_dropped_probe_leaves_nothing_behind(bench: Bench) -> None:
    probe = Scripted("cluster", gives(DOWN))
    await bench.runner.run(probe)
    bench.runner.drop(probe)
    assert bench.store.values(cluster_metrics.CLUSTER_UP) == {}
    assert bench.wrong() == []
    assert key_of(probe) not in dict(bench.store.accounts())


MISSHAPEN = {
    "too few labels": Sample(cluster_metrics.BROKER_UP, ("kafka",), 1.0),
    "too many labels": Sample(cluster_metrics.CLUSTER_UP, ("kafka", "1"), 0.0, "down"),
    "no text": Sample(cluster_metrics.CLUSTER_UP, (cast(str, None),), 1.0),
    "no number": Sample(cluster_metrics.CLUSTER_UP, ("kafka",), cast(float, "1")),
    "a number of 400 digits": Sample(cluster_metrics.CLUSTER_UP, ("kafka",), 10**400),
}


@pytest.mark.parametrize("sample", MISSHAPEN.values(), ids=MISSHAPEN)
@pytest.mark.parametrize("failed", [False, True], ids=["answered", "failed"])
async def test_a_misshapen_sample_costs_only_its_own_probe(bench: Bench, sample: Sample, *, failed: bool) -> None:
    act = fails(ProbeError(Reason.REFUSED, "nobody answers", [sample])) if failed else gives(sample)
    assert not await bench.runner.run(Scripted("broker", act))
    assert await bench.runner.run(Scripted("cluster", gives(UP)))
    assert bench.failures("broker") == {Reason.REFUSED if failed else Reason.INTERNAL: 1}
    page = render(bench.store, lambda _: True, openmetrics=False).decode()
    assert 'keywatch_cluster_up{cluster="kafka"} 1' in page
    assert "keywatch_broker_up" not in page
    assert len(bench.wrong()) == 1


@pytest.mark.parametrize(
    "series",
    [
        lambda rows: MetricSeries(cluster_metrics.BROKER_UP, rows, [1]),
        lambda rows: MetricSeries(cluster_metrics.CLUSTER_UP, rows, []),
        lambda rows: MetricSeries(cluster_metrics.CLUSTER_UP, rows, [1], ("a", "b")),
    ],
    ids=["labels", "values", "notes"],
)
def test_series_that_do_not_fit_together_cannot_be_made(series: Callable[[Rows], MetricSeries]) -> None:
    with pytest.raises(ValueError, match="keywatch_"):
        series(Rows([("kafka",)]))


def gives_all(told: SeriesSet) -> Act:
    async def act() -> SeriesSet:
        return told

    return act


class Unexpanded(SeriesSet):
    """Series of which nobody may make a sample each."""

    def __iter__(self) -> Iterator[Sample]:
        raise AssertionError("every series was made a sample of")


async def test_a_right_that_is_missing_costs_no_more_than_success(bench: Bench) -> None:
    rows = Rows([("kafka", "orders", str(index)) for index in range(1000)])
    notes = (*([None] * 999), "the last one is offline")
    series = [
        MetricSeries(cluster_metrics.PARTITION_LEADER, rows, range(1000)),
        MetricSeries(cluster_metrics.PARTITION_REPLICAS, rows, range(1000), notes),
    ]
    told = Unexpanded(series, [UP])
    words = "Describe on Topic:secret is missing"
    probe = Scripted("topics", gives_all(told), fails(ProbeError(Reason.AUTHORIZATION, words, told)), gives_all(told))
    assert await bench.runner.run(probe)
    assert bench.wrong() == ["the last one is offline"]
    assert not await bench.runner.run(probe)
    assert set(bench.wrong()) == {"the last one is offline", f"authorization: {words}"}  # neither hides the other
    assert bench.failures("topics") == {Reason.AUTHORIZATION: 1}
    frame = dict(bench.store.frames())[Key("kafka", "topics", "")]
    assert frame[cluster_metrics.PARTITION_LEADER].series == [series[0]]  # the same object, which is rendered already
    assert await bench.runner.run(probe)


async def test_a_failure_of_many_series_that_are_all_well_is_told_itself(bench: Bench) -> None:
    told = Unexpanded([MetricSeries(cluster_metrics.BROKERS, Rows([("kafka",)]), [3])])
    await bench.runner.run(Scripted("topics", fails(ProbeError(Reason.AUTHORIZATION, "a right is missing", told))))
    assert bench.wrong() == ["authorization: a right is missing"]


async def test_very_much_that_is_wrong_holds_nobody_up(bench: Bench) -> None:
    rows = Rows([("kafka", "orders", str(index)) for index in range(20_000)])
    told = Unexpanded([MetricSeries(cluster_metrics.PARTITION_LEADER, rows, [-1] * 20_000, ("no leader",) * 20_000)])
    pieces = bench.incidents.observing(Key("kafka", "topics", ""), told, 0.0)
    assert sum(1 for _ in pieces) >= 20
    assert len(bench.incidents) == 20_000
