"""Proves that Kafka's jars are fetched once and whole, and that a machine without the means is told so."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kafka import distribution

# Stands in for Maven: notes that it was called, takes its time, and leaves a jar where it was told to.
FAKE_MAVEN = """#!/bin/sh
echo called >> "$XDG_CACHE_HOME/calls"
for argument; do
  case $argument in -DoutputDirectory=*) folder=${argument#*=} ;; esac
done
mkdir "$folder" && sleep 0.5 && touch "$folder/kafka_2.13.jar"
"""
FAILING_MAVEN = """#!/bin/sh
echo 'the registry is away'
exit 1
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a folder that is in front of the PATH, on a machine with an empty cache."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    distribution.requirements_missing.cache_clear()
    yield programs
    distribution.requirements_missing.cache_clear()


def install(programs: Path, name: str, script: str) -> None:
    """Put a script on the PATH."""
    (programs / name).write_text(script, encoding="utf-8")
    (programs / name).chmod(0o755)


def java_of_version(version: str) -> str:
    """Return a script that answers as `java -version` of that version does."""
    return f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-04-15' >&2\n"


def test_two_processes_fetch_once(machine: Path, tmp_path: Path) -> None:
    install(machine, "mvn", FAKE_MAVEN)
    command = [sys.executable, "-c", "from tests.kafka import distribution; print(len(distribution.jars()))"]
    root = Path(__file__).parents[2]
    children = [subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [child.communicate(timeout=30)[0] for child in children] == ["1\n", "1\n"]
    assert (tmp_path / "calls").read_text(encoding="utf-8") == "called\n"


def test_failed_fetch_says_why_and_leaves_nothing(machine: Path) -> None:
    install(machine, "mvn", FAILING_MAVEN)
    with pytest.raises(distribution.DistributionError, match="the registry is away"):
        distribution.jars()
    folder = distribution.cache_folder()
    assert [path.name for path in folder.parent.iterdir()] == [f"{folder.name}.lock"]


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        ("1.8.0_402", "is Java 8."),
        ("11.0.22", "is Java 11."),
        ("17.0.15", None),
        ("25-ea", None),
        ("", "does not tell its version."),
    ],
)
def test_java_too_old(machine: Path, version: str, reason: str | None) -> None:
    install(machine, "java", java_of_version(version))
    install(machine, "mvn", FAKE_MAVEN)
    missing = distribution.requirements_missing()
    assert missing is None if reason is None else missing is not None and missing.endswith(reason)


def test_no_java(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(machine))
    assert distribution.requirements_missing() == (
        "Real Kafka needs Java 17 or newer, and there is no java on the PATH."
    )


def test_maven_is_needed_only_for_an_empty_cache(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(machine, "java", java_of_version("17.0.15"))
    monkeypatch.setenv("PATH", str(machine))
    assert distribution.requirements_missing() == "Real Kafka is fetched by Maven, and there is no mvn on the PATH."
    distribution.requirements_missing.cache_clear()
    distribution.cache_folder().mkdir(parents=True)
    assert distribution.requirements_missing() is None


def test_java_home_comes_first(machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(machine, "java", java_of_version("17.0.15"))
    home = tmp_path / "home"
    (home / "bin").mkdir(parents=True)
    install(home / "bin", "java", java_of_version("11.0.22"))
    monkeypatch.setenv("JAVA_HOME", str(home))
    assert distribution.java() == str(home / "bin" / "java")
