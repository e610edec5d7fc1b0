"""Each probe has a lane of its own: its period, its kicks, its end; one that hangs delays no other."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import pytest

from keywatch.engine.incidents import Incidents
from keywatch.engine.probe import Reason, Sample
from keywatch.engine.runner import Runner
from keywatch.engine.scheduler import Scheduler, _Lane, _shift
from keywatch.engine.store import Key, Store, key_of
from keywatch.engine.worker import Worker
from keywatch.metrics import cluster as cluster_metrics
from keywatch.metrics import probe as probe_metrics
from tests.exporter.fakes.scripted import Scripted, fails, gives, hangs
from tests.exporter.waiting import until

UP = Sample(cluster_metrics.CLUSTER_UP, ("kafka",), 1.0)
RARELY = 3600.0


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
async def scheduler(store: Store) -> AsyncIterator[Scheduler]:
    it = Scheduler(Runner(store, Incidents()))
    yield it
    await it.stop()


async def test_a_probe_runs_at_once_and_then_every_period(scheduler: Scheduler) -> None:
    starts: list[float] = []

    async def slow() -> Sequence[Sample]:
        starts.append(time.monotonic())
        await asyncio.sleep(0.16)
        return ()

    scheduler.add(Scripted("cluster", slow, period=0.2, timeout=1.0))
    added = time.monotonic()
    await until(lambda: len(starts) == 6, "six runs")
    assert starts[0] - added < 0.2
    # Were the period counted from the end of a run, this would take 1.8 s.
    assert 0.95 < starts[-1] - starts[0] < 1.5


async def test_a_run_longer_than_its_period_is_followed_at_once_and_lost_ticks_are_not_made_up(
    scheduler: Scheduler,
) -> None:
    starts: list[float] = []

    async def act() -> Sequence[Sample]:
        starts.append(time.monotonic())
        await asyncio.sleep(0.5 if len(starts) == 1 else 0)
        return ()

    scheduler.add(Scripted("cluster", act, period=0.1, timeout=1.0))
    await until(lambda: len(starts) == 4, "four runs")
    assert starts[1] - starts[0] > 0.45
    assert starts[3] - starts[1] > 0.19  # four ticks were lost; made up for, this would take no time


async def test_a_kick_runs_a_probe_now(scheduler: Scheduler) -> None:
    topics, cluster = (Scripted(name, gives(), period=RARELY) for name in ("topics", "cluster"))
    for probe in (topics, cluster):
        scheduler.add(probe)
    await until(lambda: not scheduler.not_yet_run(), "the first runs")
    scheduler.kick("kafka", "topics")
    await until(lambda: topics.runs == 2, "the kicked run")
    scheduler.kick("another cluster", "topics", "cluster")
    scheduler.kick("kafka", "topics", "no such probe")
    await until(lambda: topics.runs == 3, "the run kicked again")
    assert cluster.runs == 1


async def test_a_kick_looks_only_at_what_it_kicks(scheduler: Scheduler) -> None:
    # Each of many brokers that come or go at once kicks: were all lanes looked at each time, that would be quadratic.
    brokers = [Scripted("broker", gives(), period=RARELY, target=str(index)) for index in range(50)]
    topics = Scripted("topics", gives(), period=RARELY)
    for probe in (*brokers, topics):
        scheduler.add(probe)
    await until(lambda: not scheduler.not_yet_run(), "the first runs")
    looked: list[Key] = []

    class Watched(dict[Key, _Lane]):
        def __iter__(self) -> Iterator[Key]:
            looked.extend(super().keys())
            return super().__iter__()

        def items(self) -> Any:
            looked.extend(super().keys())
            return super().items()

    scheduler._lanes = Watched(scheduler._lanes)
    scheduler.kick("kafka", "topics", "cluster")
    assert looked == []
    await until(lambda: topics.runs == 2, "the kicked run")
    await scheduler.remove(key_of(topics))
    scheduler.kick("kafka", "topics")
    scheduler.add(replacement := Scripted("topics", gives(), period=RARELY))
    await until(lambda: replacement.runs == 1, "the first run of another")
    scheduler.replace(last := Scripted("topics", gives(), period=RARELY))
    await until(lambda: last.runs == 1, "the first run of the one in its place")
    scheduler.kick("kafka", "topics")
    await until(lambda: last.runs == 2, "the run kicked again")
    assert replacement.runs == 1
    assert topics.runs == 2


async def test_a_kick_during_a_run_is_followed_by_another_run(scheduler: Scheduler) -> None:
    go_on = asyncio.Event()

    async def waits() -> Sequence[Sample]:
        await go_on.wait()
        return ()

    probe = Scripted("topics", waits, gives(), period=RARELY, timeout=10.0)
    scheduler.add(probe)
    await until(lambda: probe.under_way, "the run has begun")
    scheduler.kick("kafka", "topics")
    scheduler.kick("kafka", "topics")
    go_on.set()
    await until(lambda: probe.runs == 2, "the run for the kick")
    assert probe.most_at_once == 1


async def test_others_keep_their_period_while_a_probe_is_stuck_in_a_blocking_call(
    scheduler: Scheduler, store: Store
) -> None:
    released = threading.Event()
    worker = Worker("c-library")

    async def blocks() -> Sequence[Sample]:
        return await worker.call(lambda: [UP] if released.wait() else [])

    stuck, well = Scripted("canary", blocks), Scripted("cluster", gives(UP))
    broken = Scripted("groups", fails(KeyError()))
    for probe in (stuck, well, broken):
        scheduler.add(probe)
    try:
        counted = ("kafka", "canary", Reason.STUCK)
        await until(lambda: store.values(probe_metrics.PROBE_FAILURES_TOTAL).get(counted, 0) >= 3, "stuck was reported")
        # 0.6 s until it is given up: time for 30 runs of each of the others.
        assert well.runs > 10
        assert broken.runs > 10
        assert scheduler.standing_still() == []
        released.set()
        await until(lambda: dict(store.accounts())[key_of(stuck)].success, "it answers again")
    finally:
        released.set()
        worker.end()


async def test_a_removed_probe_is_closed_and_takes_its_frame_along(scheduler: Scheduler, store: Store) -> None:
    probe = Scripted("cluster", gives(UP), period=RARELY)
    scheduler.add(probe)
    await until(lambda: store.values(cluster_metrics.CLUSTER_UP), "its frame")
    await scheduler.remove(key_of(probe))
    assert store.values(cluster_metrics.CLUSTER_UP) == {}
    assert probe.closed == 1
    assert scheduler.probes == []
    await scheduler.remove(key_of(probe))  # nothing is left to remove
    assert probe.closed == 1


async def test_probes_that_have_not_run_yet_are_named(scheduler: Scheduler) -> None:
    scheduler.add(Scripted("cluster", gives(), period=RARELY))
    scheduler.add(Scripted("broker", hangs(), timeout=30.0, target="1"))
    assert len(scheduler.not_yet_run()) == 2
    await until(lambda: scheduler.not_yet_run() == [Key("kafka", "broker", "1")], "only the one that hangs is left")


async def test_a_lane_that_does_not_move_is_named(scheduler: Scheduler) -> None:
    probe = Scripted("cluster", gives(), period=0.1, timeout=1.0)
    scheduler.add(probe)
    scheduler.add(Scripted("topics", gives(), period=RARELY))
    await until(lambda: not scheduler.not_yet_run(), "the first runs")
    lane = scheduler._lanes[key_of(probe)]
    assert lane.task is not None
    lane.task.cancel()  # as a defect in the lane itself would
    lane.beat = time.monotonic() - 6.4  # its timeout, five periods and five seconds are 6.5 s
    assert scheduler.standing_still() == []
    lane.beat -= 0.2
    assert scheduler.standing_still() == [key_of(probe)]


async def test_stopping_ends_running_probes_and_closes_all_of_them(store: Store) -> None:
    scheduler = Scheduler(Runner(store, Incidents()))
    probes = [Scripted("cluster", gives(), period=RARELY), Scripted("topics", hangs(), timeout=30.0)]
    for probe in probes:
        scheduler.add(probe)
    await until(lambda: all(probe.runs for probe in probes), "both have begun")
    async with asyncio.timeout(5):
        await scheduler.stop()
    assert [probe.closed for probe in probes] == [1, 1]
    await until(lambda: not any(probe.under_way for probe in probes), "no run is left")
    assert scheduler.probes == []
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


def test_probes_that_start_together_are_spread_and_none_is_put_off_for_long() -> None:
    shifts = {_shift(Scripted("broker", gives(), period=0.5, target=str(index))) for index in range(100)}
    assert shifts == {0.0, 0.125, 0.25, 0.375}
    assert all(_shift(Scripted("configs", gives(), period=10.0, target=str(i))) < 0.5 for i in range(100))
