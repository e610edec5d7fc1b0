"""A real Prometheus of a test's own, and what is asked of it."""

from __future__ import annotations

import json
import os
import shutil
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.kafka.own_server import OwnServer
from tests.kafka.waiting import wait_until
from tests.keycloak.health import status_of

HOST = "127.0.0.1"
_SECONDS = 30.0
RECORDED = "--storage.tsdb.retention.time=100y"
"""Flag that keeps series however old they are."""

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


class Prometheus(OwnServer):
    """Runs with a configuration on a folder `series`, which it fills or in which it finds blocks."""

    def __init__(self, config: str = "", *flags: str) -> None:
        super().__init__("prometheus", "prometheus")
        self.config = config
        """Taken at the next start; paths in it begin in its folder."""
        self._flags = flags
        self.address = f"{HOST}:{self._ports.take(HOST)}"
        self.make_folder()
        (self.folder / "series").mkdir()

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.spawn()
        self.wait_ready()

    def spawn(self) -> None:
        """Start it and do not wait."""
        file = self.folder / "prometheus.yml"
        file.write_text(self.config, encoding="utf-8")
        self.launch(
            [
                # Named by its path, so that the guard finds it should this process die.
                os.fspath(shutil.which("prometheus") or "prometheus"),
                f"--config.file={file}",
                f"--storage.tsdb.path={self.folder}/series",
                f"--web.listen-address={self.address}",
                *self._flags,
            ]
        )

    def wait_ready(self) -> None:
        """Wait until it answers; raises `RuntimeError` when it ends instead."""
        ready = f"http://{self.address}/-/ready"
        wait_until(lambda: not self.running or status_of(ready) == 200, 120, "prometheus is ready")
        if not self.running:
            raise RuntimeError(f"prometheus ended at its start\n{self.last_words()}")

    def instant(self, expr: str, at: float | None = None) -> Series:
        """Return what an expression is at a moment; None: now."""
        when = {} if at is None else {"time": at}
        return [(one["metric"], [_value(one["value"])]) for one in self._ask("query", query=expr, **when)]

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
        url = f"http://{self.address}/api/v1/{path}"
        body = urllib.parse.urlencode(parameters).encode()
        request = urllib.request.Request(url, body, method=method)
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310 - made here
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            with error:
                words = error.read().decode(errors="replace")
            raise ValueError(f"{parameters.get('query', path)}: {words}") from None


def _value(pair: list[Any]) -> tuple[float, float]:
    return float(pair[0]), float(pair[1])
