"""Which Kafka client a listener writes with, and what that release does unless it is told otherwise."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from keywatch.provider.archive import Archive, ArchiveError
from keywatch.provider.finding import Finding, note, warning
from keywatch.provider.jar import Jar

_SUBJECT = "kafka-clients"
_PRODUCER = "clients/producer/KafkaProducer.class"
_VERSION_FILES: Final = (
    "kafka/kafka-version.properties",
    "META-INF/maven/org.apache.kafka/kafka-clients/pom.properties",
)
_MOST_BYTES: Final = 65_536
_WITHOUT_IDEMPOTENCE: Final = frozenset({(3, 0, 0), (3, 1, 0)})
"""Their default is idempotence, and they do not switch it on (KAFKA-13598)."""


class KafkaClient(NamedTuple):
    """A client: its version (empty: not known), the jar that has it (empty: the checked one), and its package."""

    version: str
    jar: str
    package: str


def kafka_client(jar: Jar, beside: list[Path]) -> KafkaClient | None:
    """Return the client that the jar brings, else that of the providers beside it; None where there is none."""
    found = _of(jar.archive, "")
    for path in [] if found else beside:
        try:
            with Archive(path) as archive:
                found = _of(archive, path.name)
        except (ArchiveError, OSError):
            continue
        if found:
            break
    return found


def _of(archive: Archive, jar: str) -> KafkaClient | None:
    where = next((name for name in archive.entries if name.endswith(_PRODUCER)), None)
    if where is None:
        return None
    version = ""
    for name in _VERSION_FILES:
        entry = archive.entries.get(name)
        if entry is not None and entry.size <= _MOST_BYTES:
            match = re.search(rb"^version=(\d[\w.-]{0,40})\s*$", archive.read(name), re.MULTILINE)
            version = match[1].decode("ascii", "replace") if match else version
    return KafkaClient(version, jar, where.removesuffix(_PRODUCER))


def implied(client: KafkaClient | None) -> Iterator[Finding]:
    """Return what follows from the client's release."""
    if client is None:
        return
    numbers = tuple(int(part) for part in re.findall(r"\d+", client.version)[:3])
    where = f"of {client.jar}" if client.jar else "in the jar"
    if len(numbers) < 2:
        yield note(_SUBJECT, f"the version of the Kafka client {where} is written nowhere")
        return
    said = f"Kafka client {client.version} {where}"
    if numbers < (2, 1):
        yield warning(_SUBJECT, f"{said}: brokers of Kafka 4.0 and later refuse it (KIP-896)")
    if numbers < (3, 0):
        yield warning(_SUBJECT, f"{said}: unless told otherwise acks=1 and no idempotence, so an election loses events")
    elif numbers[:3] in _WITHOUT_IDEMPOTENCE:
        yield warning(_SUBJECT, f"{said}: acks=all, but idempotence is not switched on as it should be (KAFKA-13598)")
    else:
        yield note(_SUBJECT, f"{said}: unless told otherwise acks=all and idempotence")
    if numbers < (3, 8):
        yield note(
            _SUBJECT,
            f"{said} cannot rebootstrap (KIP-899): when all brokers got other addresses, Keycloak must be restarted",
        )
    elif numbers < (4, 0):
        yield note(_SUBJECT, f"{said} rebootstraps only with metadata.recovery.strategy=rebootstrap")
