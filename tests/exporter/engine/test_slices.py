"""Work in slices gives what it gives at once, and lets others run between."""

from __future__ import annotations

import asyncio
import time
from unittest import mock

import pytest

from keywatch.engine.slices import Pieces, at_once, in_slices, to_the_end


def counting(pieces: int, seconds: float = 0.0) -> Pieces[int]:
    done = 0
    for _ in range(pieces):
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            pass
        done += 1
        yield
    return done


def failing() -> Pieces[int]:
    yield
    raise ValueError("in the second piece")


async def test_the_result_is_the_same_in_slices_and_at_once() -> None:
    assert await in_slices(counting(1000)) == at_once(counting(1000)) == 1000


async def test_others_run_between_the_slices() -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    await in_slices(counting(50, 0.001), longest=0.002)
    task.cancel()
    assert turns >= 10


async def test_short_work_is_not_interrupted() -> None:
    task = asyncio.create_task(asyncio.sleep(0))
    await in_slices(counting(3), longest=10.0)
    assert not task.done()
    await task


async def test_an_error_reaches_the_caller() -> None:
    with pytest.raises(ValueError, match="second piece"):
        await in_slices(failing())
    with pytest.raises(ValueError, match="second piece"):
        at_once(failing())


async def test_work_that_is_not_urgent_rests_between_its_slices() -> None:
    rests: list[float] = []

    async def sleep(seconds: float) -> None:
        rests.append(seconds)

    def work() -> Pieces[str]:
        for _ in range(3):
            yield
        return "done"

    with mock.patch("asyncio.sleep", sleep):
        assert await in_slices(work(), longest=0.0, rest=0.5) == "done"
    assert rests == [0.5, 0.5, 0.5]


async def test_work_that_may_not_be_left_half_done_is_finished_when_it_is_cancelled() -> None:
    done: list[int] = []

    def pieces() -> Pieces[None]:
        for number in range(5):
            done.append(number)
            time.sleep(0.005)
            yield

    task = asyncio.create_task(to_the_end(pieces()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == [0, 1, 2, 3, 4]
