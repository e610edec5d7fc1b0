"""The machine's slowness is made up for, and nothing else: a product that is late is late, whatever the machine."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests import slowness
from tests.exporter.waiting import until
from tests.kafka.waiting import wait_until
from tests.slowness import Stopwatch
from tests.test_timeouts import run_pytest

BURN = "while True: pass"
SLEEP = "import time; time.sleep(600)"


@contextmanager
def running(*scripts: str) -> Iterator[list[int]]:
    """Start programs on one core, and end them."""
    with ExitStack() as stack:
        found = []
        for script in scripts:
            one = subprocess.Popen([sys.executable, "-I", "-S", "-c", script])
            stack.callback(one.wait)
            stack.callback(one.kill)
            os.sched_setaffinity(one.pid, {min(os.sched_getaffinity(0))})
            found.append(one.pid)
        yield found


def lost_by(pid: int, seconds: float) -> float:
    """Give how long a process waited for a core while it was watched."""

    def of_it() -> float:
        return sum(delay for (_, thread), delay in slowness.delays().items() if thread == pid)

    before, began = of_it(), time.monotonic()
    wait_until(lambda: time.monotonic() - began >= seconds, 2 * seconds, "it was watched")
    return of_it() - before


def made(*looks: dict[tuple[str, int], float], host: float = 0.0) -> Stopwatch:
    """Give one that finds what it is given."""
    found, taken = iter(looks), iter([0.0])
    return Stopwatch(lambda: next(found), lambda: {"for the host": next(taken, host), "for a core": 100.0})


def test_who_competes_for_a_core_is_held_up_and_who_sleeps_is_not() -> None:
    with running(BURN, BURN, BURN) as competing:
        assert lost_by(competing[0], 2.0) > 0.8
    with running(SLEEP) as (asleep,):
        lost_by(asleep, 0.5)  # its start
        assert lost_by(asleep, 2.0) < 0.1


def test_a_quiet_machine_makes_up_for_nothing() -> None:
    quiet = {("the test", 1): 5.0, ("java", 2): 7.0}
    assert made(quiet, quiet).allowance(5.0) == 0
    assert not made(quiet, quiet).excuse("it is late", 5.0, took=5.1)


def test_of_each_program_the_thread_that_waited_longest_counts_and_the_hosts_share_of_one_core() -> None:
    before = {("the test", 1): 5.0, ("java", 2): 7.0, ("java", 3): 1.0}
    after = {("the test", 1): 5.5, ("java", 2): 8.0, ("java", 3): 1.9, ("java", 4): 0.25}
    cores = os.cpu_count() or 1
    assert made(before, after, host=float(cores)).allowance(9.0) == pytest.approx(0.5 + 1.0 + 1.0)


def test_a_machine_that_stands_still_does_not_excuse_everything() -> None:
    stopwatch = made({("java", 2): 0.0}, {("java", 2): 1000.0})
    assert stopwatch.allowance(5.0) == 15.0


def test_as_many_time_outs_are_explained_as_the_lost_seconds_make() -> None:

    def held_up() -> Stopwatch:
        return made({("java", 2): 0.0}, {("java", 2): 2.5}, {("java", 2): 2.5})

    assert held_up().excuse_failures("probes", 2, 1.0)
    assert not held_up().excuse_failures("probes", 3, 1.0)
    quiet = {("java", 2): 7.0}
    assert made(quiet, quiet).excuse_failures("probes", 0, 1.0)
    assert not made(quiet, quiet).excuse_failures("probes", 1, 1.0)
    slowness._USED.clear()  # nothing of this is to be told


def test_a_product_that_is_late_is_late(tmp_path: Path) -> None:
    done = tmp_path / "done"
    late = f"import time, pathlib; time.sleep(6); pathlib.Path({str(done)!r}).touch(); time.sleep(60)"
    with running(late), pytest.raises(TimeoutError, match="it is done: not within"):
        wait_until(done.exists, 1.0, "it is done")
    with pytest.raises(AssertionError, match="it sleeps"), slowness.within(0.2, "it sleeps"):
        time.sleep(1.5)


async def test_a_product_on_the_same_loop_that_is_late_is_late() -> None:
    began = time.monotonic()
    with pytest.raises(TimeoutError, match="it is done: not within"):
        await until(lambda: time.monotonic() - began > 6, "it is done", deadline=1.0)


def test_what_was_made_up_for_is_told_at_the_end_of_the_run(tmp_path: Path) -> None:
    said = run_pytest(
        tmp_path,
        """
from tests.slowness import Stopwatch

def test_it():
    looks = iter([{("java", 1): 1.0}, {("java", 1): 3.0}, {("java", 1): 3.0}])
    assert Stopwatch(lambda: next(looks), dict).excuse("the broker is down", 5.0, took=6.5)
""",
    )
    assert "bounds exceeded because the machine is slow" in said
    assert "the broker is down: 6.50 s, bound 5 s and 2.00 s (java 2.00 s)" in said
    assert "1 passed" in said
