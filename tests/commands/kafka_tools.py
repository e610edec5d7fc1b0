"""Kafka's own command-line tools, as `kafka-topics.sh` and the like: the same classes that its scripts run."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from tests.kafka.distribution import DistributionError, java, kafka_version

_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
_POM = Path(__file__).with_name("pom.xml")
_FETCH_SECONDS = 600.0
_CLASSES: Final = {
    "kafka-acls": "AclCommand",
    "kafka-broker-api-versions": "BrokerApiVersionsCommand",
    "kafka-cluster": "ClusterTool",
    "kafka-configs": "ConfigCommand",
    "kafka-console-consumer": "consumer.ConsoleConsumer",
    "kafka-console-producer": "ConsoleProducer",
    "kafka-consumer-groups": "consumer.group.ConsumerGroupCommand",
    "kafka-delete-records": "DeleteRecordsCommand",
    "kafka-get-offsets": "GetOffsetShell",
    "kafka-leader-election": "LeaderElectionCommand",
    "kafka-log-dirs": "LogDirsCommand",
    "kafka-metadata-quorum": "MetadataQuorumCommand",
    "kafka-reassign-partitions": "reassign.ReassignPartitionsCommand",
    "kafka-topics": "TopicCommand",
    "kafka-transactions": "TransactionsCommand",
}
# Started often and for a moment: compiled little, and with the collector that begins fastest.
_JVM: Final = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto -Dslf4j.internal.verbosity=ERROR"


def fetch() -> Path:
    """Return the folder of their jars, after fetching them where the cache lacks them; raises `DistributionError`."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "keywatch"
    digest = hashlib.sha256(_POM.read_bytes()).hexdigest()[:8]
    folder = base / f"kafka-tools-{kafka_version()}-{digest}"
    base.mkdir(parents=True, exist_ok=True)
    # The lock file stays: removing it would let a third process lock a new file while a second holds the old.
    with (base / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            with tempfile.TemporaryDirectory(dir=base, prefix=".fetching-") as temporary:
                target = Path(temporary) / "jars"
                options = [
                    f"-Dkafka.version={kafka_version()}",
                    f"-DoutputDirectory={target}",
                    "-DincludeScope=runtime",
                ]
                command = ["mvn", "-q", "-B", "-f", str(_POM), _COPY, *options]
                done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_FETCH_SECONDS)
                if done.returncode or not any(target.glob("kafka-tools-*.jar")):
                    words = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
                    raise DistributionError(f"Maven could not fetch Kafka's tools (exit {done.returncode}):\n{words}")
                target.rename(folder)
    return folder


def write_scripts(jars: Path, folder: Path) -> None:
    """Write a script for each tool into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, tool in _CLASSES.items():
        script = folder / f"{name}.sh"
        runs = f'exec {java()} {_JVM} -cp "{jars}/*" org.apache.kafka.tools.{tool} "$@"'
        script.write_text(f"#!/bin/sh\n{runs}\n", encoding="utf-8")
        script.chmod(0o755)
