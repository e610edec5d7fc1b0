"""Ends what a test process started that died without cleaning up, and removes what it left.

Run as a script with an argument: the folder of servers, or the mark (`NAME=value`) that all which the test process
started has in its environment. Its standard input is a pipe held open by the test process alone, so
end of file means that process is gone, however it died, SIGKILL included. Compared with PR_SET_PDEATHSIG, this has two
advantages: that signal fires when the *thread* that started the child ends, so a server restarted from a worker thread
would die with the thread; and setting it needs `preexec_fn`, which is unsafe in a process with threads.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

_KILL_SECONDS = 10.0
_PROGRAMS = ("java", "prometheus", "prometheus-alertmanager")
_MARK = "KEYWATCH_TEST_PROCESS"


class Guard:
    """The guard's process, seen from the test process; it guards a folder, or what carries a mark."""

    def __init__(self, guarded: Path | str) -> None:
        self._process = subprocess.Popen(
            # -I -S: starts in a few hundredths of a second, and nothing in the test's environment can break it.
            [sys.executable, "-I", "-S", __file__, str(guarded)],
            # Without the mark, or one guard would end the others before their work is done.
            env={name: value for name, value in os.environ.items() if name != _MARK},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            # Ctrl-C goes to the whole foreground group; the guard must outlive it.
            start_new_session=True,
        )

    def close(self) -> None:
        """Let the guard do its work (nothing, after a clean stop) and wait until it is gone.

        Raises `subprocess.TimeoutExpired` when it does not end.
        """
        self._process.communicate(timeout=2 * _KILL_SECONDS)


def everything() -> Guard:
    """Guard all that this process starts from now on, and what is started by that: its environment tells."""
    os.environ[_MARK] = secrets.token_hex(8)
    return Guard(f"{_MARK}={os.environ[_MARK]}")


def marked(mark: str) -> list[int]:
    """Give the process ids of those whose environment holds the mark."""
    found = []
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):  # it ended meanwhile, or is somebody else's
            if process.name.isdigit() and os.fsencode(mark) in (process / "environ").read_bytes().split(b"\0"):
                found.append(int(process.name))
    return found


def nodes_of(folder: Path) -> list[int]:
    """Return the process ids of the servers whose command line names something inside `folder`."""
    found = []
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            arguments = (process / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
        except OSError:  # it ended meanwhile
            continue
        inside = os.fsencode(f"{folder}/")
        if Path(os.fsdecode(arguments[0])).name in _PROGRAMS and any(inside in argument for argument in arguments):
            found.append(int(process.name))
    return found


def _end(find: Callable[[], list[int]]) -> None:
    deadline = time.monotonic() + _KILL_SECONDS
    # Again and again: the test process may have died between fork and exec of a server.
    while found := find():
        for one in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)


if __name__ == "__main__":
    sys.stdin.buffer.read()
    guarded = sys.argv[1]
    if guarded.startswith(f"{_MARK}="):
        _end(lambda: marked(guarded))
    else:
        _end(lambda: nodes_of(Path(guarded)))
        shutil.rmtree(guarded, ignore_errors=True)
