"""Ends a test that takes too long, with the stack of each thread in its report, and lets the others go on.

Timed by pytest-timeout, whose own ways do not do: one ends the process, and pytest-xdist runs the same test again in
the next one until it gives up; the other raises an exception, which uvloop swallows.
"""

from __future__ import annotations

import asyncio
import faulthandler
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from types import FrameType

import pytest
from _pytest.faulthandler import fault_handler_stderr_fd_key  # what it keeps open while output is captured
from _pytest.runner import CallInfo

# Seconds by marker or folder, where the default of pyproject.toml does not do: longer than any deadline of such a test,
# which tells more than a time-out does, and long enough to fetch a server for the first time.
LONGER = {"browser": 300, "kafka": 900, "elastic": 1500, "keycloak": 1800, "image": 1800, "helm": 1200}
LONGER_IN = {"alerts": 1200, "dashboards": 1200, "logstash": 1600}
# What a test that was told to end has before it is made to, and then before its process is.
_GRACE_SECONDS, _LAST_SECONDS = 10.0, 60.0
# Between a test's phases, where an exception would end the whole run, it is let go on for so long.
_AGAIN_SECONDS = 0.5
_STACKS = pytest.StashKey[str]()


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Give a time-out to the tests that need another than the default and have none of their own."""
    for item in items:
        wanted = [seconds for marker, seconds in LONGER.items() if item.get_closest_marker(marker)]
        wanted += [seconds for folder, seconds in LONGER_IN.items() if folder in item.path.parts]
        if wanted and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(max(wanted)))


def pytest_timeout_set_timer(item: pytest.Item, settings: object) -> bool:
    """Have a signal end the test; where the main thread hangs in a library and takes none, have the process end."""
    seconds = float(getattr(settings, "timeout"))  # noqa: B009 - its type is not public
    words = f"not done within {seconds:g} s"

    def strike(_: int, frame: FrameType | None) -> None:
        if not _in_a_phase(frame):
            signal.setitimer(signal.ITIMER_REAL, _AGAIN_SECONDS)
            return
        if _STACKS not in item.stash:
            item.stash[_STACKS] = _stacks()
            signal.setitimer(signal.ITIMER_REAL, _GRACE_SECONDS)
            if tasks := _tasks():
                for task in tasks:
                    task.cancel(words)
                return
        pytest.fail(words)

    signal.signal(signal.SIGALRM, strike)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    stderr = item.config.stash.get(fault_handler_stderr_fd_key, 2)
    faulthandler.dump_traceback_later(seconds + _GRACE_SECONDS + _LAST_SECONDS, file=stderr, exit=True)
    return True


def pytest_timeout_cancel_timer() -> bool:
    """Let the signal rest."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    faulthandler.cancel_dump_traceback_later()
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Show the stacks with what the test said."""
    report: pytest.TestReport = yield  # type: ignore[assignment] # what a wrapper gets and gives
    if report.failed and _STACKS in item.stash:
        report.sections.append(("threads at the time-out", item.stash[_STACKS]))
    return report  # type: ignore[return-value] # as above


def _in_a_phase(frame: FrameType | None) -> bool:
    """Return whether set-up, test or tear-down is under way, and not the report of it: there an exception is caught."""
    while frame is not None:
        if frame.f_code is CallInfo.from_call.__func__.__code__:  # type: ignore[attr-defined] # a class method has it
            return True
        frame = frame.f_back
    return False


def _stacks() -> str:
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    frames = sys._current_frames().items()
    found = [f"{names.get(number)}:\n{''.join(traceback.format_stack(frame))}" for number, frame in frames]
    found += [f"{task!r}" for task in _tasks()]
    return "\n".join(found)


def _tasks() -> set[asyncio.Task[object]]:
    try:
        return asyncio.all_tasks()
    except RuntimeError:  # no loop runs
        return set()
