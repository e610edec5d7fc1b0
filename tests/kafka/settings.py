"""Turns what a test asks of a cluster into the server.properties of one node."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

INTERNAL = "PLAINTEXT"
"""The listener that is always there, for plain clients and between brokers."""
CONTROLLER = "CONTROLLER"
QUICK_SESSIONS = {"broker.session.timeout.ms": "3000", "broker.heartbeat.interval.ms": "500"}
"""For a cluster's `extra`: a broker that died is forgotten, and may return, after 3 s instead of 9 s.

Not for tests about what Kafka's metadata tells and when.
"""
_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")
_LOGIN_MODULES = "org.apache.kafka.common.security"


@dataclass(frozen=True)
class Listener:
    """One more listener for clients."""

    name: str
    protocol: str

    @classmethod
    def parse(cls, text: str) -> Listener:
        """Read `SSL` (a name that is its protocol) or `OUTSIDE:SSL` (name and protocol).

        Raises `ValueError` for a protocol Kafka does not know and for the two names the harness uses itself.
        """
        name, _, protocol = text.partition(":")
        listener = cls(name, protocol or name)
        if listener.protocol not in _PROTOCOLS:
            raise ValueError(f"listener {text!r}: the protocol must be one of {', '.join(_PROTOCOLS)}")
        if name in (INTERNAL, CONTROLLER):
            raise ValueError(f"listener {text!r}: the name {name} is taken")
        return listener

    @property
    def has_tls(self) -> bool:
        """Return whether the listener needs a certificate."""
        return self.protocol.endswith("SSL")

    @property
    def has_sasl(self) -> bool:
        """Return whether clients of the listener give a user and a password."""
        return self.protocol.startswith("SASL")


def for_tests(nodes: int, offsets_partitions: int) -> dict[str, str]:
    """Return the settings that make a young cluster of `nodes` small, quick and predictable."""
    copies = str(min(3, nodes))
    return {
        "auto.create.topics.enable": "false",
        "default.replication.factor": copies,
        "min.insync.replicas": "1",
        "group.initial.rebalance.delay.ms": "0",
        "offsets.topic.num.partitions": str(offsets_partitions),
        "offsets.topic.replication.factor": copies,
        "share.coordinator.state.topic.min.isr": "1",
        "share.coordinator.state.topic.num.partitions": str(offsets_partitions),
        "share.coordinator.state.topic.replication.factor": copies,
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": str(offsets_partitions),
        "transaction.state.log.replication.factor": copies,
        # The default takes 128 MB of heap from each node at once.
        "log.cleaner.dedupe.buffer.size": "2097152",
        "num.io.threads": "4",
    }


def for_node(
    *,
    node_id: int,
    log_dirs: Sequence[Path],
    voters: Mapping[int, str],
    listeners: Iterable[Listener],
    own: Mapping[str, str],
    advertised: Mapping[str, str],
    roles: str = "broker,controller",
) -> dict[str, str]:
    """Return the settings that make one node what it is.

    `voters` are the controller addresses (`host:port`) by node id; `own` and `advertised` are the node's addresses by
    listener name: where it listens, and where it tells clients to come.
    """
    told = ",".join(f"{name}://{address}" for name, address in advertised.items())
    protocols = {INTERNAL: "PLAINTEXT", CONTROLLER: "PLAINTEXT"} | {one.name: one.protocol for one in listeners}
    return {
        "process.roles": roles,
        "node.id": str(node_id),
        "controller.quorum.voters": ",".join(f"{voter}@{address}" for voter, address in voters.items()),
        "controller.listener.names": CONTROLLER,
        "inter.broker.listener.name": INTERNAL,
        "listener.security.protocol.map": ",".join(f"{name}:{protocol}" for name, protocol in protocols.items()),
        "listeners": ",".join(f"{name}://{address}" for name, address in own.items()),
        "log.dirs": ",".join(map(str, log_dirs)),
        **({"advertised.listeners": told} if told else {}),
    }


def for_tls(bundle: Path, authority: Path, client_auth: str) -> dict[str, str]:
    """Return the settings of listeners with TLS; `client_auth` is `none`, `requested` or `required`."""
    return {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(bundle),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority),
        "ssl.client.auth": client_auth,
    }


def for_sasl(listeners: Iterable[Listener], users: Mapping[str, str]) -> dict[str, str]:
    """Return the settings of listeners with SASL: PLAIN for `users` (name to password), SCRAM, and OAUTHBEARER.

    SCRAM's users live in the cluster's metadata, so they are made once it runs. Tokens need no signature: what is
    tested is how they are got and sent, not how Kafka verifies them.
    """
    settings = {"sasl.enabled.mechanisms": ",".join(_MECHANISMS)}
    known = "".join(f' user_{user}="{password}"' for user, password in users.items())
    for listener in listeners:
        prefix = f"listener.name.{listener.name.lower()}"
        settings[f"{prefix}.plain.sasl.jaas.config"] = f"{_LOGIN_MODULES}.plain.PlainLoginModule required{known};"
        for mechanism in ("scram-sha-256", "scram-sha-512"):
            scram = f"{_LOGIN_MODULES}.scram.ScramLoginModule required;"
            settings[f"{prefix}.{mechanism}.sasl.jaas.config"] = scram
        bearer = f"{_LOGIN_MODULES}.oauthbearer.OAuthBearerLoginModule required;"
        settings[f"{prefix}.oauthbearer.sasl.jaas.config"] = bearer
    return settings


def write(path: Path, settings: Mapping[str, str]) -> None:
    """Write `settings` as a Java properties file."""
    lines = (f"{key}={value.replace(chr(92), chr(92) * 2)}\n" for key, value in settings.items())
    path.write_text("".join(lines), encoding="latin-1")
