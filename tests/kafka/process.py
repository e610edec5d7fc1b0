"""A server's process and what a machine may do to it: kill, freeze, thaw, stop."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.kafka.waiting import wait_until

_LOG_LINES = 30
_SIGNAL_SECONDS = 30.0


class ServerProcess:
    """A process that is launched, perhaps again and again, in `folder`; `title` names it in errors."""

    def __init__(self, title: str, folder: Path, log: Path) -> None:
        self.title = title
        self.folder = folder
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Return whether the process exists, frozen or not."""
        return self._process is not None and self._process.poll() is None

    @property
    def frozen(self) -> bool:
        """Return whether every thread of the process is stopped."""
        return self.running and set(self._thread_states()) == {"T"}

    @property
    def pid(self) -> int:
        """Return the process id. Raises `RuntimeError` when the server does not run."""
        if self._process is None or not self.running:
            raise RuntimeError(f"{self.title} does not run")
        return self._process.pid

    def launch(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """Start the process and do not wait. Raises `RuntimeError` when it runs already."""
        if self.running:
            raise RuntimeError(f"{self.title} runs already")
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=os.environ | dict(environment or {}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C must not reach it before the test cleans up; the guard sees to it that it never stays behind.
                start_new_session=True,
            )

    def kill(self) -> float:
        """Send SIGKILL, wait until the process is gone, and give the monotonic time of the signal."""
        moment = self._signal(signal.SIGKILL)
        self._reap(_SIGNAL_SECONDS)
        return moment

    def freeze(self) -> float:
        """Send SIGSTOP, wait until every thread stands still, and give the monotonic time of the signal."""
        moment = self._signal(signal.SIGSTOP)
        wait_until(lambda: self.frozen, _SIGNAL_SECONDS, f"{self.title} stands still")
        return moment

    def thaw(self) -> float:
        """Send SIGCONT, wait until the process may run, and give the monotonic time of the signal."""
        moment = self._signal(signal.SIGCONT)
        wait_until(lambda: not self.frozen, _SIGNAL_SECONDS, f"{self.title} runs on")
        return moment

    def stop(self, deadline: float = 60.0) -> None:
        """End the server in good order (SIGTERM); one that is down stays down.

        Raises `TimeoutError` when the process still exists after `deadline` seconds.
        """
        if self.running:
            # A frozen process would get the signal only once it runs again.
            if self.frozen:
                self.thaw()
            self._signal(signal.SIGTERM)
            self._reap(deadline)

    def last_words(self) -> str:
        """Return the last lines of the log."""
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else "nothing was logged"
        return "\n".join([f"last lines of {self.log}:", *text.splitlines()[-_LOG_LINES:]])

    def _signal(self, number: signal.Signals) -> float:
        pid = self.pid
        moment = time.monotonic()
        os.kill(pid, number)
        return moment

    def _reap(self, deadline: float) -> None:
        if self._process is not None:
            try:
                self._process.wait(deadline)
            except subprocess.TimeoutExpired as error:
                raise TimeoutError(f"{self.title} still exists after {deadline:g} s\n{self.last_words()}") from error

    def _thread_states(self) -> list[str]:
        states = []
        for thread in Path(f"/proc/{self.pid}/task").iterdir():
            try:
                # The state follows the name, which is in parentheses and may hold anything.
                states.append((thread / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0])
            except (FileNotFoundError, ProcessLookupError):  # the thread ended meanwhile
                continue
        return states
