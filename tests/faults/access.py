"""The ways on which keywatch may reach the bed's Kafka; each is a cluster of its own name to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.kafka.cluster import KafkaCluster
from tests.kafka.settings import INTERNAL

USER, PASSWORD = "keywatch", "correct-horse"  # of a cluster that lives for minutes
PROXIED, NAMED, KEYCLOAK, TLS, USERS = "PROXIED", "NAMED", "KEYCLOAK", "TLS", "USERS"
HERE, AWAY = "HERE", "AWAY"
SPLIT = "kafka-split"
"""The name of the cluster with dedicated controllers."""
LISTENERS = [
    f"{PROXIED}:PLAINTEXT",
    f"{NAMED}:PLAINTEXT",
    f"{HERE}:PLAINTEXT",
    f"{AWAY}:PLAINTEXT",
    f"{KEYCLOAK}:PLAINTEXT",
    f"{TLS}:SSL",
    f"{USERS}:SASL_PLAINTEXT",
]
ZONES: Mapping[str, str] = {HERE: "here.test", AWAY: "away.test"}
"""The zone of the names that the nodes advertise for a listener."""


@dataclass(frozen=True)
class Access:
    """The listener that keywatch uses, and the cluster's name.

    `beside` is another way to the same nodes, which keywatch watches as a second cluster at the same time; where it is
    `split`, that is another cluster, whose controllers are dedicated.
    """

    listener: str
    cluster: str
    beside: Access | None = None
    split: bool = False


ACCESSES: Mapping[str, Access] = {
    "plain": Access(INTERNAL, "kafka"),
    "proxied": Access(PROXIED, "kafka-proxied"),
    "named": Access(NAMED, "kafka-named"),
    "zoned": Access(HERE, "kafka-here", beside=Access(AWAY, "kafka-away")),
    "split": Access(PROXIED, "kafka-proxied", split=True),
    "tls": Access(TLS, "kafka-tls"),
    "users": Access(USERS, "kafka-users"),
}


def security(kafka: KafkaCluster, access: Access) -> dict[str, Any]:
    """Return the sections `tls` and `sasl` that a listener demands."""
    if access.listener == TLS and kafka.authority is not None:
        return {"tls": {"ca_file": str(kafka.authority.certificate)}}
    if access.listener == USERS:
        return {"sasl": {"mechanism": "SCRAM-SHA-256", "username": USER, "password": PASSWORD}}
    return {}


def bootstrap(kafka: KafkaCluster, access: Access) -> list[str]:
    """Return the addresses that the nodes advertise for a listener."""
    return [node.advertised[access.listener] for node in kafka.nodes]
