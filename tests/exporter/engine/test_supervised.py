"""Whatever dies is told and counted; what has to go on goes on. Every part that begins a task or a thread is killed."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Collection
from typing import Any, cast

import pytest

from keywatch.config.endpoint import Endpoint
from keywatch.engine import supervised
from keywatch.engine.exposition import render
from keywatch.engine.incidents import Incidents
from keywatch.engine.looking import Looking
from keywatch.engine.probe import ProbeError, Reason, Sample
from keywatch.engine.runner import Runner
from keywatch.engine.scheduler import Scheduler
from keywatch.engine.store import Key, Store
from keywatch.engine.supervised import Part
from keywatch.engine.worker import Worker
from keywatch.kafka.client import Clients
from keywatch.kafka.peers import Peers
from keywatch.kafka.records.tail import Tail
from keywatch.kafka.topology import Topology
from keywatch.metrics import cluster as cat
from keywatch.metrics import exporter as own
from keywatch.probes.canary.link import CanaryLink
from keywatch.service.config_file import from_data
from keywatch.service.own_metrics import OwnMetrics
from keywatch.service.reload import Reload
from keywatch.service.watch import Watch
from keywatch.web.auth import BasicAuth
from keywatch.web.port import Port
from keywatch.web.throttle import Throttle
from tests.exporter.fakes.scripted import Scripted, gives
from tests.exporter.waiting import until
from tests.exporter.web.server import served

UP = Sample(cat.CLUSTER_UP, ("kafka",), 1.0)
SHUT = "127.0.0.1:1"


class PlantedError(Exception):
    """The defect that is planted."""


def fall(*_: object, **__: object) -> Any:
    """Be the defect."""
    raise PlantedError("planted")


async def stumble(*_: object, **__: object) -> Any:
    """Be the defect, awaited."""
    raise PlantedError("planted")


class Once:
    """Falls once and then does as what it stands for does."""

    def __init__(self, real: Callable[..., Any]) -> None:
        self._real = real
        self.calls = 0

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Fall the first time."""
        self.calls += 1
        return fall() if self.calls == 1 else self._real(*arguments, **named)


async def a_lane_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    runner = Runner(Store(), Incidents())
    monkeypatch.setattr(runner, "run", Once(runner.run))
    scheduler, probe = Scheduler(runner), Scripted("cluster", gives(UP))
    scheduler.add(probe)
    await until(lambda: probe.runs > 2, "its probe runs")
    await scheduler.stop()


async def a_run_that_was_given_up_is_told(_: pytest.MonkeyPatch) -> None:
    async def late() -> Collection[Sample]:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            fall()
        return ()

    store = Store()
    probe = Scripted("cluster", cast(Any, late), timeout=0.01)
    assert not await Runner(store, Incidents()).run(probe)


async def a_question_that_nobody_awaits_is_told(_: pytest.MonkeyPatch) -> None:
    supervised.task(Part.QUESTION, stumble())
    answer = supervised.task(Part.QUESTION, refused(), answers=(ProbeError,))
    with pytest.raises(ProbeError):
        await answer


async def refused() -> None:
    raise ProbeError(Reason.REFUSED, "an answer, and no defect")


async def a_probe_that_cannot_be_closed_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler = Scheduler(Runner(Store(), Incidents()))
    bad, good = Scripted("broker", gives(UP)), Scripted("cluster", gives(UP))
    monkeypatch.setattr(bad, "close", stumble)
    scheduler.add(bad)
    scheduler.add(good)
    await scheduler.stop()
    assert good.closed == 1


