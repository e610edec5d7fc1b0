"""Measures how long the machine held up those who take part in a test, and has bounds of time make up for it.

Between a fault and its being seen stand the test, the exporter and a server. Each of them may be ready to run and wait
for a core, the host may have taken the core away, and the disk may be busy. That is what is made up for; a product that
sleeps, waits for an answer or computes for long is not held up by the machine, and gets nothing.
"""

from __future__ import annotations

import contextlib
import copy
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Self

import pytest

from tests.faults import strain

MOST = 3.0
"""How many times a bound at most is added to it: a machine slower than that is no place for a verdict."""

Delays = Mapping[tuple[str, int], float]
"""Seconds that a thread was ready to run and waited for a core, by program and thread."""

_USED: list[str] = []
_PROPERTY = "held up by the machine"


def delays() -> Delays:
    """Read them of this process and all that descends from it. Source: the kernel's Documentation/scheduler."""
    return {
        (program, int(thread.name)): int((thread / "schedstat").read_text(encoding="ascii").split()[1]) / 1e9
        for program, process in _family()
        for thread in _threads(process)
        if (thread / "schedstat").exists()
    }


class Stopwatch:
    """Measures what was lost since it was made, or a little before a moment at which it is said to have begun."""

    def __init__(
        self, read: Callable[[], Delays] = delays, waits: Callable[[], Mapping[str, float]] = strain.waited
    ) -> None:
        self._read, self._waits = read, waits
        self.began = time.monotonic()
        self._before, self._waited = _tolerant(read), waits()

    def since(self, moment: float) -> Self:
        """Give one that began at a moment (monotonic) after this one was made."""
        other = copy.copy(self)
        other.began = moment
        return other

    def held_up(self) -> dict[str, float]:
        """Give the seconds lost: those of the thread that waited longest in each program, the host's and the disk's."""
        found: dict[str, float] = {}
        for (program, thread), seconds in _tolerant(self._read).items():
            lost = seconds - self._before.get((program, thread), 0.0)
            found[program] = max(found.get(program, 0.0), lost)
        waited = self._waits()
        lost_to = {what: waited[what] - before for what, before in self._waited.items() if what in waited}
        # Summed over the cores, and a thread is on one of them.
        found["the host"] = lost_to.get("for the host", 0.0) / (os.cpu_count() or 1)
        found["the disk"] = lost_to.get("for a disk", 0.0)
        return {what: seconds for what, seconds in found.items() if seconds >= 0.01}

    def allowance(self, bound: float) -> float:
        """Give the seconds by which the machine excuses that a bound is exceeded."""
        return min(sum(self.held_up().values()), MOST * bound)

    def excuse(self, what: str, bound: float, took: float | None = None) -> bool:
        """Say whether what took so long (until now) kept the bound, or the machine explains that it did not.

        That is told at the end of the run.
        """
        took = time.monotonic() - self.began if took is None else took
        if took <= bound:
            return True
        allowance = self.allowance(bound)
        if excused := took <= bound + allowance:
            _USED.append(f"{what}: {took:.2f} s, bound {bound:g} s and {allowance:.2f} s ({_words(self.held_up())})")
        return excused

    def excuse_failures(self, what: str, count: float, each: float) -> bool:
        """Say whether nothing failed, or the machine explains so many time-outs, each after so many seconds."""
        lost = sum(self.held_up().values())
        if count and count * each <= lost:
            _USED.append(f"{what}: {count:g} time-outs of {each:g} s ({_words(self.held_up())})")
        return count * each <= lost


@contextlib.contextmanager
def within(bound: float, what: str) -> Iterator[None]:
    """Fail when the block takes longer than the bound in seconds, and the machine does not explain it."""
    watch = Stopwatch()
    yield
    took = time.monotonic() - watch.began
    assert watch.excuse(what, bound, took), f"{what}: {took:.2f} s, bound {bound:g} s ({_words(watch.held_up())})"


def _words(held_up: Mapping[str, float]) -> str:
    return ", ".join(f"{what} {seconds:.2f} s" for what, seconds in held_up.items()) or "nothing held it up"


def _tolerant(read: Callable[[], Delays]) -> Delays:
    # A thread may end while it is read, and another look mostly meets none.
    for _ in range(5):
        with contextlib.suppress(OSError):
            return read()
    return {}


def _family() -> Iterator[tuple[str, Path]]:
    """Give this process, and all that descends from it with its program's name."""
    children: dict[int, list[tuple[int, str]]] = {}
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if process.name.isdigit():
                name, _, rest = (process / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")
                children.setdefault(int(rest.split()[1]), []).append((int(process.name), name.partition("(")[2]))
    yield "the test", Path("/proc/self")
    found = children.get(os.getpid(), [])
    while found:
        number, name = found.pop()
        yield name, Path(f"/proc/{number}")
        found += children.get(number, [])


def _threads(process: Path) -> list[Path]:
    try:
        return list((process / "task").iterdir())
    except OSError:  # it ended meanwhile
        return []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """Keep with the test's report, which comes from a worker too, what was excused."""
    report: pytest.TestReport = yield  # type: ignore[assignment] # what a wrapper gets and gives
    report.user_properties += [(_PROPERTY, words) for words in _USED]
    _USED.clear()
    return report  # type: ignore[return-value] # as above


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell which bounds were exceeded because of the machine."""
    reports = [one for some in terminalreporter.stats.values() for one in some if isinstance(one, pytest.TestReport)]
    told = [(one.nodeid, words) for one in reports for name, words in one.user_properties if name == _PROPERTY]
    if told:
        terminalreporter.section("bounds exceeded because the machine is slow")
        for test, words in told:
            terminalreporter.line(f"{test}\n    {words}")
