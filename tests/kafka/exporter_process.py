"""Runs the real exporter as a process of its own and scrapes it from outside, once or all the time."""

from __future__ import annotations

import copy
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from tests.kafka.ports import PortReservation
from tests.kafka.waiting import wait_until
from tests.slowness import Stopwatch

_SERIES = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_SCRAPE_TIMEOUT = 10.0
_LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class Scrape:
    """One answer of /metrics: when it was asked for and how long it took (monotonic seconds), and its series."""

    at: float
    took: float
    text: str = field(repr=False)

    @cached_property
    def series(self) -> dict[str, dict[frozenset[tuple[str, str]], float]]:
        """All series by metric."""
        return {name: self._read(name) for name in self._lines}

    @cached_property
    def _lines(self) -> dict[str, list[tuple[str, str]]]:
        found: dict[str, list[tuple[str, str]]] = {}
        for name, labels, value in _SERIES.findall(self.text):
            found.setdefault(name, []).append((labels, value))
        return found

    def _read(self, name: str) -> dict[frozenset[tuple[str, str]], float]:
        # Few metrics of many are looked at, and taking labels apart is what costs.
        if name not in self._known:
            lines = self._lines.get(name, [])
            self._known[name] = {frozenset(_LABEL.findall(labels)): float(value) for labels, value in lines}
        return self._known[name]

    @cached_property
    def _known(self) -> dict[str, dict[frozenset[tuple[str, str]], float]]:
        return {}

    def all(self, name: str, **labels: str) -> dict[frozenset[tuple[str, str]], float]:
        """Return the series of a metric that carry these labels."""
        wanted = set(labels.items())
        return {found: value for found, value in self._read(name).items() if wanted <= found}

    def value(self, name: str, **labels: str) -> float | None:
        """Return the value of the one series with these labels; None when there is none."""
        found = list(self.all(name, **labels).values())
        if len(found) > 1:
            raise LookupError(f"{name}{labels}: {len(found)} series")
        return found[0] if found else None

    def total(self, name: str, **labels: str) -> float:
        """Sum the series of a metric that carry these labels."""
        return sum(self.all(name, **labels).values())


PROBE_SECONDS = 1.0
"""The shortest deadline of a probe."""


def unexplained_failures(before: Scrape, after: Scrape, names: Sequence[str], watch: Stopwatch) -> dict[str, float]:
    """Name the failures counted meanwhile: all but time-outs of a probe that the machine held up for as long."""
    found = {}
    for name in names:
        for labels, value in after.all(name).items():
            grown = value - before.all(name).get(labels, 0.0)
            late = dict(labels).get("reason", "").startswith("timeout")
            if grown and not (late and watch.excuse_failures(f"{name}{sorted(labels)}", grown, PROBE_SECONDS)):
                found[f"{name}{sorted(labels)}"] = grown
    return found


