"""Runs one Kafka node as a process and does to it what a machine may do: kill, freeze, thaw, stop, start again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.kafka import settings
from tests.kafka.waiting import wait_until

_LOG_LINES = 30
_SIGNAL_SECONDS = 10.0


class KafkaStartError(Exception):
    """A node ended, or did not listen in time; the message carries the last lines of its log."""


class KafkaNode:
    """One combined node (broker and controller) on an address of its own.

    `base` gives the node's settings but its overrides, and is asked anew at each start, so that a test may change
    `advertised` and `overrides` while the node is down. `command` is the java command line up to the class.
    """

    def __init__(
        self,
        node_id: int,
        host: str,
        ports: Mapping[str, int],
        folder: Path,
        base: Callable[[KafkaNode], dict[str, str]],
    ) -> None:
        self.id = node_id
        self.host = host
        self.ports = dict(ports)
        """Port by listener name."""
        self.folder = folder
        self.log = folder / "node.log"
        self.command: Sequence[str] = ()
        self.advertised = {name: self.address_of(name) for name in ports if name != settings.CONTROLLER}
        """Address (`host:port`) by listener name that the node tells clients; takes effect at the next start."""
        self.overrides: dict[str, str] = {}
        """Settings of this node alone, stronger than all others; take effect at the next start."""
        self._base = base
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        """Give the port of the plain listener."""
        return self.ports[settings.INTERNAL]

    @property
    def address(self) -> str:
        """Give `host:port` of the plain listener."""
        return self.address_of(settings.INTERNAL)

    def address_of(self, listener: str) -> str:
        """Give `host:port` of a listener. Raises `KeyError` when the node has none of that name."""
        return f"{self.host}:{self.ports[listener]}"

    @property
    def running(self) -> bool:
        """Say whether the process exists, frozen or not."""
        return self._process is not None and self._process.poll() is None

    @property
    def frozen(self) -> bool:
        """Say whether every thread of the process is stopped."""
        return self.running and set(self._thread_states()) == {"T"}

    @property
    def pid(self) -> int:
        """Give the process id. Raises `RuntimeError` when the node does not run."""
        if self._process is None or not self.running:
            raise RuntimeError(f"node {self.id} does not run")
        return self._process.pid

    def configure(self) -> Path:
        """Write the node's configuration file and give its path."""
        path = self.folder / "node.properties"
        settings.write(path, self._base(self) | self.overrides)
        return path

    def start(self, overrides: Mapping[str, str] | None = None, *, deadline: float = 60.0) -> None:
        """Start the process and wait until its listeners accept, which a broker's do once it is in the cluster.

        `overrides` replace those of before; without them they stay. Raises `KafkaStartError` after `deadline` seconds
        or when the process ends, and `RuntimeError` when it runs already.
        """
        self.spawn(overrides)
        self.wait_port(deadline)

    def spawn(self, overrides: Mapping[str, str] | None = None) -> None:
        """Start the process and do not wait. Raises `RuntimeError` when it runs already."""
        if self.running:
            raise RuntimeError(f"node {self.id} runs already")
        if overrides is not None:
            self.overrides = dict(overrides)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self.command, "kafka.Kafka", str(self.configure())],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C must not reach it before the test cleans up; the guard sees to it that it never stays behind.
                start_new_session=True,
            )

    def wait_port(self, deadline: float = 60.0) -> None:
        """Wait until every listener for clients accepts, one of which does so later than another.

        Raises `KafkaStartError` after `deadline` seconds or at the end of the process.
        """
        names = [name for name in self.ports if name != settings.CONTROLLER]
        try:
            wait_until(
                lambda: not self.running or all(self.accepts(name) for name in names),
                deadline,
                f"node {self.id} listens on {self.address}",
            )
        except TimeoutError as error:
            raise KafkaStartError(f"{error}\n{self.last_words()}") from error
        if not self.running:
            raise KafkaStartError(f"node {self.id} ended at its start\n{self.last_words()}")

    def accepts(self, listener: str = settings.INTERNAL, timeout: float = 1.0) -> bool:
        """Say whether a TCP connection to the listener comes about within `timeout` seconds."""
        try:
            socket.create_connection((self.host, self.ports[listener]), timeout).close()
        except OSError:
            return False
        return True

    def kill(self) -> float:
        """Send SIGKILL, wait until the process is gone, and give the monotonic time of the signal."""
        moment = self._signal(signal.SIGKILL)
        self._reap(_SIGNAL_SECONDS)
        return moment

    def freeze(self) -> float:
        """Send SIGSTOP, wait until every thread stands still, and give the monotonic time of the signal."""
        moment = self._signal(signal.SIGSTOP)
        wait_until(lambda: self.frozen, _SIGNAL_SECONDS, f"node {self.id} stands still")
        return moment

    def thaw(self) -> float:
        """Send SIGCONT, wait until the process may run, and give the monotonic time of the signal."""
        moment = self._signal(signal.SIGCONT)
        wait_until(lambda: not self.frozen, _SIGNAL_SECONDS, f"node {self.id} runs on")
        return moment

    def stop(self, deadline: float = 60.0) -> None:
        """End the node in good order: it hands over its partitions first. A node that is down stays down.

        Raises `TimeoutError` when the process still exists after `deadline` seconds.
        """
        if self.running:
            # A frozen process would get the signal only once it runs again.
            if self.frozen:
                self.thaw()
            self._signal(signal.SIGTERM)
            self._reap(deadline)

    def restart(self, overrides: Mapping[str, str] | None = None, *, deadline: float = 60.0) -> None:
        """Stop the node if it runs, and start it; `overrides` as in `start`, `deadline` seconds for each half.

        Kafka 4.4 takes a broker back only once its old session has ended (9 s by default), after a clean stop too;
        until then its port refuses. `settings.QUICK_SESSIONS` shortens that.
        """
        self.stop(deadline)
        self.start(overrides, deadline=deadline)

    def last_words(self) -> str:
        """Give the last lines of the log."""
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
                raise TimeoutError(f"node {self.id} still exists after {deadline:g} s\n{self.last_words()}") from error

    def _thread_states(self) -> list[str]:
        states = []
        for thread in Path(f"/proc/{self.pid}/task").iterdir():
            try:
                # The state follows the name, which is in parentheses and may hold anything.
                states.append((thread / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0])
            except (FileNotFoundError, ProcessLookupError):  # the thread ended meanwhile
                continue
        return states
