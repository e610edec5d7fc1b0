"""The contract of a probe: one question with a deadline, answered with samples or a named failure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from keywatch.metrics.metric import Metric


class Reason(StrEnum):
    """Why something failed: the only values of the label `reason`."""

    DNS = "dns"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    TIMEOUT_CONNECT = "timeout_connect"
    TIMEOUT_TLS = "timeout_tls"
    TIMEOUT_RESPONSE = "timeout_response"
    RESET = "reset"
    TLS = "tls"
    TLS_UNTRUSTED = "tls_untrusted"
    TLS_EXPIRED = "tls_expired"
    TLS_HOSTNAME = "tls_hostname"
    TLS_CLIENT = "tls_client"
    AUTHENTICATION = "authentication"
    AUTHORIZATION = "authorization"
    UNKNOWN_TOPIC = "unknown_topic"
    NO_METADATA = "no_metadata"
    NO_LEADER = "no_leader"
    NOT_ENOUGH_REPLICAS = "not_enough_replicas"
    REPLICA_DOWN = "replica_down"
    UNREGISTERED = "unregistered"
    COORDINATOR = "coordinator"
    REJECTED = "rejected"
    UNSUPPORTED = "unsupported"
    PROTOCOL = "protocol"
    STORAGE = "storage"
    STUCK = "stuck"
    INTERNAL = "internal"


class Sample(NamedTuple):
    """One value for one metric.

    For a gauge it is the value, for a counter the increment, for a histogram one observation. `labels` are the values
    in the order of `metric.labels`. A `note` says that this value means trouble, and why, in words for people; it
    goes to the log and the page, never into a label.
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
