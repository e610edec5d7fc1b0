"""Makes a Keycloak ready to be copied: fetched, with the tests' listener, built, and started once for its schema."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from tests.kafka import distribution as kafka
from tests.kafka.distribution import DistributionError
from tests.kafka.guard import Guard
from tests.kafka.ports import PortReservation
from tests.kafka.process import ServerProcess
from tests.kafka.waiting import wait_until
from tests.keycloak import distribution
from tests.keycloak.health import status_of

_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
_SECONDS = 600.0
_START_SECONDS = 300.0


def prepared() -> Path:
    """Return a Keycloak that is built and was started once, after making it when the cache lacks it (a minute).

    Nothing in it may be changed. Safe against other processes that do the same. Raises `DistributionError`.
    """
    folder = distribution.cache_folder()
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        # The lock file stays: removing it would let a third process lock a new file while a second holds the old.
        with (folder.parent / f"{folder.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.is_dir():
                _prepare(folder)
    return folder


def _prepare(folder: Path) -> None:
    """Fill a folder beside `folder` and rename it, so that `folder` never exists half full; `DistributionError`."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".preparing-") as temporary:
        working = Path(temporary) / "work"
        working.mkdir()
        guard = Guard(working)
        try:
            home = _unpacked(working)
            _add_listener(working, home)
            build = [*distribution.command(home, working), "build", *distribution.BUILD_OPTIONS]
            _run(build, "Keycloak could not be built")
            _start_once(working, home)
            home.rename(folder)
        finally:
            guard.close()


def _unpacked(working: Path) -> Path:
    artifact = f"org.keycloak:keycloak-quarkus-dist:{distribution.VERSION}:tar.gz"
    _run(["mvn", "-q", "-B", _COPY, f"-Dartifact={artifact}", f"-DoutputDirectory={working}"], "Maven has no Keycloak")
    archive = next(working.glob("*.tar.gz"))
    _run(["tar", "--no-same-owner", "-xzf", str(archive), "-C", str(working)], "Keycloak's archive is broken")
    archive.unlink()
    return working / f"keycloak-{distribution.VERSION}"


def _add_listener(working: Path, home: Path) -> None:
    """Compile the listener against Keycloak's jars and put it where Keycloak finds it, with Kafka's client."""
    client = next(jar for jar in kafka.jars() if jar.name.startswith("kafka-clients-"))
    shutil.copy2(client, home / "providers")
    classes = working / "classes"
    compiler = distribution.javac()
    if compiler is None:
        raise DistributionError("there is no javac")
    sources = [str(path) for path in sorted(distribution.LISTENER.glob("*.java"))]
    path = f"{home}/lib/lib/main/*:{home}/lib/lib/boot/*:{home}/providers/*"
    _run([compiler, "--release", "17", "-cp", path, "-d", str(classes), *sources], "the listener does not compile")
    services = distribution.LISTENER / "META-INF"
    shutil.copytree(services, classes / "META-INF")
    with zipfile.ZipFile(home / "providers" / "keywatch-listener.jar", "w") as jar:
        for file in sorted(classes.rglob("*")):
            jar.write(file, file.relative_to(classes))


def _start_once(working: Path, home: Path) -> None:
    """Start and stop Keycloak, so that its database has the schema, the realm `master` and an administrator."""
    server = ServerProcess("the Keycloak that is prepared", working, working / "log")
    with PortReservation() as ports:
        main, management = ports.take("127.0.0.1"), ports.take("127.0.0.1")
        listening = ["--http-host=127.0.0.1", f"--http-port={main}", f"--http-management-port={management}"]
        start = ["start", "--optimized", "--http-enabled=true", "--hostname-strict=false", "--cache=local", *listening]
        admin = {"KC_BOOTSTRAP_ADMIN_USERNAME": distribution.ADMIN, "KC_BOOTSTRAP_ADMIN_PASSWORD": distribution.ADMIN}
        server.launch([*distribution.command(home, working), *start], admin)
        url = f"http://127.0.0.1:{management}/health/ready"
        try:
            wait_until(lambda: not server.running or status_of(url) == 200, _START_SECONDS, "Keycloak is ready")
            if not server.running:
                raise DistributionError(f"Keycloak ended at its first start\n{server.last_words()}")
        except TimeoutError as error:
            raise DistributionError(f"{error}\n{server.last_words()}") from error
        finally:
            server.stop()
    shutil.rmtree(home / "data" / "tmp", ignore_errors=True)


def _run(command: Sequence[str], complaint: str) -> None:
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
            # A provider jar that was changed makes a build ask, and wait for an answer for ever.
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as error:
        raise DistributionError(f"{complaint}: not within {_SECONDS:g} s") from error
    if done.returncode != 0:
        words = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
        raise DistributionError(f"{complaint} (exit {done.returncode}):\n{words}")
