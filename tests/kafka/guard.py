"""Ends the servers of a test process that died without cleaning up, and removes their folder.

Run as a script with the folder as its argument. Its standard input is a pipe held open by the test process alone, so
end of file means that process is gone, however it died, SIGKILL included. Compared with PR_SET_PDEATHSIG, this has two
advantages: that signal fires when the *thread* that started the child ends, so a server restarted from a worker thread
would die with the thread; and setting it needs `preexec_fn`, which is unsafe in a process with threads.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

_KILL_SECONDS = 10.0
_PROGRAMS = ("java", "prometheus", "prometheus-alertmanager")


class Guard:
    """The guard's process, seen from the test process."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            # -I -S: starts in a few hundredths of a second, and nothing in the test's environment can break it.
            [sys.executable, "-I", "-S", __file__, str(folder)],
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


def _end(folder: Path) -> None:
    deadline = time.monotonic() + _KILL_SECONDS
    # Again and again: the test process may have died between fork and exec of a server.
    while nodes := nodes_of(folder):
        for node in nodes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(node, signal.SIGKILL)
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.stdin.buffer.read()
    _end(Path(sys.argv[1]))
