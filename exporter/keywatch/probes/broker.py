"""Is this broker alive, and if not, why? A kept connection asked for ApiVersions, and now and then a new one."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from keywatch import catalogue
from keywatch.kafka.connection import BrokerError, Connection, Tls, connect, ping
from keywatch.kafka.topology import Topology
from keywatch.probe import Reason, Sample, Schedule

# So that a rate over them sees the first failure, the commonest reasons exist from the first run.
_COMMON = (Reason.REFUSED, Reason.RESET, Reason.TIMEOUT_CONNECT, Reason.TIMEOUT_RESPONSE)


class BrokerProbe:
    """One broker, asked over its own listener; down after `misses` failures in a row, up after one answer.

    A kept connection does not notice when only new connections are dropped, so one is opened every `renew_after`
    seconds and takes the old one's place.
    """

    name = "broker"

    def __init__(
        self,
        cluster: str,
        label: str,
        topology: Topology,
        schedule: Schedule,
        *,
        tls: Tls | None = None,
        misses: int = 2,
        renew_after: float = 3.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.cluster = cluster
        self.target = label
        self._topology = topology
        # Connecting and answering each have the deadline of their own, so that a slow answer is not also a miss
        # for the time that the handshake took.
        self._answer_within = schedule.timeout
        self.schedule = Schedule(schedule.period, 2 * schedule.timeout)
        self._tls = tls
        self._misses_allowed = misses
        self._renew_after = renew_after
        self._clock = clock
        self._connection: Connection | None = None
        self._opened = 0.0
        self._misses = 0
        self._up: bool | None = None
        self._response = 0.0
        self._not_after: float | None = None
        self._reason: Reason | None = None
        self._detail = ""
        self._reasons: set[Reason] = set()
        self._first = True

    async def run(self, timeout: float) -> Sequence[Sample]:
        """Ask once and give the verdict; never raises, because a dead broker is an answer."""
        failures: list[Reason] = []
        try:
            await self._ask(min(self._answer_within, timeout), failures)
        except BrokerError as error:
            failures.append(error.reason)
            self._topology.report_attempt(self.target, answered=False)
            self._misses += 1
            if self._misses >= self._misses_allowed:
                self._up, self._reason, self._detail = False, error.reason, error.detail
        else:
            self._topology.report_attempt(self.target, answered=True)
            self._misses = 0
            self._up, self._reason, self._detail = True, None, ""
        if self._up is not None:
            self._topology.report(self.target, self._up, self._reason)
        return self._samples(failures)

    async def close(self) -> None:
        """Close the kept connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def _ask(self, timeout: float, failures: list[Reason]) -> None:
        broker = self._topology.brokers.get(self.target)
        if broker is None or broker.endpoint is None:
            raise BrokerError(Reason.UNREGISTERED, "the cluster names this broker, but nobody says where it lives")
        kept = self._connection
        moved = kept is not None and kept.endpoint != broker.endpoint
        if kept is not None and kept.is_open and not moved and self._clock() - self._opened < self._renew_after:
            started = self._clock()
            try:
                await ping(kept, timeout)
            except BrokerError as error:
                # A broker may close a connection and be well: only what a new one says counts.
                if error.reason is not Reason.RESET:
                    raise
                failures.append(error.reason)
            else:
                self._response = self._clock() - started
                return
        fresh = await connect(broker.endpoint, timeout, self._tls, answer_within=timeout)
        if kept is not None:
            kept.close()
        self._connection, self._opened, self._response = fresh, self._clock(), fresh.first_answer
        self._not_after = fresh.certificate_not_after or self._not_after

    def _samples(self, failures: Sequence[Reason]) -> list[Sample]:
        labels = (self.cluster, self.target)
        samples = [Sample(catalogue.BROKER_FAILURES_TOTAL, (*labels, reason), 1.0) for reason in failures]
        if self._first:
            samples += [Sample(catalogue.BROKER_FAILURES_TOTAL, (*labels, reason), 0.0) for reason in _COMMON]
            self._first = False
        broker = self._topology.brokers.get(self.target)
        if broker is not None and broker.endpoint is not None:
            where = (broker.endpoint.host, str(broker.endpoint.port), broker.rack)
            samples.append(Sample(catalogue.BROKER_INFO, (*labels, *where), 1.0))
        if self._not_after is not None:
            samples.append(Sample(catalogue.TLS_CERTIFICATE_NOT_AFTER_TIMESTAMP_SECONDS, labels, self._not_after))
        if self._up is None:
            return samples
        note = f"down, {self._reason}: {self._detail}" if self._reason else None
        samples.append(Sample(catalogue.BROKER_UP, labels, float(self._up), note))
        if self._up:
            samples.append(Sample(catalogue.BROKER_RESPONSE_SECONDS, labels, self._response))
        if self._reason:
            self._reasons.add(self._reason)
        samples.extend(
            Sample(catalogue.BROKER_DOWN_REASON, (*labels, reason), float(reason is self._reason))
            for reason in self._reasons
        )
        return samples
