"""Runs the scripts for real: by JRuby, which Logstash runs on, fetched once from Maven Central, or else by `ruby`."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.kafka.distribution import java
from tests.logstash.model.event import Event

_VERSION = "9.4.14.0"
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
_ARTIFACT = f"org.jruby:jruby-complete:{_VERSION}"
_FETCH_SECONDS = 600.0
_HARNESS = Path(__file__).with_name("harness.rb")


class ScriptError(Exception):
    """A script refused its parameters or failed a test of its own: Logstash would not start the pipeline."""


def _jar() -> Path:
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "keywatch"
    return base / f"jruby-{_VERSION}" / f"jruby-complete-{_VERSION}.jar"


def missing() -> str | None:
    """Say why no script can run here; None when one can."""
    if shutil.which("ruby") or (java() and (_jar().is_file() or shutil.which("mvn"))):
        return None
    return "Scripts need ruby, or Java with Maven for JRuby; neither is on the PATH."


def required() -> None:
    """Skip the test where no script can run; fail it where `KEYWATCH_REQUIRE` is `all`, as in CI."""
    if reason := missing():
        if os.environ.get("KEYWATCH_REQUIRE") == "all":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)


def _command() -> list[str]:
    program = java()
    if program is None or (not _jar().is_file() and shutil.which("mvn") is None):
        return ["ruby", "-W0"]
    # It runs briefly and beside others: the second compiler would cost more than it gives.
    flags = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Djruby.compile.mode=OFF"]
    return [program, *flags, "-jar", str(_fetched()), "-W0"]


def _fetched() -> Path:
    jar = _jar()
    jar.parent.mkdir(parents=True, exist_ok=True)
    with (jar.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not jar.is_file():
            with tempfile.TemporaryDirectory(dir=jar.parent) as folder:
                subprocess.run(
                    ["mvn", "-q", "-B", _COPY, f"-Dartifact={_ARTIFACT}", f"-DoutputDirectory={folder}"],
                    check=True,
                    timeout=_FETCH_SECONDS,
                )
                (Path(folder) / jar.name).rename(jar)
    return jar


class Ruby:
    """One interpreter that runs the scripts of all pipelines; ended by `close`."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [*_command(), str(_HARNESS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",  # half a letter, as JSON can write it, is a question mark in Java's UTF-8 too
        )
        self._one_asks = threading.Lock()
        self._loaded = 0
        self._newest: dict[str, str] = {}

    def load(self, path: Path, parameters: Mapping[str, Any]) -> Callable[[Event], None]:
        """Run the script's tests, have it register, and give the function that filters; raises `ScriptError`."""
        self._loaded += 1
        name = self._newest[path.name] = f"{path.name} {self._loaded}"
        self._ask({"do": "load", "name": name, "path": str(path), "parameters": parameters})

        def run(event: Event) -> None:
            answer = self._ask({"do": "filter", "name": name, "event": event.data})
            event.data, event.dropped = answer["event"], answer["cancelled"]

        return run

    def out_of_order(self, script: str | None) -> None:
        """Have the newest load of this script raise at each event from now on; None: none does."""
        self._ask({"do": "break", "on": self._newest[script] if script else False})

    def cpu_seconds(self) -> float:
        """Return the processor's time that the interpreter has used."""
        # Behind the program's name, in brackets; 14 and 15 are its own time and the kernel's for it.
        fields = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _ask(self, command: Mapping[str, Any]) -> dict[str, Any]:
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("the interpreter has no pipes")
        with self._one_asks:
            stdin.write(json.dumps(command, ensure_ascii=False) + "\n")
            stdin.flush()
            line = stdout.readline()
        if not line:
            raise RuntimeError(f"the interpreter ended with {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise ScriptError(answer["error"])
        return answer

    def close(self) -> None:
        """End the interpreter."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process.wait(timeout=30)


class NoRuby:
    """Leaves events as they are: what the model costs without scripts."""

    def load(self, path: Path, parameters: Mapping[str, Any]) -> Callable[[Event], None]:  # noqa: ARG002 - the protocol
        """Return a function that does nothing."""
        return lambda _: None
