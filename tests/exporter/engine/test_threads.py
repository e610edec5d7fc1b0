"""Blocking calls run on threads of their own, so many at a time; one that hangs keeps its place and nothing else."""

from __future__ import annotations

import asyncio
import threading

import pytest

from keywatch.engine.threads import Threads
from tests.exporter.waiting import until


async def test_a_call_gives_its_result_and_its_error() -> None:
    threads = Threads(2)
    assert await threads.call(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        await threads.call(lambda: 1 // 0)


async def test_no_more_calls_than_allowed_are_under_way_and_one_given_up_keeps_its_place() -> None:
    threads, end, begun = Threads(2), threading.Event(), []

    def hang() -> None:
        begun.append(threading.get_ident())
        end.wait(30)

    given_up = [asyncio.create_task(threads.call(hang)) for _ in range(2)]
    await until(lambda: len(begun) == 2, "both hang")
    for task in given_up:
        task.cancel()
    await asyncio.wait(given_up)
    waiting = asyncio.create_task(threads.call(lambda: "done"))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    end.set()
    assert await waiting == "done"


async def test_one_purpose_waits_for_no_other() -> None:
    end = threading.Event()
    hanging = asyncio.create_task(Threads(1).call(lambda: end.wait(30)))
    assert await Threads(1).call(lambda: "done") == "done"
    end.set()
    await hanging


async def test_a_thread_that_is_idle_is_used_again() -> None:
    threads = Threads(1)
    await threads.call(lambda: None)
    before = threading.active_count()
    for _ in range(50):
        await threads.call(lambda: None)
    assert threading.active_count() <= before + 1


async def test_a_system_that_gives_no_thread_is_told_so_and_keeps_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = Threads(1)

    def take() -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr("keywatch.engine.threads._Thread.take", take)
        with pytest.raises(OSError, match="no thread"):
            await threads.call(lambda: None)
    assert await threads.call(lambda: 1) == 1


def test_a_call_that_hung_when_its_loop_was_closed_holds_no_place_in_the_next() -> None:
    threads, end = Threads(1), threading.Event()

    async def hang() -> None:
        task = asyncio.create_task(threads.call(lambda: end.wait(30)))
        await asyncio.sleep(0.05)
        task.cancel()

    async def work() -> int:
        return await threads.call(lambda: 3)

    asyncio.run(hang())
    assert asyncio.run(work()) == 3
    end.set()
