"""The only place that makes librdkafka clients, with the settings that keep them from going blind or running wild."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient

from keywatch.engine.probe import ProbeError, Reason
from keywatch.kafka.membership import Membership

_LOG = logging.getLogger("keywatch.librdkafka")
OWN_GROUP_PREFIX = "keywatch-probe-"
REDRIVE_PREFIX = "keywatch-redrive-"
"""What the transactional ids and groups begin with by which dead letters are put back."""

# How much of what was not read yet a bulk consumer holds, and how much it asks for at once.
_BULK_BYTES = 8 * 1024 * 1024
# Whoever reads committed records waits so long for the transaction of a command that was killed.
_TRANSACTION_SECONDS = 30

# Measured: with the defaults a client whose favoured broker froze stays blind for a minute (`socket.timeout.ms`),
# and one that waits for a refused broker reconnects thousands of times a second.
_COMMON: dict[str, Any] = {
    "client.id": "keywatch",
    "socket.timeout.ms": 3000,
    "socket.connection.setup.timeout.ms": 2000,
    "reconnect.backoff.ms": 100,
    "reconnect.backoff.max.ms": 1000,
    "topic.metadata.refresh.interval.ms": 2000,
    "metadata.max.age.ms": 4000,
    "socket.nagle.disable": True,
    "log_level": 4,
}


class Identity(Protocol):
    """Who keywatch is to the brokers, as librdkafka wants to be told; what it gives may change."""

    def version(self) -> tuple[int, ...]:
        """Return what changes when the settings changed."""

    def client_settings(self) -> Mapping[str, Any]:
        """Return the settings as they are now."""


class Clients:
    """Makes producers and consumers for one cluster."""

    def __init__(
        self,
        bootstrap: str,
        settings: Mapping[str, Any],
        identity: Identity | None = None,
        membership: Membership | None = None,
    ) -> None:
        self._address = {"bootstrap.servers": bootstrap}
        self._settings = dict(settings)
        self._identity = identity
        self._membership = membership

    def version(self) -> tuple[int, ...]:
        """Return what changes when clients must be made anew: a certificate, a secret, or who is met at addresses."""
        generation = (self._membership.generation,) if self._membership is not None else ()
        return (*self._identity.version(), *generation) if self._identity is not None else generation

    def producer(self, timeout: float, delivered: Callable[[Any, Any], None]) -> Producer:
        """Make a producer that tries each record once within `timeout` seconds and reports it to `delivered`.

        One try only, because a retry would hide the broker's own answer behind a time-out.
        """
        own = {
            "acks": "all",
            "retries": 0,
            "linger.ms": 0,
            "enable.idempotence": False,
            "request.timeout.ms": int(timeout * 1000),
            "message.timeout.ms": int(timeout * 1000),
            "max.in.flight.requests.per.connection": 5,
            "queue.buffering.max.messages": 10_000,
            "partitioner": "random",
            "on_delivery": delivered,
        }
        return Producer(self._complete(own), logger=_LOG)

    def bulk(self) -> Consumer:
        """Make a consumer that reads whole partitions, many records at a time, in bounded memory.

        It is told where a partition ends, and that an offset to read from is not there (any more), in place of being
        moved elsewhere without a word.
        """
        own = {
            "fetch.wait.max.ms": 250,
            "fetch.max.bytes": _BULK_BYTES,
            "fetch.queue.backoff.ms": 50,
            "fetch.error.backoff.ms": 100,
            "queued.min.messages": 10_000,
            "queued.max.messages.kbytes": _BULK_BYTES // 1024,
            "auto.offset.reset": "error",
            "enable.partition.eof": True,
        }
        return self._consumer(own)

    def lookup(self) -> Consumer:
        """Make a consumer that reads single old records in small fetches."""
        own = {
            "fetch.wait.max.ms": 10,
            "fetch.message.max.bytes": 4096,
            "fetch.max.bytes": 1024 * 1024,
            "queued.min.messages": 1,
            "queued.max.messages.kbytes": 1024,
            "auto.offset.reset": "earliest",
            "fetch.error.backoff.ms": 100,
            # Measured: with the default (1000) the next record asked for comes a second late.
            "fetch.queue.backoff.ms": 20,
        }
        return self._consumer(own)

    def stretch(self) -> Consumer:
        """Make a consumer that reads short stretches of records: bounded fetches, and told where a partition ends."""
        own = {
            "fetch.wait.max.ms": 50,
            "fetch.message.max.bytes": 1024 * 1024,
            "fetch.max.bytes": 4 * 1024 * 1024,
            "queued.min.messages": 1000,
            "queued.max.messages.kbytes": 4096,
            "fetch.queue.backoff.ms": 20,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
            "fetch.error.backoff.ms": 100,
        }
        return self._consumer(own)

    def letters(self, group: str) -> Consumer:
        """Make a consumer of committed records only, in bounded fetches, for `group`, which it does not join."""
        own = {
            "group.id": group,
            "isolation.level": "read_committed",
            "fetch.wait.max.ms": 50,
            "fetch.message.max.bytes": 2 * 1024 * 1024,
            "fetch.max.bytes": _BULK_BYTES,
            "queued.min.messages": 20_000,
            "queued.max.messages.kbytes": _BULK_BYTES // 1024,
            "fetch.queue.backoff.ms": 20,
            "fetch.error.backoff.ms": 100,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
        }
        return self._consumer(own)

    def transactions(self, transactional_id: str, *, alone: bool = False) -> Producer:
        """Make a producer of transactions, which partitions keys as Java's does; each other one of this id is fenced.

        With `alone` each record travels by itself, so that a broker refuses no other one with it.
        """
        own = {
            "transactional.id": transactional_id,
            "transaction.timeout.ms": _TRANSACTION_SECONDS * 1000,
            "message.timeout.ms": _TRANSACTION_SECONDS * 1000,
            "request.timeout.ms": 5000,
            "partitioner": "murmur2_random",
            "queue.buffering.max.messages": 100_000,
            "queue.buffering.max.kbytes": 4 * _BULK_BYTES // 1024,
            "allow.auto.create.topics": False,
            "linger.ms": 5,
        }
        return Producer(self._complete(own | ({"batch.num.messages": 1} if alone else {})), logger=_LOG)

    def admin(self) -> AdminClient:
        """Make a client that makes topics and asks for their ids."""
        return AdminClient(self._complete({}), logger=_LOG)

    def _consumer(self, own: dict[str, Any]) -> Consumer:
        settings = {
            # librdkafka insists on a group; without subscribe and commit the brokers never hear of it.
            "group.id": f"{OWN_GROUP_PREFIX}{uuid.uuid4().hex[:12]}",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "allow.auto.create.topics": False,
            "isolation.level": "read_uncommitted",
            **own,
        }
        return Consumer(self._complete(settings), logger=_LOG)

    def _complete(self, own: Mapping[str, Any]) -> dict[str, Any]:
        """Join the settings; the user's come last, and the configuration refuses those that must not be theirs.

        Raises `ProbeError` while another cluster answers at an address: librdkafka compares no ids, and would go over.
        """
        if self._membership is not None and self._membership.doubt:
            raise ProbeError(Reason.OTHER_CLUSTER, f"nothing is read or written while {self._membership.doubt}")
        identity = self._identity.client_settings() if self._identity is not None else {}
        return {**_COMMON, **own, **identity, **self._settings, **self._address}