async def own_metrics_go_on_and_stale_gauges_end(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store()
    itself = OwnMetrics(store)
    beat = itself.begin()
    monkeypatch.setattr(store, "expire", Once(store.expire))
    store.replace(Key("c", "cluster", ""), [UP], 0.0, 0.0)
    await until(lambda: not store.values(cat.CLUSTER_UP), "what is stale is let go")
    await until(lambda: store.values(own.DEFECTS_TOTAL)[(Part.OWN_METRICS,)] >= 1, "the series tells of it")
    beat.cancel()


async def the_port_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    admit = Port._admit
    calls: list[int] = []

    def once(self: Port, *arguments: Any) -> None:
        calls.append(1)
        if len(calls) == 1:
            fall()
        admit(self, *arguments)

    monkeypatch.setattr(Port, "_admit", once)
    async with served() as running:
        assert (await running.ask("/-/healthy")).status == 0
        assert (await running.ask("/-/healthy")).status == 200


async def a_connection_that_cannot_be_set_up_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async with served() as running:
        with monkeypatch.context() as patch:
            patch.setattr(asyncio.get_running_loop(), "connect_accepted_socket", stumble)
            async with running.connection():
                await until(lambda: supervised.counts()[Part.CONNECTION] > BEFORE[Part.CONNECTION], "it is told")
        assert (await running.ask("/-/healthy")).status == 200


async def a_password_that_cannot_be_checked_is_no_entrance(_: pytest.MonkeyPatch) -> None:
    from pydantic import SecretStr  # noqa: PLC0415

    auth = BasicAuth(Throttle(), 4, verify=fall)
    users = {"a": SecretStr("$2b$04$" + "." * 53)}
    with pytest.raises(PlantedError):
        await auth.judge(users, "Basic YTpi", "127.0.0.1")
    with pytest.raises(PlantedError):  # and the next one is not waited for in vain
        await auth.judge(users, "Basic YTpi", "127.0.0.1")
    auth.close()


async def a_reload_that_falls_is_told_as_failed(_: pytest.MonkeyPatch) -> None:
    watch = Watch(from_data({"clusters": [{"bootstrap": [SHUT]}]}, "test"))
    itself = OwnMetrics(watch.store)
    reload = Reload(watch, itself, fall)
    reload.begin()
    await until(lambda: watch.store.values(own.CONFIG_RELOAD_SUCCESSFUL)[()] == 0, "the series says so")


async def a_look_that_falls_is_followed_by_another(_: pytest.MonkeyPatch) -> None:
    look = Once(lambda: None)
    looking = Looking("x", look, every=0.0)
    for _turn in range(2):
        await looking.fresh()
    assert look.calls == 2


async def a_series_that_cannot_be_written_costs_only_itself(_: pytest.MonkeyPatch) -> None:
    store = Store()
    store.counters[own.WEB_REFUSED_TOTAL] = {("one", "too many"): 1.0, ("good",): 2.0}
    page = render(store, lambda _: True, openmetrics=False).decode()
    assert 'keywatch_web_refused_total{reason="good"} 2' in page
    assert "too many" not in page


async def the_canary_reads_on(monkeypatch: pytest.MonkeyPatch) -> None:
    topology = Topology([Endpoint("127.0.0.1", 1)])
    ends = {"acknowledged": fall, "failed": fall, "read": fall}
    link = CanaryLink(lambda: Peers(topology, None), "t", "i", period=1.0, timeout=1.0, **ends)
    link.assign({0: 0})
    with monkeypatch.context() as patch:
        patch.setattr(Peers, "ask", stumble)
        link.follow({0: "1"})
        (first,) = link._reading.values()
        await until(first.done, "it fell")
    link.follow({0: "1"})
    (second,) = link._reading.values()
    assert second is not first
    link.end()


async def a_tail_tells_that_its_thread_died(monkeypatch: pytest.MonkeyPatch) -> None:
    clients = Clients(SHUT, {})
    monkeypatch.setattr(clients, "bulk", fall)
    tail = Tail[int](clients, "t", lambda *_: 1, lambda _: None)
    await until(lambda: isinstance(tail.failure, PlantedError), "it is told")


async def a_worker_is_followed_by_another(_: pytest.MonkeyPatch) -> None:
    worker = Worker("w")
    worker._calls = cast(Any, None)
    with pytest.raises(AttributeError):
        await worker.call(threading.current_thread)
    supervised.thread(Part.WORKER, "w", fall).join()
    fresh = Worker("w")
    first = await fresh.call(threading.current_thread)
    fresh.end()
    await until(lambda: not first.is_alive(), "its thread ended")
    assert await fresh.call(threading.current_thread) is not first
    fresh.end(fall)


async def a_callback_is_told(_: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    supervised.watch(loop)
    loop.call_soon(fall)
    loop.call_soon(lambda: loop.call_exception_handler({"message": "x", "exception": ConnectionResetError()}))
    await asyncio.sleep(0)
    loop.set_exception_handler(None)


KILLS: dict[Part, Callable[[pytest.MonkeyPatch], Awaitable[None]]] = {
    Part.LANE: a_lane_goes_on,
    Part.RUN: a_run_that_was_given_up_is_told,
    Part.QUESTION: a_question_that_nobody_awaits_is_told,
    Part.ENDING: a_probe_that_cannot_be_closed_holds_up_nobody,
    Part.OWN_METRICS: own_metrics_go_on_and_stale_gauges_end,
    Part.PORT: the_port_goes_on,
    Part.CONNECTION: a_connection_that_cannot_be_set_up_is_told,
    Part.PASSWORD: a_password_that_cannot_be_checked_is_no_entrance,
    Part.RELOAD: a_reload_that_falls_is_told_as_failed,
    Part.LOOKING: a_look_that_falls_is_followed_by_another,
    Part.RENDERING: a_series_that_cannot_be_written_costs_only_itself,
    Part.CANARY: the_canary_reads_on,
    Part.TAIL: a_tail_tells_that_its_thread_died,
    Part.WORKER: a_worker_is_followed_by_another,
    Part.CALLBACK: a_callback_is_told,
}
BEFORE: dict[Part, int] = {}


def test_every_part_is_killed() -> None:
    assert set(KILLS) == set(Part) - {Part.LOG}  # which tests/exporter/service/test_log_setup.py kills


@pytest.mark.parametrize("part", KILLS)
async def test_what_dies_is_told_and_what_has_to_go_on_goes_on(
    part: Part, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    supervised._seen.clear()
    BEFORE.update(supervised.counts())
    with caplog.at_level(logging.ERROR):
        await KILLS[part](monkeypatch)
        await until(lambda: supervised.counts()[part] > BEFORE[part], "it is counted")
    told = [record for record in caplog.records if record.name == "keywatch.engine.supervised"]
    assert any(record.getMessage().startswith(part) and record.exc_info for record in told)


async def test_the_same_defect_is_told_loudly_once(caplog: pytest.LogCaptureFixture) -> None:
    supervised._seen.clear()
    for _ in range(3):
        supervised.defect(Part.LANE, PlantedError("again"), "one")
    assert [record.levelname for record in caplog.records] == ["ERROR"]


async def test_what_is_cancelled_from_without_ends_and_is_no_defect() -> None:
    before = supervised.counts()[Part.LANE]

    async def forever() -> None:
        await asyncio.Event().wait()

    task = supervised.keep(Part.LANE, forever)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert supervised.counts()[Part.LANE] == before


async def test_what_is_cancelled_from_within_begins_anew() -> None:
    rounds: list[int] = []

    async def one() -> None:
        rounds.append(1)
        if len(rounds) == 1:
            raise asyncio.CancelledError

    await supervised.keep(Part.LANE, one, again=0.0)
    assert len(rounds) == 2
