"""`keywatch listener upgrade` and `rollback` on a real Keycloak: a build, a restart, a login, its event in Kafka."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from keywatch.provider.journal import Records
from tests.kafka import admin
from tests.kafka.cluster import KafkaCluster
from tests.kafka.waiting import wait_until
from tests.keycloak import distribution
from tests.keycloak import provider_jars as jars
from tests.keycloak.driver import Driver
from tests.keycloak.fixtures import keycloak_required
from tests.keycloak.server import KeycloakServer

pytestmark = [pytest.mark.keycloak, pytest.mark.timeout(2400)]

REALM, USER, TOPIC = "shop", "alice", "keycloak.events"
_SECONDS = 1200.0


@dataclass
class Bed:
    """A real Keycloak with the tests' listener, and Kafka behind it; `restart` is a command that restarts it."""

    kafka: KafkaCluster
    server: KeycloakServer
    driver: Driver
    restart: str

    @property
    def home(self) -> Path:
        """Keycloak's folder."""
        return self.server.folder / "keycloak"

    @property
    def jar(self) -> Path:
        """The listener that is installed."""
        return self.home / "providers" / "keywatch-listener.jar"

    def command(self, action: str, *jar: Path) -> list[str]:
        """Return a command that changes the listener, with all proofs."""
        temporary = self.server.folder / "tmp"
        build = [*distribution.command(self.home, temporary), "build", *distribution.BUILD_OPTIONS]
        flags = ["--build", shlex.join(build), "--restart", self.restart, "--ready", self.server.management_url]
        proof = ["--url", self.server.url, "--realm", REALM, "--topic", TOPIC, "--kafka", self.kafka.bootstrap]
        keywatch = [sys.executable, "-m", "keywatch", "listener", action, *map(str, jar), str(self.home)]
        return [*keywatch, *flags, *proof, "--within", str(_SECONDS), "--event-within", "15"]

    def run(self, action: str, *jar: Path) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        return subprocess.run(self.command(action, *jar), capture_output=True, text=True, check=False, timeout=_SECONDS)

    def event_is_acknowledged(self) -> bool:
        """Log a user in, and return whether the listener's record of that was acknowledged."""
        before = self.server.listener.counts().acked
        self.driver.close()
        self.driver.login(REALM, USER)
        wait_until(lambda: self.server.listener.counts().acked > before, 30, "an event is acknowledged")
        return True


def serve_restarts(folder: Path, server: KeycloakServer) -> str:
    """Restart the server whenever the command that is returned runs, in the process that it belongs to."""
    asked, answered = folder / "asked", folder / "answered"
    os.mkfifo(asked)
    os.mkfifo(answered)

    def serve() -> None:
        while True:
            with asked.open() as orders:
                if orders.read().strip() != "restart":
                    return
            try:
                server.restart()
                code = 0
            except Exception as error:  # noqa: BLE001 - whatever it is, the command tells it
                print(error)
                code = 1
            answered.write_text(f"{code}\n")

    threading.Thread(target=serve, daemon=True).start()
    script = folder / "restart.sh"
    script.write_text(f"echo restart > {asked}; read code < {answered}; exit $code\n")
    return f"sh {script}"


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    keycloak_required()
    with ExitStack() as stack:
        kafka = stack.enter_context(KafkaCluster(1))
        for topic in (TOPIC, "keycloak.admin.events"):
            admin.create_topic(kafka.bootstrap, topic, partitions=2)
        server = stack.enter_context(KeycloakServer(kafka.bootstrap))
        driver = Driver(server)
        stack.callback(driver.close)
        driver.make_realm(REALM)
        driver.make_user(REALM, USER)
        made = Bed(kafka, server, driver, serve_restarts(tmp_path_factory.mktemp("restarts"), server))
        # The harness gives hard links into its cache, which a build would write through.
        built = made.home / "lib" / "quarkus"
        copy = built.with_name("copy")
        shutil.copytree(built, copy)
        shutil.rmtree(built)
        copy.rename(built)
        yield made


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def built(home: Path) -> dict[str, str]:
    return {path.name: digest(path) for path in (home / "lib" / "quarkus").iterdir()}


def test_a_listener_whose_events_do_not_arrive_is_taken_back_by_itself(bed: Bed, tmp_path: Path) -> None:
    """It passes every check and starts; but it sends nothing."""
    source = (distribution.LISTENER / "KeywatchListener.java").read_text()
    assert "if (producer == null) {" in source
    sources = {
        "keywatch.listener.KeywatchListener": source.replace("if (producer == null) {", "if (topicless()) {").replace(
            "private static String known(",
            "private static boolean topicless() { return true; }\n    static String known(",
        ),
        "keywatch.listener.Orders": (distribution.LISTENER / "Orders.java").read_text(),
    }
    silent = jars.packed(
        tmp_path / "silent.jar",
        jars.compiled(tmp_path, bed.home, sources),
        factory="keywatch.listener.KeywatchListener",
    )
    before, was_built = digest(bed.jar), built(bed.home)
    done = bed.run("upgrade", silent)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"did not come to {TOPIC} within 15 s" in done.stderr
    assert "the change was undone" in done.stderr
    assert (digest(bed.jar), built(bed.home)) == (before, was_built)
    assert bed.event_is_acknowledged()


def test_a_good_listener_is_proved_by_a_real_event_and_can_be_taken_back(bed: Bed, tmp_path: Path) -> None:
    before = digest(bed.jar)
    new = jars.changed(bed.jar, tmp_path / "new.jar", {"note": b"new"})
    done = bed.run("upgrade", new)
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)
    assert f"the event came to {TOPIC} after" in done.stdout
    assert digest(bed.jar) == digest(new)
    assert bed.event_is_acknowledged()
    done = bed.run("rollback")
    assert done.returncode == 0, done.stdout + done.stderr
    assert digest(bed.jar) == before
    assert bed.event_is_acknowledged()


def test_killed_in_mid_build_the_next_run_undoes(bed: Bed, tmp_path: Path) -> None:
    before, was_built = digest(bed.jar), built(bed.home)
    new = jars.changed(bed.jar, tmp_path / "new.jar", {"note": b"newer"})
    with subprocess.Popen(bed.command("upgrade", new), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert any(line.startswith("building: ") for line in process.stdout)
        process.send_signal(signal.SIGKILL)
    assert digest(bed.jar) == digest(new)
    left = Records(bed.home).under_way()
    assert left is not None
    assert left.step == "building"
    done = bed.run("rollback")  # it waits for the build that was begun
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the upgrade that a killed run left was undone" in done.stdout
    assert (digest(bed.jar), built(bed.home)) == (before, was_built)
    bed.server.restart()
    assert bed.event_is_acknowledged()
