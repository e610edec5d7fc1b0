"""The contract of a probe: one question with a deadline, answered with samples or a named failure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol, Self

from keywatch.metrics.metric import Metric


class Reason(StrEnum):
    """Why something failed: the only values of the label `reason`, each with its meaning."""

    meaning: str

    def __new__(cls, value: str, meaning: str) -> Self:
        """Make the value, which is its text, with what it means to people."""
        made = str.__new__(cls, value)
        made._value_ = value
        made.meaning = meaning
        return made

    DNS = "dns", "The name does not resolve, or not in time."
    REFUSED = "refused", "The connection is refused: nothing listens there. Also where no broker is left to ask."
    UNREACHABLE = "unreachable", "No way leads to the host or its network."
    TIMEOUT_CONNECT = "timeout_connect", "No connection came about in time."
    TIMEOUT_TLS = (
        "timeout_tls",
        "The TLS handshake did not end in time, of one that never answered: often a plain port that waits for more.",
    )
    TIMEOUT_RESPONSE = (
        "timeout_response",
        "No answer came in time, or not a whole one; of one that answered before, also when TLS does not come about.",
    )
    RESET = "reset", "The connection was closed or reset before the answer was complete."
    TLS = "tls", "TLS failed otherwise: the port does not speak it, or a file for it cannot be used."
    TLS_UNTRUSTED = "tls_untrusted", "No authority that is trusted signed the certificate that was shown."
    TLS_EXPIRED = "tls_expired", "The certificate that was shown has ended, or has not begun: compare clocks."
    TLS_HOSTNAME = "tls_hostname", "The certificate that was shown is for other names than the one that was asked for."
    TLS_CLIENT = "tls_client", "The other side refuses keywatch's certificate, or wants one."
    AUTHENTICATION = "authentication", "The credentials are refused, missing, or cannot be read."
    AUTHORIZATION = "authorization", "A right is missing; the log and the page say more."
    UNKNOWN_TOPIC = "unknown_topic", "The topic, or the partition, is not there."
    NO_METADATA = "no_metadata", "The cluster's metadata was never read."
    NO_LEADER = "no_leader", "The partition has no leader, or the one that it had is down or leads no more."
    NOT_ENOUGH_REPLICAS = "not_enough_replicas", "Fewer replicas are in sync than min.insync.replicas demands."
    REPLICA_DOWN = (
        "replica_down",
        "A replica that acks=all waits for does not answer; or a shard does not, so that a search is not whole.",
    )
    OTHER_CLUSTER = "other_cluster", "Who answers at the address is of another cluster than the one that is watched."
    OTHER_BROKER = "other_broker", "Who answers at the broker's address is another broker of the cluster."
    FENCED = (
        "fenced",
        "The cluster has shut the broker out, though something answers at its address, which others share.",
    )
    THROTTLED = "throttled", "A quota for keywatch is used up: Kafka wants it to wait before it asks again."
    CONNECTION_LIMIT = (
        "connection_limit",
        "New connections are closed at once while others are answered: a limit such as max.connections.per.ip.",
    )
    EXHAUSTED = (
        "exhausted",
        "keywatch itself has no file descriptor, memory or port left: nothing was asked, and nobody is down for it.",
    )
    UNREGISTERED = "unregistered", "The cluster names the broker, and nobody says where it lives."
    COORDINATOR = (
        "coordinator",
        "The group's coordinator is down, loading, or another one; or no broker lists the group.",
    )
    REJECTED = (
        "rejected",
        "The answer is no: too large, against a policy, too busy, or not alive; the log and the page say which.",
    )
    UNSUPPORTED = (
        "unsupported",
        "It does not know the question: too old, another product, switched off, or a mechanism that keywatch lacks.",
    )
    PROTOCOL = (
        "protocol",
        "The answer is not what was expected: another program, a proxy, or an error without a better name.",
    )
    STORAGE = "storage", "A disk is full, a log directory of a broker has failed, or a folder cannot be read."
    STUCK = (
        "stuck",
        "A run, or a call of it on a thread, outlived its deadline, and no second one is started beside it.",
    )
    INTERNAL = (
        "internal",
        "Something that nobody foresaw: a defect of keywatch, or an error of a library without a better name.",
    )


class Sample(NamedTuple):
    """One value for one metric.

    For a gauge it is the value, for a counter the increment, for a histogram one observation. `labels` are the values
    in the order of `metric.labels`. A `note` says that this value means trouble, and why, in words for people; of a
    counter, whose rise means trouble by itself, more about the newest. It goes to the log and the page, never into a
    label.
    """

    metric: Metric
    labels: tuple[str, ...]
    value: float
    note: str | None = None


class ProbeError(Exception):
    """The question could not be answered: an expected failure of the thing probed.

    `samples` are what is known all the same, such as an `…_up` that is now 0.
    """

    def __init__(self, reason: Reason, detail: str, samples: Collection[Sample] = ()) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.samples = samples


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a probe runs: every `period` seconds, each run given at most `timeout` seconds."""

    period: float
    timeout: float


class Probe(Protocol):
    """One question about a cluster.

    `name` is the value of the label `probe`, the key in the configuration and the module's name; `target` tells
    several probes of one name apart (a broker's id) and is empty otherwise.
    """

    @property
    def cluster(self) -> str:
        """The configured name of the cluster."""

    @property
    def name(self) -> str:
        """The probe's name."""

    @property
    def target(self) -> str:
        """What this one of several probes of the name is aimed at; empty when there is only one."""

    @property
    def schedule(self) -> Schedule:
        """When to run."""

    async def run(self, timeout: float) -> Collection[Sample]:
        """Answer the question within `timeout` seconds; raises `ProbeError`."""

    async def close(self) -> None:
        """Release connections and threads; called once, also after a failed run."""
