"""A configuration that is put in force gets as far as it can: what fails for one probe or cluster stops no other."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from keywatch.config.yaml_file import ConfigError
from keywatch.engine import supervised
from keywatch.engine.supervised import Part
from keywatch.kafka.peers import Peers
from keywatch.metrics.exporter import CONFIG_RELOAD_SUCCESSFUL
from keywatch.service.cluster_watch import ClusterWatch
from keywatch.service.config_file import from_data
from keywatch.service.own_metrics import OwnMetrics
from keywatch.service.reload import Reload
from keywatch.service.watch import Watch

SHUT = "127.0.0.1:1"


def config(*names: str, **section: Any) -> Any:
    clusters = [{"name": name, "bootstrap": [SHUT], "canary": {"enabled": False}, **section} for name in names]
    return from_data({"clusters": clusters}, "test")


def fall(*_: object) -> None:
    raise RuntimeError("planted")


async def test_what_cannot_be_closed_is_told_and_the_change_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch(config("one", "two", topics={"period": 1}))
    watch.start()
    reload = Reload(watch, OwnMetrics(watch.store), lambda: config("two", "three", topics={"period": 2}))
    before = supervised.counts()[Part.ENDING]
    monkeypatch.setattr(Peers, "close", fall)
    said = await reload.now()
    monkeypatch.undo()
    assert "one removed" in said
    assert "three added" in said
    assert "two: made anew: offsets, topics" in said
    assert {key.cluster for key in watch.scheduler._lanes} == {"two", "three"}
    assert supervised.counts()[Part.ENDING] > before
    await watch.stop()


async def test_a_cluster_that_cannot_be_changed_leaves_the_others_in_service(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch(config("one"))
    watch.start()
    start = ClusterWatch.start

    def unless_two(self: ClusterWatch) -> None:
        if self._cluster.name == "two":
            fall()
        start(self)

    monkeypatch.setattr(ClusterWatch, "start", unless_two)
    before = supervised.counts()[Part.RELOAD]
    said = await Reload(watch, OwnMetrics(watch.store), lambda: config("one", "two", "three")).now()
    assert said == "two: not as it should be, a defect: see the log; three added"
    assert {key.cluster for key in watch.scheduler._lanes} == {"one", "three"}
    assert supervised.counts()[Part.RELOAD] == before + 1
    await watch.stop()


async def test_a_file_that_hangs_holds_up_no_event_loop_and_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keywatch.service.reload._READ_WITHIN", 0.2)
    hangs = threading.Event()
    watch = Watch(config("one"))
    itself = OwnMetrics(watch.store)

    def read() -> Any:
        hangs.wait()

    reload = Reload(watch, itself, read)
    before = threading.active_count()
    for _ in range(3):  # and no second thread waits behind it
        with pytest.raises(ConfigError, match="reading takes longer than"):
            await asyncio.wait_for(reload.now(), 10)
    assert watch.store.values(CONFIG_RELOAD_SUCCESSFUL)[()] == 0
    assert threading.active_count() <= before + 1
    hangs.set()


async def test_asked_for_often_it_is_read_once_more_and_not_as_often() -> None:
    reads: list[int] = []

    def read() -> Any:
        reads.append(1)
        return config("one")

    watch = Watch(config("one"))
    reload = Reload(watch, OwnMetrics(watch.store), read)
    for _ in range(100):
        reload.begin()
    task = reload._begun
    assert task is not None
    await asyncio.wait_for(task, 10)
    assert len(reads) in {1, 2}
