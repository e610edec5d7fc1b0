"""What goes on in the bed while nothing is broken: people log in, and a group of two reads the events."""

from __future__ import annotations

import contextlib
import http.client
import signal
import subprocess
import sys
import threading
from types import TracebackType
from typing import Self

from confluent_kafka import ConsumerGroupState
from confluent_kafka.admin import AdminClient

from tests.kafka import admin
from tests.kafka.waiting import wait_until
from tests.keycloak.driver import Driver, KeycloakRefusedError
from tests.keycloak.event_path import REALM, USER

GROUP = "siem"
_MEMBERS = 2
_LOGIN_SECONDS = 2.0


class Logins:
    """Has a user log in every two seconds, on a thread of its own; what fails is left; a context manager."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._ended = threading.Event()
        self._going = threading.Lock()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def pause(self) -> None:
        """Have nobody log in any more; returns when the last one is through."""
        self._going.acquire()

    def resume(self) -> None:
        """Go on."""
        self._going.release()

    def _run(self) -> None:
        while not self._ended.wait(_LOGIN_SECONDS):
            with self._going, contextlib.suppress(OSError, http.client.HTTPException, KeycloakRefusedError):
                self._driver.login(REALM, USER)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join(60)


class Readers:
    """A group's members, each a process; a context manager."""

    def __init__(self, bootstrap: str, topics: list[str], *, group: str = GROUP) -> None:
        self._bootstrap = bootstrap
        self._topics = topics
        self._group = group
        self._processes: list[subprocess.Popen[str]] = []

    def start(self) -> None:
        """Start the members; they join a little later."""
        command = [sys.executable, "-m", "tests.faults.reader", self._bootstrap, self._group, *self._topics]
        for _ in range(_MEMBERS):
            self._processes.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        self._heard()

    def kill(self) -> None:
        """End all members at once, without a farewell."""
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.communicate()
        self._processes.clear()

    def pause(self) -> None:
        """Have the members stay in the group and read nothing."""
        self._tell(signal.SIGUSR1)

    def resume(self) -> None:
        """Have them read on."""
        self._tell(signal.SIGUSR2)

    def wait_gone(self, deadline: float) -> None:
        """Wait until Kafka knows of no member any more."""
        client = AdminClient(admin.client_settings(self._bootstrap))

        def empty() -> bool:
            listed = client.list_consumer_groups(request_timeout=5).result().valid
            states = {one.group_id: one.state for one in listed}
            return states.get(self._group, ConsumerGroupState.EMPTY) is ConsumerGroupState.EMPTY

        wait_until(empty, deadline, f"group {self._group} is empty")

    def _tell(self, number: signal.Signals) -> None:
        for process in self._processes:
            process.send_signal(number)
        self._heard()

    def _heard(self) -> None:
        for process in self._processes:
            if process.stdout is None or not process.stdout.readline():
                raise RuntimeError("a reader ended")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()
