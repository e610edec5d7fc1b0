"""Is this broker alive, and if not, why? A kept connection asked for ApiVersions, and now and then a new one."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from keywatch.config.endpoint import Endpoint
from keywatch.engine import supervised
from keywatch.engine.failure_counter import FailureCounter
from keywatch.engine.first_done import first_done
from keywatch.engine.probe import Reason, Sample, Schedule
from keywatch.engine.supervised import Part
from keywatch.engine.verdict import Verdict
from keywatch.kafka.connection import BrokerError, Security, check_ping, ping
from keywatch.kafka.connection_limit import limited
from keywatch.kafka.topology import Broker, Topology
from keywatch.metrics import cluster as cluster_metrics
from keywatch.net.resolver import SHARED, Resolver
from keywatch.probes.cluster.broker_link import BrokerLink, open_link

_LOG = logging.getLogger(__name__)
_SAID_AGAIN = {
    *(Reason.TLS_UNTRUSTED, Reason.TLS_EXPIRED, Reason.TLS_HOSTNAME),
    *(Reason.OTHER_CLUSTER, Reason.OTHER_BROKER),
}
_SAID_BY_A_LIVING_ONE = {
    *(Reason.TLS_UNTRUSTED, Reason.TLS_EXPIRED, Reason.TLS_HOSTNAME, Reason.TLS_CLIENT),
    Reason.AUTHENTICATION,
}
_LEADS_NOWHERE = {Reason.DNS, Reason.REFUSED, Reason.UNREACHABLE, Reason.TIMEOUT_CONNECT}
# How long it is waited for an answer on the kept connection once a new one failed, in seconds.
_STILL_ANSWERS_WITHIN = 0.25
# A broker that answered somebody so lately, in seconds, may live although it resets new connections.
_LATELY = 2.0
# What a stage of connecting gets more than its own deadline, so that it can say which one it was.
_SLACK = 0.05
# How long a slow broker need not say again who it is.
_PROVEN_FOR = 30.0
# How much longer than the deadlines of the failures that a verdict takes an answer may be under way.
_BENEFIT_OF_DOUBT = 0.15


@dataclass(eq=False, slots=True)
class _Attempt:
    """A question under way: on the kept connection, or (`kept` is None) by opening a fresh one."""

    answer: asyncio.Future[Any]
    started: float
    kept: BrokerLink | None

    def result(self) -> BrokerLink:
        """Return the connection that answered; raises `BrokerError`."""
        if self.kept is None:
            fresh: BrokerLink = self.answer.result()
            return fresh
        self.kept.rest = check_ping(self.kept.connection, self.answer)
        return self.kept


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
        security: Security | None = None,
        resolver: Resolver = SHARED,
        misses: int = 2,
        renew_after: float = 1.5,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.cluster = cluster
        self.target = label
        self._topology = topology
        # Connecting and answering each have the deadline of their own, so that a slow answer is not also a miss
        # for the time that the handshake took.
        self._answer_within = schedule.timeout
        self.schedule = Schedule(schedule.period, 2 * schedule.timeout)
        self._security = security
        self._resolver = resolver
        self._renew_after = renew_after
        self._clock = clock
        self._until = float("inf")
        self._patience = misses * schedule.timeout + _BENEFIT_OF_DOUBT
        self._attempts: list[_Attempt] = []
        self._link: BrokerLink | None = None
        self._opened = 0.0
        self._verdict = Verdict(misses)
        self._failures = FailureCounter(cluster_metrics.BROKER_FAILURES_TOTAL, (cluster, label))
        self._response = 0.0
        self._not_after: float | None = None
        self._claim = topology.claim(label)
        self._answered_at: Endpoint | None = None
        self._proven_at = float("-inf")
        self._limit = ""
        self._was_reset = False
        self._defects: set[str] = set()

    async def run(self, timeout: float) -> Sequence[Sample]:
        """Ask once and give the verdict; never raises, because a dead broker is an answer."""
        failures: list[Reason] = []
        self._limit = ""
        begun = self._clock()
        self._until = begun + timeout
        error = await self._try(min(self._answer_within, timeout), failures)
        if error is not None and self._verdict.doubtful and self._clock() - begun < self._answer_within / 2:
            # What a certificate says it says again, so the second try need not wait.
            if error.reason in _SAID_AGAIN:
                await self._try(min(self._answer_within, timeout), failures)
            # It tells who takes no more connections from who is gone, and is no second miss: both came in one moment.
            elif self._was_reset:
                await self._try(min(self._answer_within, timeout), failures, counts=False)
        if self._verdict.up is not None:
            others = not self._verdict.up and await self._serves_others()
            self._topology.report(self.target, self._verdict.up, self._verdict.reason, serves_others=others)
        return self._samples(failures)

    async def _serves_others(self) -> bool:
        """Return whether what keeps keywatch away says nothing of the broker, which others may reach as before.

        One that shows a certificate or refuses credentials lives. Of one whose name is gone the kept connection tells:
        it fails with the broker's process, but not with a name server.
        """
        if self._verdict.reason in _SAID_BY_A_LIVING_ONE:
            return True
        if self._verdict.reason is not Reason.DNS:
            return False
        return self._link is None or await self._kept_answers()

    async def _kept_answers(self) -> bool:
        """Return whether the broker answers on the connection that is kept; one that is to rest is believed."""
        if self._link is None or not self._link.connection.is_open:
            return False
        if self._clock() < self._link.rests_until:
            return True
        answer = ping(self._link.connection)
        try:
            await asyncio.wait([answer], timeout=max(min(_STILL_ANSWERS_WITHIN, self._until - self._clock()), 0.0))
            rest = check_ping(self._link.connection, answer) if answer.done() else None
        except BrokerError:
            return False
        finally:
            answer.cancel()
        self._link.rests_until = self._clock() + (rest or 0.0)
        return rest is not None

    async def _try(self, timeout: float, failures: list[Reason], *, counts: bool = True) -> BrokerError | None:
        """Ask once and record what came of it, a failure only where it `counts`; returns what went wrong."""
        try:
            await self._ask(timeout, failures)
        except BrokerError as error:
            if error.reason is not Reason.CONNECTION_LIMIT:
                return self._missed(error, failures) if counts else error
            # It lives, for others are answered, and what it lacks is room for keywatch.
            failures.append(error.reason)
            self._limit = error.detail
        except Exception as error:  # noqa: BLE001 - whatever happens here, a broker that is not heard of must not go unsaid
            if (kind := type(error).__name__) not in self._defects:
                self._defects.add(kind)
                _LOG.exception("asking broker %s of cluster %s has a defect", self.target, self.cluster)
            return self._missed(BrokerError(Reason.INTERNAL, f"asking it failed: {kind}"), failures)
        self._topology.report_attempt(self.target, answered=True)
        self._verdict.answered()
        return None

    def _missed(self, error: BrokerError, failures: list[Reason]) -> BrokerError:
        failures.append(error.reason)
        if error.reason is not Reason.EXHAUSTED:  # nothing was asked, so nothing went unanswered
            self._topology.report_attempt(self.target, answered=False)
        self._verdict.failed(error.reason, self._explained(error))
        return error

    def _explained(self, error: BrokerError) -> str:
        """Say where an address that never led to the broker comes from: clients meet the same, and wonder."""
        endpoint, bootstrap = self._topology.endpoint(self.target), self._topology.bootstrap
        if error.reason not in _LEADS_NOWHERE or endpoint in (None, self._answered_at) or endpoint in bootstrap:
            return error.detail
        return f"the bootstrap answered, and advertises {endpoint} for this broker: {error.detail}"

    async def close(self) -> None:
        """Close the kept connection and give up what is under way."""
        self._give_up(self._attempts)
        self._drop()

    def _drop(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None

    def _expected(self) -> tuple[Broker, Endpoint]:
        """Return who should answer and where, letting go of what was asked elsewhere; raises `BrokerError`."""
        broker = self._topology.brokers.get(self.target)
        if broker is None or broker.endpoint is None:
            self._give_up(self._attempts)
            self._drop()
            unknown = (Reason.UNREGISTERED, "the cluster names this broker, but nobody says where it lives")
            raise BrokerError(*((broker and broker.fault) or unknown))
        claim = self._topology.claim(self.target)
        if self._link is not None and (self._link.connection.endpoint, self._claim) != (broker.endpoint, claim):
            self._give_up(self._attempts)
            self._drop()
        if claim != self._claim:
            self._claim, self._proven_at = claim, float("-inf")
        if self._link is not None and (error := self._link.disproved()) is not None:
            self._drop()
            raise error
        return broker, broker.endpoint

    async def _ask(self, timeout: float, failures: list[Reason]) -> None:
        """Have the broker answer something within `timeout` seconds; raises `BrokerError`.

        An answer that comes later still counts, up to the moment of the verdict: a slow broker is not a dead one. So
        what was asked stays under way, and from the second try on a new connection is asked beside it.
        """
        broker, endpoint = self._expected()
        self._begin(endpoint, timeout)
        started = self._clock()
        until = started + timeout + _SLACK
        if self._verdict.next_decides:
            oldest = min(attempt.started for attempt in self._attempts)
            until = max(until, oldest + self._patience)
        until = min(until, self._until)
        failure: BrokerError | None = None
        while self._attempts and (left := until - self._clock()) > 0:
            await first_done([attempt.answer for attempt in self._attempts], left)
            answered = [attempt for attempt in self._attempts if attempt.answer.done()]
            if not answered:
                break
            for attempt in answered:
                self._attempts.remove(attempt)
                try:
                    link = attempt.result()
                except BrokerError as broken:
                    error = broken if attempt.kept is not None else await self._limited(broken)
                    # A broker may close a connection and be well: only what a new one says counts.
                    if attempt.kept is None or error.reason is not Reason.RESET:
                        failure = error
                    else:
                        failures.append(error.reason)
                        self._begin(endpoint, timeout)
                else:
                    self._adopt(link, attempt)
                    if not broker.alone and self._topology.shut_out(self.target):
                        words = f"{endpoint} is the address of several brokers, and the cluster lacks this one"
                        raise BrokerError(Reason.FENCED, words)
                    return
        self._give_up([a for a in self._attempts if self._clock() - a.started >= self._patience])
        words = f"{endpoint} did not answer in {timeout:.3g} s"
        raise failure or BrokerError(Reason.TIMEOUT_RESPONSE, words)

    async def _limited(self, error: BrokerError) -> BrokerError:
        """Return the error of a new connection, or that it is a limit's, where the kept connection is answered on."""
        reset = error.reason is Reason.RESET
        again, self._was_reset = reset and self._was_reset, reset
        # One that was killed resets what is under way, and refuses what is begun next.
        elsewhere = again and self._topology.answered_within(self.target, _LATELY)
        reached = reset and (elsewhere or await self._kept_answers())
        at_limit = self._topology.at_connection_limit
        (at_limit.add if reached else at_limit.discard)(self.target)
        return limited(error, self.target, self._topology)

    def _begin(self, endpoint: Endpoint, timeout: float) -> None:
        """Ask the kept connection, or a new one when it is old, gone, or something is under way already."""
        kept, now = self._link, self._clock()
        # What is due before the next question is due now.
        due = now - self._opened + self.schedule.period / 2 >= self._renew_after
        # One that is to rest is not listened to: a new connection is.
        resting = kept is not None and now < kept.rests_until
        if kept is not None and kept.connection.is_open and not self._attempts and not due and not resting:
            self._attempts.append(_Attempt(ping(kept.connection), now, kept))
            return
        opening = open_link(
            endpoint,
            timeout,
            self._security,
            self._topology.membership,
            self._claim,
            resolver=self._resolver,
            answer_within=self._patience,
            proven=now - self._proven_at < _PROVEN_FOR,
        )
        self._attempts.append(
            _Attempt(supervised.task(Part.QUESTION, opening, "connect", answers=(Exception,)), now, None)
        )

    def _adopt(self, link: BrokerLink, attempt: _Attempt) -> None:
        """Keep the connection that answered; what else was asked need not answer any more."""
        self._response = self._clock() - attempt.started
        self._answered_at = link.connection.endpoint
        self._topology.report_answer(self.target)
        self._topology.throttle.record(self.target, link.rest)
        link.rests_until, link.rest = self._clock() + link.rest, 0.0
        if attempt.kept is None:
            self._topology.at_connection_limit.discard(self.target)
            self._was_reset = False
            self._drop()
            if link.proof.done():
                self._proven_at = self._clock()
            self._link, self._opened, self._response = link, self._clock(), link.connection.first_answer
            self._not_after = link.connection.certificate_not_after or self._not_after
        self._give_up(self._attempts)

    def _give_up(self, attempts: Sequence[_Attempt]) -> None:
        for attempt in attempts:
            if attempt.kept is None:
                attempt.answer.add_done_callback(_close)
            attempt.answer.cancel()
        self._attempts = [attempt for attempt in self._attempts if attempt not in attempts]

    def _samples(self, failures: Sequence[Reason]) -> list[Sample]:
        labels = (self.cluster, self.target)
        samples = self._failures.samples(failures)
        broker = self._topology.brokers.get(self.target)
        if broker is not None and broker.endpoint is not None:
            where = (broker.endpoint.host, str(broker.endpoint.port), broker.rack)
            samples.append(Sample(cluster_metrics.BROKER_INFO, (*labels, *where), 1.0))
        stranger = self._topology.membership.strangers.get(self.target)
        if self._verdict.reason is Reason.OTHER_CLUSTER and stranger:
            ids = (self._topology.cluster_id, stranger)
            samples.append(Sample(cluster_metrics.BROKER_OTHER_CLUSTER_INFO, (*labels, *ids), 1.0))
        rest = self._topology.throttle.lately(self.target)
        grown = self._topology.throttle.take(self.target)
        note = f"Kafka throttles keywatch, {rest:.3g} s: a quota is used up" if rest else None
        samples += [
            Sample(cluster_metrics.BROKER_REST_SECONDS, labels, rest, note),
            Sample(cluster_metrics.BROKER_THROTTLE_SECONDS_TOTAL, labels, grown),
            Sample(cluster_metrics.BROKER_CONNECTION_LIMIT, labels, float(bool(self._limit)), self._limit or None),
        ]
        if self._not_after is not None:
            samples.append(Sample(cluster_metrics.TLS_CERTIFICATE_NOT_AFTER_TIMESTAMP_SECONDS, labels, self._not_after))
        if self._verdict.up:
            samples.append(Sample(cluster_metrics.BROKER_RESPONSE_SECONDS, labels, self._response))
        verdict = self._verdict.samples(cluster_metrics.BROKER_UP, cluster_metrics.BROKER_DOWN_REASON, labels)
        return [*samples, *verdict]


def _close(task: asyncio.Future[BrokerLink]) -> None:
    """Let no connection stay behind that came about while it was given up."""
    error = None if task.cancelled() else task.exception()
    if error is not None and not isinstance(error, BrokerError):
        supervised.defect(Part.QUESTION, error, "connect")  # which nobody else would hear of any more
    if error is None and not task.cancelled():
        task.result().close()
