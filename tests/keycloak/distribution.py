"""Says whether this machine can run a real Keycloak, where the prepared one lies, and how it is run."""

from __future__ import annotations

import functools
import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

from tests.kafka import distribution as kafka

VERSION = "26.7.3"
LISTENER = Path(__file__).with_name("listener")
# What can be chosen at build time only, so all tests share it.
BUILD_OPTIONS = (
    "--db=dev-file",
    "--health-enabled=true",
    "--metrics-enabled=true",
    "--event-metrics-user-enabled=true",
)
ADMIN = "admin"
"""Name and password of the administrator that every prepared Keycloak has."""

# Keycloak's own script gives these; it is left out because a process of it would stand between tests and the JVM.
_SYSTEM = (
    "-Djava.util.logging.manager=org.jboss.logmanager.LogManager",
    "-Dpicocli.disable.closures=true",
    "-Djava.util.concurrent.ForkJoinPool.common.threadFactory=io.quarkus.bootstrap.forkjoin.QuarkusForkJoinWorkerThreadFactory",
    "--add-opens=java.base/java.util=ALL-UNNAMED",
    "--add-opens=java.base/java.util.concurrent=ALL-UNNAMED",
    "--add-opens=java.base/java.security=ALL-UNNAMED",
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "--enable-native-access=ALL-UNNAMED",
)
# The same as for Kafka's nodes: little memory, only the quick compiler, no file of a killed JVM in the system's folder.
_JVM = ("-Xms64m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData")


def cache_folder() -> Path:
    """Return the folder where the prepared Keycloak lies, or will lie after `preparation.prepared`.

    Its name carries a digest of what goes into it, so that a changed listener never finds the one of before.
    """
    digest = hashlib.sha256(kafka.cache_folder().name.encode() + " ".join(BUILD_OPTIONS).encode())
    sources = sorted(path for path in LISTENER.rglob("*") if path.is_file())
    for path in (*sources, Path(__file__).with_name("preparation.py")):
        digest.update(path.read_bytes())
    return kafka.cache_folder().parent / f"keycloak-{VERSION}-{digest.hexdigest()[:8]}"


@functools.cache
def requirements_missing() -> str | None:
    """Say in a sentence why a real Keycloak cannot be used here; `None` when it can."""
    if reason := kafka.requirements_missing():
        return f"A real Keycloak writes to a real Kafka. {reason}"
    if not cache_folder().is_dir():
        if shutil.which("mvn") is None:
            return "Keycloak is fetched by Maven, and there is no mvn on the PATH."
        if javac() is None:
            return "Keycloak's listener is compiled by javac, and there is none (a JDK has it)."
    return None


def javac() -> str | None:
    """Return the path of the compiler that belongs to `java`, or of any other."""
    java = kafka.java()
    beside = java and shutil.which("javac", path=str(Path(java).resolve().parent))
    return beside or shutil.which("javac")


def command(home: Path, temporary: Path, properties: Sequence[str] = ()) -> list[str]:
    """Return the command line that runs the Keycloak in `home`, up to what it is to do."""
    java = kafka.java()
    if java is None:
        raise kafka.DistributionError("there is no java on the PATH")
    own = (f"-Djava.io.tmpdir={temporary}", f"-Dkc.home.dir={home}", f"-Djboss.server.config.dir={home / 'conf'}")
    main = ("-cp", str(home / "lib" / "quarkus-run.jar"), "io.quarkus.bootstrap.runner.QuarkusEntryPoint")
    return [java, *_JVM, *_SYSTEM, *own, *properties, *main]
