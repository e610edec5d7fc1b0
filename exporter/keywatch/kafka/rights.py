"""The rights that keywatch asks Kafka for: one list, which messages, documents and tests take theirs from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

CLUSTER: Final = "kafka-cluster"
"""What Kafka calls the one resource of the kind Cluster."""


@dataclass(frozen=True, slots=True)
class KafkaRight:
    """One operation on resources of a kind, in the words of Kafka's ACLs.

    `on` says in a document's words which ones; `given` are the names to give it for, where documents give it: `*` all.
    `without` is what is missing without it.
    """

    operation: str
    kind: Literal["Topic", "Group", "Cluster", "TransactionalId"]
    on: str
    given: str
    without: str
    prefixed: bool = False
    """Whether `given` is what names begin with."""

    def of(self, name: str = CLUSTER) -> str:
        """Write it for one resource, as messages do: `Read on Topic:events`."""
        return f"{self.operation} on {self.kind}:{name}"

    def missing(self, name: str = CLUSTER) -> str:
        """Say that it is missing."""
        return f"{self.of(name)} is missing"

    def __str__(self) -> str:
        """Write it as documents do."""
        return f"`{self.operation}` on {self.on}"


DESCRIBE_TOPICS: Final = KafkaRight(
    "Describe", "Topic", "topics", "", "topics are not seen; given with `Read`, which includes it"
)
READ_TOPICS: Final = KafkaRight(
    "Read",
    "Topic",
    "topics",
    "*",
    "lag in seconds is a guess between known times (`groups.fetches: 0` says that you want that); of `events` nothing "
    "is read; dead letters (`dlq`) are counted without their reasons",
)
DESCRIBE_CONFIGS: Final = KafkaRight("DescribeConfigs", "Topic", "topics", "*", "`min.insync.replicas` is not known")
DESCRIBE_GROUPS: Final = KafkaRight("Describe", "Group", "groups", "*", "groups are not seen")
DESCRIBE_CLUSTER: Final = KafkaRight(
    "Describe",
    "Cluster",
    "the cluster",
    CLUSTER,
    "controllers without a majority and failed log directories are not seen; a reassignment that was under way before "
    "keywatch looked counts as partitions that lack replicas",
)
DESCRIBE_BROKERS: Final = KafkaRight(
    "DescribeConfigs",
    "Cluster",
    "the cluster",
    CLUSTER,
    "before Kafka 4.4 another broker at a broker's address is not told; another cluster is",
)
CREATE_CANARY: Final = KafkaRight(
    "Create", "Topic", "the canary's topic", "keywatch-canary", "the topic is not made: no canary until somebody does"
)
ALTER_CANARY: Final = KafkaRight(
    "Alter",
    "Topic",
    "the canary's topic",
    "keywatch-canary",
    "a new broker gets no partition of it and is not tried with records",
)
WRITE_CANARY: Final = KafkaRight(
    "Write",
    "Topic",
    "the canary's topic",
    "keywatch-canary",
    "no canary; `canary.enabled: false` says that you want that",
)
ALTER_CLUSTER: Final = KafkaRight(
    "Alter",
    "Cluster",
    "the cluster",
    CLUSTER,
    "leadership of the canary's partitions that strayed is given back by Kafka's own balancing only, within minutes",
)
WRITE_LOG_CANARY: Final = KafkaRight("Write", "Topic", "the topic of `logs.canary`", "", "no marked events")

CREATE_LEDGER: Final = KafkaRight(
    "Create", "Topic", "the ledger", "keywatch-redrive", "the ledger is not made; make it beforehand"
)
READ_LEDGER: Final = KafkaRight(
    "Read", "Topic", "the ledger", "keywatch-redrive", "what was put back before is not known: nothing is"
)
WRITE_LEDGER: Final = KafkaRight("Write", "Topic", "the ledger", "keywatch-redrive", "nothing is put back")
READ_LETTERS: Final = KafkaRight(
    "Read", "Topic", "the dead-letter topics", "siem-sink-dlq", "dead letters are not read"
)
DELETE_LETTERS: Final = KafkaRight(
    "Delete", "Topic", "the dead-letter topics", "siem-sink-dlq", "`--purge` does not empty the topic"
)
WRITE_DESTINATION: Final = KafkaRight(
    "Write", "Topic", "where dead letters belong", "keycloak.events", "those letters are refused, and stay"
)
WRITE_PARKED: Final = KafkaRight(
    "Write", "Topic", "where letters are parked", "siem-sink-dlq.parked", "nothing is parked"
)
CREATE_PARKED: Final = KafkaRight(
    "Create", "Topic", "where letters are parked", "siem-sink-dlq.parked", "the topic is not made; make it beforehand"
)
READ_REDRIVE_GROUP: Final = KafkaRight(
    "Read",
    "Group",
    "groups called `keywatch-redrive-…`",
    "keywatch-redrive-",
    "progress is not kept: nothing is put back",
    prefixed=True,
)
WRITE_TRANSACTIONS: Final = KafkaRight(
    "Write",
    "TransactionalId",
    "transactional ids called `keywatch-redrive-…`",
    "keywatch-redrive-",
    "nothing is put back",
    prefixed=True,
)
REDRIVE: Final = (
    *(READ_LETTERS, DELETE_LETTERS, WRITE_DESTINATION, WRITE_PARKED, CREATE_PARKED),
    *(CREATE_LEDGER, READ_LEDGER, WRITE_LEDGER, READ_REDRIVE_GROUP, WRITE_TRANSACTIONS),
)
"""What `keywatch dlq` needs, which is another user's business than the exporter's."""

LEAST: Final = (
    *(READ_TOPICS, DESCRIBE_CONFIGS, DESCRIBE_GROUPS, DESCRIBE_CLUSTER, DESCRIBE_BROKERS),
    *(CREATE_CANARY, ALTER_CANARY, WRITE_CANARY),
)
"""With these keywatch tells everything; `Read` and `Write` include `Describe`."""
BEYOND: Final = {
    ALTER_CLUSTER: "It allows to change rights and settings as well, so most leave it out.",
    WRITE_LOG_CANARY: "Only where `logs.canary` is configured.",
}
"""What is asked for beside these, and what to think of it."""
ALL: Final = (DESCRIBE_TOPICS, *LEAST, *BEYOND)
