"""Proves that a Keycloak is prepared once for all, and that a machine without the means is told so."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kafka import distribution as kafka
from tests.keycloak import distribution, preparation

JAVA = "#!/bin/sh\necho 'openjdk version \"17.0.15\" 2025-04-15' >&2\n"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the only folder on the PATH, with a Java in it, on a machine that has Kafka but no Keycloak."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    install(programs, "java", JAVA)
    kafka.cache_folder().mkdir(parents=True)
    for module in (kafka, distribution):
        module.requirements_missing.cache_clear()
    yield programs
    for module in (kafka, distribution):
        module.requirements_missing.cache_clear()


def install(programs: Path, name: str, script: str = "#!/bin/sh\n") -> None:
    """Put a script on the PATH."""
    (programs / name).write_text(script, encoding="utf-8")
    (programs / name).chmod(0o755)


def test_no_java(machine: Path) -> None:
    (machine / "java").unlink()
    assert distribution.requirements_missing() == (
        "A real Keycloak writes to a real Kafka. Real Kafka needs Java 17 or newer, and there is no java on the PATH."
    )


def test_maven_and_a_compiler_are_needed_only_for_an_empty_cache(machine: Path) -> None:
    assert distribution.requirements_missing() == "Keycloak is fetched by Maven, and there is no mvn on the PATH."
    install(machine, "mvn")
    distribution.requirements_missing.cache_clear()
    assert distribution.requirements_missing() == (
        "Keycloak's listener is compiled by javac, and there is none (a JDK has it)."
    )
    install(machine, "javac")
    distribution.requirements_missing.cache_clear()
    assert distribution.requirements_missing() is None
    for name in ("mvn", "javac"):
        (machine / name).unlink()
    distribution.cache_folder().mkdir()
    distribution.requirements_missing.cache_clear()
    assert distribution.requirements_missing() is None


def test_failed_preparation_says_why_and_leaves_nothing(machine: Path) -> None:
    install(machine, "mvn", "#!/bin/sh\necho 'the registry is away'\nexit 1\n")
    with pytest.raises(kafka.DistributionError, match="the registry is away"):
        preparation.prepared()
    folder = distribution.cache_folder()
    names = {path.name for path in folder.parent.iterdir()}
    assert names == {kafka.cache_folder().name, f"{folder.name}.lock"}


@pytest.mark.usefixtures("machine")
def test_two_processes_prepare_once(tmp_path: Path) -> None:
    script = """
import time
from pathlib import Path
from tests.keycloak import preparation
def prepare(folder):
    with Path("CALLS").open("a") as calls:
        calls.write("called\\n")
    time.sleep(0.5)
    folder.mkdir()
preparation._prepare = prepare
print(preparation.prepared())
""".replace("CALLS", str(tmp_path / "calls"))
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", script]
    children = [subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert {child.communicate(timeout=30)[0] for child in children} == {f"{distribution.cache_folder()}\n"}
    assert (tmp_path / "calls").read_text(encoding="utf-8") == "called\n"


def test_the_compiler_of_java_home_comes_first(machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    (home / "bin").mkdir(parents=True)
    for folder in (machine, home / "bin"):
        install(folder, "javac")
    install(home / "bin", "java", JAVA)
    monkeypatch.setenv("JAVA_HOME", str(home))
    assert distribution.javac() == str(home / "bin" / "javac")
