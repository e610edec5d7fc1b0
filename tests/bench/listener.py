"""What the check of a large provider jar costs: a listener with 30 MB of libraries, against a real Keycloak.

One jar brings Kafka and all that it needs, as a jar "with dependencies" does; the other brings old Jackson classes too,
so that Keycloak's 80,000 classes are searched for who needs what they lack.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from keywatch.provider.distribution import Distribution
from tests.bench.figures import Figure, spread
from tests.exporter.provider.class_maker import made
from tests.kafka import distribution as kafka
from tests.keycloak.preparation import prepared

_BYTES = 30_000_000
_MOST_SECONDS, _MOST_MEBIBYTES = 5.0, 200
_OLD = ("com/fasterxml/jackson/annotation/JsonProperty", "com/fasterxml/jackson/core/JsonGenerator")


def measure(repetitions: int, say: Callable[[str], None]) -> list[Figure]:
    """Measure both jars `repetitions` times."""
    say("making jars of 30 MB")
    home = prepared()
    with tempfile.TemporaryDirectory(prefix="keywatch-bench-") as folder:
        # Called as the listener that is there, whose place it is to take.
        plain, hiding = (Path(folder) / kind / "keywatch-listener.jar" for kind in ("plain", "hiding"))
        for jar in (plain, hiding):
            jar.parent.mkdir()
        _jar(plain, home)
        shutil.copyfile(plain, hiding)
        with zipfile.ZipFile(hiding, "a") as archive:
            for name in _OLD:
                archive.writestr(f"{name}.class", made(name))
        return [
            _figure("`keywatch listener check` of a jar of 30 MB against Keycloak 26.7", plain, home, repetitions, 0),
            _figure("the same, where it hides Keycloak's Jackson by older classes", hiding, home, repetitions, 1),
        ]


def _jar(path: Path, home: Path) -> None:
    """Pack the tests' listener with Kafka's jars until it has 30 MB."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        # Without what Keycloak has itself: Kafka's own Jackson and SLF4J would hide newer ones.
        keycloak = Distribution(home)
        names = {f"{name}.class" for name in (*keycloak.main, *keycloak.boot)}
        keycloak.close()
        for name, data in _files(home):
            if name not in names and not name.startswith("META-INF/versions/"):
                names.add(name)
                target.writestr(name, data)
            if target.fp is not None and target.fp.tell() > _BYTES:
                break


def _files(home: Path) -> Iterator[tuple[str, bytes]]:
    first = [home / "providers" / "keywatch-listener.jar", *sorted((home / "providers").glob("kafka-clients-*.jar"))]
    for jar in [*first, *kafka.jars()]:
        with zipfile.ZipFile(jar) as archive:
            for info in archive.infolist():
                if not info.is_dir() and (jar == first[0] or info.filename.endswith(".class")):
                    yield info.filename, archive.read(info)


def _figure(what: str, jar: Path, home: Path, repetitions: int, code: int) -> Figure:
    command = [sys.executable, "-m", "keywatch", "listener", "check", str(jar), "--keycloak", str(home), "--json"]
    seconds, most = [], 0
    for _ in range(repetitions):
        began = time.monotonic()
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        seconds.append(time.monotonic() - began)
        most = max(most, usage.ru_maxrss // 1024)
        if process.returncode != code:
            raise RuntimeError(f"the check of {jar} ended with {process.returncode}, not {code}")
    return Figure(
        what,
        f"≤ {_MOST_SECONDS:g} s, ≤ {_MOST_MEBIBYTES} MiB",
        f"{spread(seconds)}, {most} MiB ({jar.stat().st_size / 1e6:.0f} MB)",
        max(seconds) <= _MOST_SECONDS and most <= _MOST_MEBIBYTES,
    )