class ExporterProcess:
    """`keywatch serve` with a configuration, on a free port of the loopback; a context manager that ends it."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._config = dict(config)
        self.wrapper: Sequence[str] = ()
        """What stands before the command, such as `unshare --mount`; it must become the command by exec."""
        self.flags: Sequence[str] = ()
        """More flags of `serve`."""
        self._ports = PortReservation()
        self.port = self._ports.take("127.0.0.1")
        self._folder = tempfile.TemporaryDirectory(prefix="keywatch-exporter-")
        self.log = Path(self._folder.name) / "log"
        self.file = Path(self._folder.name) / "keywatch.yml"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def config(self) -> dict[str, Any]:
        """Return a copy of the configuration."""
        return copy.deepcopy(self._config)

    def configure(self, config: Mapping[str, Any]) -> None:
        """Write another configuration, which takes a restart or a reload to be in force."""
        self._config = dict(config)
        web = {**self._config.get("web", {}), "listen_address": f"127.0.0.1:{self.port}"}
        self.file.write_text(yaml.safe_dump({**self._config, "web": web}), encoding="utf-8")

    def start(self, deadline: float = 60.0) -> None:
        """Start the process and wait until it serves."""
        self.configure(self._config)
        serve = ["-m", "keywatch", "serve", "--config.file", str(self.file), "--log.format", "text", *self.flags]
        command = [*self.wrapper, sys.executable, *serve]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        wait_until(lambda: self._ended or self.get("/-/healthy")[0] == 200, deadline, "the exporter serves")
        if self._ended:
            raise RuntimeError(f"the exporter ended at its start:\n{self.log.read_text(encoding='utf-8')}")

    @property
    def _ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    @property
    def pid(self) -> int:
        """The process id."""
        if self._process is None:
            raise RuntimeError("the exporter was not started")
        return self._process.pid

    def get(self, path: str, headers: Mapping[str, str] | None = None, method: str = "GET") -> tuple[int, bytes]:
        """Ask for a path: status and body; status 0 when nobody listens."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", headers=dict(headers or {}), method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=_SCRAPE_TIMEOUT) as answer:  # noqa: S310 - as above
                return int(answer.status), bytes(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return 0, b""

    def scrape(self, query: str = "") -> Scrape:
        """Scrape /metrics once. Raises `AssertionError` when it does not answer 200."""
        at = time.monotonic()
        status, body = self.get(f"/metrics{query}")
        took = time.monotonic() - at
        assert status == 200, f"/metrics answered {status} after {took:.2f} s"
        return Scrape(at, took, body.decode())

    def until(self, condition: Callable[[Scrape], object], deadline: float, what: str) -> Scrape:
        """Scrape until `condition` holds and give that scrape."""
        found: list[Scrape] = []

        def look() -> object:
            found[:] = [self.scrape()]
            return condition(found[0])

        try:
            wait_until(look, deadline, what)
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.log.read_text(encoding='utf-8')[-3000:]}") from error
        return found[0]

    def stop(self, number: signal.Signals = signal.SIGTERM, deadline: float = 10.0) -> int:
        """Send a signal, wait until the process is gone, and give its exit code."""
        if self._process is None:
            return 0
        self._process.send_signal(number)
        try:
            return self._process.wait(deadline)
        finally:
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop(signal.SIGKILL)
        self._ports.close()
        self._folder.cleanup()


class Recorder:
    """Scrapes all the time on a thread of its own and keeps every answer; a context manager."""

    def __init__(self, exporter: ExporterProcess, period: float = 0.1, query: str = "") -> None:
        self._exporter = exporter
        self._period = period
        self._query = query
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._record, daemon=True)
        self._watches = [Stopwatch()]
        self.scrapes: list[Scrape] = []
        self.errors: list[str] = []

    def _record(self) -> None:
        while not self._ended.wait(self._period):
            if time.monotonic() - self._watches[-1].began >= _LOOK_SECONDS:
                self._watches.append(Stopwatch())
            try:
                self.scrapes.append(self._exporter.scrape(self._query))
            except AssertionError as error:
                self.errors.append(str(error))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join(_SCRAPE_TIMEOUT + 1)

    def first(self, condition: Callable[[Scrape], object], after: float, deadline: float, what: str) -> float:
        """Wait for the first scrape begun after `after` for which `condition` holds; give the seconds from `after`.

        Fails when these are more than `deadline`, and the machine does not explain it.
        """
        watch = self.held_up_since(after)

        def look() -> Scrape | None:
            return next((s for s in list(self.scrapes) if s.at >= after and condition(s)), None)

        found = wait_until(look, deadline, what, watch)
        assert found is not None
        seconds = found.at + found.took - after
        assert seconds <= deadline or seconds <= deadline + watch.allowance(deadline), f"{what}: after {seconds:.2f} s"
        return seconds

    def held_up_since(self, moment: float) -> Stopwatch:
        """Measure what the machine cost since a moment (monotonic)."""
        earlier = [one for one in list(self._watches) if one.began <= moment]
        return (earlier or self._watches)[-1 if earlier else 0].since(moment)
