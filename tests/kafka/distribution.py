"""Fetches Apache Kafka's jars once from Maven Central into a cache and says whether this machine can run them."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

_POM = Path(__file__).with_name("pom.xml")
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
_LOWEST_JAVA = 17
_FETCH_SECONDS = 600.0


class DistributionError(Exception):
    """Kafka's jars could not be fetched."""


def kafka_version() -> str:
    """Return the version to run: that of `KEYWATCH_KAFKA`, such as `3.9.1`, or else the one that `pom.xml` names."""
    if chosen := os.environ.get("KEYWATCH_KAFKA"):
        return chosen
    found = re.search(r"<kafka\.version>([^<]+)</kafka\.version>", _POM.read_text(encoding="utf-8"))
    if found is None:
        raise DistributionError(f"{_POM}: the property kafka.version is missing")
    return found[1]


def cache_folder() -> Path:
    """Return the folder where the jars lie, or will lie after `jars`.

    Its name carries a digest of `pom.xml`, so that a changed dependency never finds the jars of before.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "keywatch"
    return base / f"kafka-{kafka_version()}-{hashlib.sha256(_POM.read_bytes()).hexdigest()[:8]}"


def java() -> str | None:
    """Return the path of the `java` to use, that of `JAVA_HOME` first."""
    home = os.environ.get("JAVA_HOME")
    return (home and shutil.which("java", path=f"{home}/bin")) or shutil.which("java")


@functools.cache
def requirements_missing() -> str | None:
    """Say in a sentence why real Kafka cannot be used here; `None` when it can."""
    program = java()
    if program is None:
        return "Real Kafka needs Java 17 or newer, and there is no java on the PATH."
    asked = subprocess.run([program, "-version"], capture_output=True, text=True, check=False, timeout=60)
    found = re.search(r'version "(?:1\.)?(\d+)', asked.stderr)
    if found is None:
        return f"Real Kafka needs Java 17 or newer, and {program} -version does not tell its version."
    if int(found[1]) < _LOWEST_JAVA:
        return f"Real Kafka needs Java {_LOWEST_JAVA} or newer, and {program} is Java {found[1]}."
    if not cache_folder().is_dir() and shutil.which("mvn") is None:
        return "Real Kafka is fetched by Maven, and there is no mvn on the PATH."
    return None


def jars() -> list[Path]:
    """Return Kafka's jars, in a stable order, after fetching them when the cache lacks them (seconds, 44 MB).

    Safe against other processes that do the same. Raises `DistributionError` with Maven's last words.
    """
    folder = cache_folder()
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        # The lock file stays: removing it would let a third process lock a new file while a second holds the old.
        with (folder.parent / f"{folder.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.is_dir():
                _fetch(folder)
    return sorted(folder.glob("*.jar"))


def _fetch(folder: Path) -> None:
    """Fill a folder beside `folder` and rename it, so that `folder` never exists half full."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fetching-") as temporary:
        target = Path(temporary) / "jars"
        options = [f"-Dkafka.version={kafka_version()}", f"-DoutputDirectory={target}", "-DincludeScope=runtime"]
        command = ["mvn", "-q", "-B", "-f", str(_POM), _COPY, *options]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_FETCH_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise DistributionError(f"Maven did not fetch Kafka within {_FETCH_SECONDS:g} s") from error
        if done.returncode != 0 or not any(target.glob("kafka_*.jar")):
            words = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
            raise DistributionError(f"Maven could not fetch Kafka (exit {done.returncode}):\n{words}")
        target.rename(folder)
