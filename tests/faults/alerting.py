"""Runs a real Prometheus and Alertmanager with the files of alerts/, in which nothing but addresses is replaced."""

from __future__ import annotations

import contextlib
import datetime as dt
import http.client
import json
import os
import shutil
import tempfile
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.faults.receiver import Receiver
from tests.kafka.guard import Guard
from tests.kafka.ports import PortReservation
from tests.kafka.process import ServerProcess
from tests.kafka.waiting import wait_until
from tests.keycloak.health import status_of

_ALERTS = Path(__file__).parents[2] / "alerts"
_PROGRAMS = ("prometheus", "prometheus-alertmanager")
_HOST = "127.0.0.1"


def requirements_missing() -> str:
    """Return what is missing for an alert to reach a webhook; empty when nothing is."""
    missing = [program for program in _PROGRAMS if shutil.which(program) is None]
    return f"{', '.join(missing)} missing; Debian has packages of these names (make deps)" if missing else ""


class Alerting:
    """Prometheus and Alertmanager, and the receiver of what they say; a context manager that enters ready.

    `keywatch`, of which there may be several, and `keycloak` are the addresses (`host:port`) that stand in place of the
    examples'.
    """

    def __init__(self, keywatch: Sequence[str], keycloak: str) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="keywatch-alerting-"))
        self._ports = PortReservation()
        self._prometheus, self._alertmanager, receiver, nobody = (
            f"{_HOST}:{self._ports.take(_HOST)}" for _ in range(4)
        )
        self._addresses = {
            "localhost:9877": '", "'.join(keywatch),
            "localhost:9000": keycloak,
            "localhost:9090": nobody,  # the port of a listener that is not used here
            "localhost:9091": self._prometheus,
            "localhost:9093": self._alertmanager,
            "localhost:9099": receiver,
        }
        self.receiver = Receiver(int(receiver.rpartition(":")[2]))
        self.servers = [ServerProcess(name, self._folder, self._folder / f"{name}.log") for name in _PROGRAMS]
        self._guard = Guard(self._folder)

    def start(self) -> None:
        """Start both and wait until they are ready."""
        (self._folder / "rules").symlink_to(_ALERTS / "rules")
        for server, address in zip(self.servers, (self._prometheus, self._alertmanager), strict=True):
            server.launch([*self._command(server.title), f"--web.listen-address={address}"])
        for server, address in zip(self.servers, (self._prometheus, self._alertmanager), strict=True):
            wait_until(partial(_settled, server, f"http://{address}/-/ready"), 60, f"{server.title} is ready")
            if not server.running:
                raise RuntimeError(f"{server.title} ended at its start\n{server.last_words()}")

    def ask(self, expression: str) -> list[dict[str, str]]:
        """Have Prometheus evaluate an expression and give the labels of what it finds."""
        query = urllib.parse.urlencode({"query": expression})
        url = f"http://{self._prometheus}/api/v1/query?{query}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            found = json.load(answer)["data"]["result"]
        return [one["metric"] for one in found]

    @contextmanager
    def silenced(self, **labels: str) -> Iterator[None]:
        """Have nobody told of alerts with these labels, as an announced window of maintenance does."""
        moment = dt.datetime.now(dt.UTC)
        silence = {
            "matchers": [{"name": name, "value": value, "isRegex": False} for name, value in labels.items()],
            "startsAt": moment.isoformat(),
            "endsAt": (moment + dt.timedelta(hours=1)).isoformat(),
            "createdBy": "tests",
            "comment": "announced",
        }
        made = self._tell("POST", "silences", silence)["silenceID"]
        try:
            yield
        finally:
            self._tell("DELETE", f"silence/{made}")

    def _tell(self, method: str, path: str, body: object = None) -> dict[str, str]:
        """Ask Alertmanager for something."""
        with contextlib.closing(http.client.HTTPConnection(self._alertmanager, timeout=10)) as connection:
            connection.request(method, f"/api/v2/{path}", json.dumps(body), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
        assert answer.status == 200, f"Alertmanager answers {method} {path} with {answer.status}: {text!r}"
        return dict(json.loads(text or b"{}"))

    @property
    def prometheus(self) -> ServerProcess:
        """Give Prometheus's process."""
        return self.servers[0]

    def firing(self) -> set[str]:
        """Name all alerts that fire now, whether or not somebody is told."""
        return {one["alertname"] for one in self.ask('ALERTS{alertstate="firing"}')}

    def pages(self) -> list[str]:
        """Name the alerts that call someone now."""
        return sorted({one["alertname"] for one in self.ask('ALERTS{severity="critical", alertstate="firing"}')})

    def __enter__(self) -> Self:
        try:
            self.receiver.__enter__()
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for server in self.servers:
            if server.running:
                server.kill()
        self.receiver.__exit__(kind, error, at)
        self._guard.close()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._ports.close()

    def _command(self, program: str) -> list[str]:
        name = "prometheus.yml" if program == "prometheus" else "alertmanager.yml"
        text = (_ALERTS / name).read_text(encoding="utf-8")
        for example, address in self._addresses.items():
            text = text.replace(example, address)
        file = self._folder / name
        file.write_text(text, encoding="utf-8")
        # Named by its path, so that the guard finds it should this process die.
        command = [os.fspath(shutil.which(program) or program), f"--config.file={file}"]
        if program == "prometheus":
            return [*command, f"--storage.tsdb.path={self._folder}/series"]
        return [*command, f"--storage.path={self._folder}/silences", "--cluster.listen-address="]


def _settled(server: ServerProcess, url: str) -> bool:
    """Return whether a server is ready, or ended."""
    return not server.running or status_of(url) == 200
