"""A real Prometheus on series that were recorded, and what dashboards ask of it."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from tests.kafka.guard import Guard
from tests.kafka.ports import PortReservation
from tests.kafka.process import ServerProcess
from tests.kafka.waiting import wait_until
from tests.keycloak.health import status_of

HOST = "127.0.0.1"
_SECONDS = 30.0
_EVER = "100y"

Series = list[tuple[dict[str, str], list[tuple[float, float]]]]
"""Labels, and values with their times in seconds."""


def missing() -> str:
    """Say what this machine lacks; empty when nothing."""
    lacking = [program for program in ("prometheus", "promtool") if shutil.which(program) is None]
    return f"{', '.join(lacking)} missing; Debian has a package prometheus (make deps)" if lacking else ""


def required() -> None:
    """Skip the test without Prometheus, and fail it where everything is required."""
    if words := missing():
        if os.environ.get("KEYWATCH_REQUIRE") == "all":
            pytest.fail(words)
        pytest.skip(words)


class Prometheus:
    """Runs with a configuration on a folder `series`, which it fills or in which it finds blocks; a context manager."""

    def __init__(self, config: str = "", *flags: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="keywatch-prometheus-"))
        (self.folder / "series").mkdir()
        self._config, self._flags = config, flags
        self._ports = PortReservation()
        self._address = f"{HOST}:{self._ports.take(HOST)}"
        self._server = ServerProcess("prometheus", self.folder, self.folder / "log")
        self._guard = Guard(self.folder)

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._server.pid

    @property
    def address(self) -> str:
        """Give host and port."""
        return self._address

    def start(self) -> None:
        """Start it and wait until it answers."""
        file = self.folder / "prometheus.yml"
        file.write_text(self._config, encoding="utf-8")
        self._server.launch(
            [
                # Named by its path, so that the guard finds it should this process die.
                os.fspath(shutil.which("prometheus") or "prometheus"),
                f"--config.file={file}",
                f"--storage.tsdb.path={self.folder}/series",
                f"--storage.tsdb.retention.time={_EVER}",
                f"--web.listen-address={self._address}",
                *self._flags,
            ]
        )
        ready = f"http://{self._address}/-/ready"
        wait_until(lambda: not self._server.running or status_of(ready) == 200, 120, "prometheus is ready")
        if not self._server.running:
            raise RuntimeError(f"prometheus ended at its start\n{self._server.last_words()}")

    def instant(self, expr: str, at: float) -> Series:
        """Return what an expression is at a moment."""
        return [(one["metric"], [_value(one["value"])]) for one in self._ask("query", query=expr, time=at)]

    def range(self, expr: str, start: float, end: float, step: float) -> Series:
        """Return what an expression is from start to end, every `step` seconds."""
        found = self._ask("query_range", query=expr, start=start, end=end, step=step)
        return [(one["metric"], [_value(value) for value in one["values"]]) for one in found]

    def snapshot(self) -> Path:
        """Write all that is there into a folder of blocks; wants `--web.enable-admin-api`."""
        name = str(self._json("POST", "admin/tsdb/snapshot", {})["name"])
        return self.folder / "series" / "snapshots" / name

    def _ask(self, kind: str, **parameters: object) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._json("POST", kind, parameters)["result"]
        return found

    def _json(self, method: str, path: str, parameters: dict[str, object]) -> Any:
        url = f"http://{self._address}/api/v1/{path}"
        body = urllib.parse.urlencode(parameters).encode()
        request = urllib.request.Request(url, body, method=method)
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310 - made here
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            with error:
                words = error.read().decode(errors="replace")
            raise ValueError(f"{parameters.get('query', path)}: {words}") from None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._server.running:
            self._server.kill()
        self._guard.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        self._ports.close()


def _value(pair: list[Any]) -> tuple[float, float]:
    return float(pair[0]), float(pair[1])
