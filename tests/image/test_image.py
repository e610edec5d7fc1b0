"""The container image: built from the hashed lock, without tools or traces, and alive while Kafka is not."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator

import pytest

import keywatch
from tests.image.container import ROOT, Container, requirements_missing

pytestmark = pytest.mark.image

# What a person would type: start, wait until the image's own health check is content, look, end.
LIFE = """
/opt/keywatch/bin/keywatch serve --kafka 127.0.0.1:1 & pid=$!
tries=0
until {health} 2>/dev/null; do
  tries=$((tries + 1)); [ $tries -lt 100 ] || exit 70
  sleep 0.1
done
echo healthy
tries=0
until {metrics} | grep -q '^keywatch_cluster_up.* 0$'; do
  tries=$((tries + 1)); [ $tries -lt 100 ] || exit 71
  sleep 0.1
done
echo cluster down
kill -TERM $pid
started=$(date +%s)
wait $pid
echo ended with $? after $(($(date +%s) - started)) s
"""
FETCH = "from urllib.request import urlopen; print(urlopen('http://127.0.0.1:9877/metrics').read().decode())"


@pytest.fixture(scope="module")
def container() -> Iterator[Container]:
    if reason := requirements_missing():
        if os.environ.get("KEYWATCH_REQUIRE") == "all":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    with Container() as made:
        yield made


def test_it_says_what_it_is_and_runs_as_nobody(container: Container) -> None:
    config = container.inspect()["config"]
    assert (config["Entrypoint"], config["Cmd"]) == (["/opt/keywatch/bin/keywatch"], ["serve"])
    assert config["User"] == "65532:65532"
    assert list(config["ExposedPorts"]) == ["9877/tcp"]
    assert config["StopSignal"] == "SIGTERM"
    assert config["Labels"]["org.opencontainers.image.version"] == keywatch.__version__
    assert container.run("id", "-u").stdout.strip() == "65532"
    assert as_run(container, "--version").stdout == f"keywatch {keywatch.__version__}\n"
    assert as_run(container, "config", "example").returncode == 0


def test_another_command_than_serve_runs_as_well(container: Container) -> None:
    done = as_run(container, "check", "--kafka", "127.0.0.1:1", "--within", "2")
    assert done.returncode == 1, done.stderr
    assert "DOWN" in done.stdout
    done = as_run(container, "--kafka", "nothing")
    assert (done.returncode, "flags: clusters[0].bootstrap[0]: 'nothing' is not host:port" in done.stderr) == (2, True)


def test_it_holds_what_documents_speak_of(container: Container) -> None:
    listed = set(as_run(container, "assets", "list").stdout.split())
    assert {"alerts/rules", "alerts/runbooks", "dashboards/json", "logstash/pipeline", "docs/guides"} <= listed
    done = container.run("sh", "-c", "keywatch assets export /tmp/assets && cat /tmp/assets/alerts/rules/kafka.yml")
    assert (ROOT / "alerts" / "rules" / "kafka.yml").read_text(encoding="utf-8") in done.stdout, done.stderr
    done = container.run("sh", "-c", "keywatch-dashboards --out /tmp/dashboards && ls /tmp/dashboards")
    assert "keywatch-kafka.json" in done.stdout.split(), done.stderr


def as_run(container: Container, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it as `docker run IMAGE ARGUMENTS` does."""
    return container.run(*container.inspect()["config"]["Entrypoint"], *arguments)


def test_it_is_healthy_while_kafka_is_absent_and_ends_when_told(container: Container) -> None:
    check = container.inspect()["config"]["Healthcheck"]["Test"]
    assert check[0] == "CMD"
    script = LIFE.format(health=shlex.join(check[1:]), metrics=f"/opt/keywatch/bin/python -Ic {shlex.quote(FETCH)}")
    done = container.run("sh", "-c", script)
    lines = done.stdout.splitlines()
    assert lines[1:3] == ["healthy", "cluster down"], done.stdout + done.stderr
    ended = re.fullmatch(r"ended with 0 after (\d+) s", lines[-1])
    assert ended, done.stdout + done.stderr
    assert int(ended[1]) < 5
    assert "Traceback" not in done.stdout + done.stderr


def test_the_health_check_fails_when_nobody_serves(container: Container) -> None:
    check = container.inspect()["config"]["Healthcheck"]["Test"]
    assert container.run(*check[1:]).returncode == 1


def test_it_holds_the_locked_packages_and_no_others(container: Container) -> None:
    lock = "".join(
        (ROOT / path).read_text("utf-8") for path in ("requirements/runtime.lock", "deploy/image/extras.lock")
    )
    locked = {_canonical(name): version for name, version in re.findall(r"(?m)^([\w.-]+)==([\w.]+)", lock)}
    packages = container.files.glob("opt/keywatch/lib/python3.*/site-packages/*.dist-info")
    found = dict(path.name.removesuffix(".dist-info").rsplit("-", 1) for path in packages)
    installed = {_canonical(name): version for name, version in found.items()}
    assert installed.pop("keywatch") == keywatch.__version__
    assert installed.items() <= locked.items()
    assert {"confluent-kafka", "aiohttp", "pydantic"} <= installed.keys()


def test_no_trace_of_the_build_is_left(container: Container) -> None:
    files = container.files
    assert not list(files.glob("opt/keywatch/bin/pip*"))
    assert not (files / "root" / ".cache").exists()
    assert not (files / "build").exists()
    for trace in ("etc/pip.conf", "root/.pip", "root/.config", "etc/apt/sources.list"):
        assert not (files / trace).exists(), trace
    history = " ".join(str(step.get("created_by")) for step in container.inspect()["history"])
    assert not re.search(r"https?://(?!127\.0\.0\.1)", history)


def test_nothing_in_it_can_be_written_by_its_user(container: Container) -> None:
    found = container.run("find", "/opt/keywatch", "-writable", "-not", "-type", "l")
    assert (found.returncode, found.stdout) == (0, "")


def _canonical(name: str) -> str:
    """Write a package's name in one of its spellings (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
