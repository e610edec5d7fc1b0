"""Runs a real Prometheus and Alertmanager with the files of alerts/, in which nothing but addresses is replaced."""

from __future__ import annotations

import contextlib
import datetime as dt
import http.client
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.faults.receiver import Receiver
from tests.kafka.ports import PortReservation
from tests.prometheus.alertmanager import Alertmanager
from tests.prometheus.server import Prometheus

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
        self.prometheus = Prometheus()
        self._alertmanager = Alertmanager()
        self._ports = PortReservation()
        receiver, nobody = (f"{_HOST}:{self._ports.take(_HOST)}" for _ in range(2))
        self._addresses = {
            "localhost:9877": '", "'.join(keywatch),
            "keycloak-1:9000": keycloak,
            "keycloak-1:9090": nobody,  # the port of a listener that is not used here
            "localhost:9091": self.prometheus.address,
            "localhost:9093": self._alertmanager.address,
            "localhost:9099": receiver,
        }
        self.receiver = Receiver(int(receiver.rpartition(":")[2]))

    def start(self) -> None:
        """Start both and wait until they are ready."""
        (self.prometheus.folder / "rules").symlink_to(_ALERTS / "rules")
        self.prometheus.config = self._text("prometheus.yml")
        self._alertmanager.config = self._text("alertmanager.yml")
        for server in (self.prometheus, self._alertmanager):
            server.spawn()
        for server in (self.prometheus, self._alertmanager):
            server.wait_ready()

    def ask(self, expression: str) -> list[dict[str, str]]:
        """Have Prometheus evaluate an expression and return the labels of what it finds."""
        return [labels for labels, _ in self.prometheus.instant(expression)]

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
        with contextlib.closing(http.client.HTTPConnection(self._alertmanager.address, timeout=10)) as connection:
            connection.request(method, f"/api/v2/{path}", json.dumps(body), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
        assert answer.status == 200, f"Alertmanager answers {method} {path} with {answer.status}: {text!r}"
        return dict(json.loads(text or b"{}"))

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
        for server in (self.prometheus, self._alertmanager):
            server.close()
        self.receiver.__exit__(kind, error, at)
        self._ports.close()

    def _text(self, name: str) -> str:
        text = (_ALERTS / name).read_text(encoding="utf-8")
        for example, address in self._addresses.items():
            text = text.replace(example, address)
        return text
