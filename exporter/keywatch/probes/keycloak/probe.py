"""Does this node of Keycloak live, is it ready, and if not, why? Its own health endpoints, twice a second."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from typing import Any

from keywatch.engine import supervised
from keywatch.engine.failure_counter import FailureCounter
from keywatch.engine.probe import ProbeError, Reason, Sample, Schedule
from keywatch.engine.supervised import Part
from keywatch.engine.verdict import Verdict
from keywatch.metrics.keycloak import (
    KEYCLOAK_CHECK,
    KEYCLOAK_DOWN_REASON,
    KEYCLOAK_FAILURES_TOTAL,
    KEYCLOAK_READY,
    KEYCLOAK_RESPONSE_SECONDS,
    KEYCLOAK_STARTED,
    KEYCLOAK_TLS_CERTIFICATE_NOT_AFTER_TIMESTAMP_SECONDS,
    KEYCLOAK_UP,
)
from keywatch.net.http_peer import HttpPeer
from keywatch.probes.keycloak.health import Health, health_of

_MOST_BYTES = 64 * 1024
# Check names are Keycloak's, and no documented API: so many of them get a series of their own.
_MOST_CHECKS = 20
_NOT_IN_A_CHECK = re.compile(r"[^a-z0-9]+")
_PACKAGES = re.compile(r"^(?:\w+\.)+(?=\w+$)")
# Each answer that something is not ready writes a line into Keycloak's log.
_NOT_READY_EVERY = 1.0
# While its database stands still, each such question holds one of Keycloak's threads, also when nobody waits for the
# answer any more. So two are left open at most, for this long: their answer, when the database is back, tells so at
# once. The second comes later than the first, because one that began while the database died may hang for long.
_OPEN_FOR = 10.0
_MOST_OPEN = 2
_SECOND_AFTER = 2.0
# What a run gets more than its deadline, so that it can say which stage it was.
_SLACK = 0.1


class KeycloakProbe:
    """One node; down after `misses` failures in a row, up after one answer.

    A kept connection does not notice when only new ones are refused, so one is opened every `renew_after` seconds.
    """

    name = "keycloak"

    def __init__(
        self,
        cluster: str,
        keycloak: str,
        peer: HttpPeer,
        schedule: Schedule,
        *,
        misses: int = 2,
        renew_after: float = 3.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.cluster = cluster
        self.target = keycloak
        self.schedule = Schedule(schedule.period, schedule.timeout + _SLACK)
        self._answer_within = schedule.timeout
        self._peer = peer
        self._misses_allowed = misses
        self._renew_after = renew_after
        self._clock = clock
        self._verdict = Verdict(misses)
        self._failures = FailureCounter(KEYCLOAK_FAILURES_TOTAL, (cluster, keycloak))
        self._renewed = clock()
        self._live: Health | None = None
        self._ready: Health | None = None
        self._ready_asked = float("-inf")
        self._ready_misses = 0
        self._ready_questions: list[asyncio.Task[Health]] = []
        self._started: bool | None = None
        self._checks: dict[str, str] = {}

    async def run(self, timeout: float) -> Sequence[Sample]:
        """Ask once and give the verdict; never raises, because a dead Keycloak is an answer."""
        timeout = min(self._answer_within, timeout)
        failure: ProbeError | None = None
        try:
            await self._ask(timeout)
        except ProbeError as error:
            failure = error
            if self._verdict.next_decides:
                self._ready, self._started = None, None
            self._verdict.failed(error.reason, error.detail)
        else:
            self._verdict.answered()
        return self._samples(failure)

    async def close(self) -> None:
        """Close the connections."""
        given_up = self._give_up_questions()
        if given_up:
            await asyncio.wait(given_up)
        await self._peer.close()

    async def _ask(self, timeout: float) -> None:
        """Ask whether it lives, and beside that what else is due; raises `ProbeError` when it does not live."""
        now = self._clock()
        last = now - self._renewed >= self._renew_after
        if last:
            self._renewed = now
        others = []
        if self._ready_is_due(now):
            self._ready_asked = now
            ready = self._health("ready", _OPEN_FOR, last=last)
            self._ready_questions.append(supervised.task(Part.QUESTION, ready, "ready", (ProbeError,)))
            others.append(self._await_ready(timeout))
        elif self._ready_questions:
            others.append(self._await_ready(0.0))
        if not self._started:
            others.append(self._ask_started(timeout, last=last))
        life = supervised.task(Part.QUESTION, self._health("live", timeout, last=last), "live", (ProbeError,))
        asked: list[asyncio.Future[Any]] = [life, *(supervised.task(Part.QUESTION, other) for other in others)]
        try:
            await asyncio.wait(asked)
        finally:
            for one in asked:
                one.cancel()
        live = self._live = life.result()
        if not live.up:
            raise ProbeError(Reason.REJECTED, "answers that it does not live")

    async def _health(self, which: str, timeout: float, *, last: bool) -> Health:
        return health_of(await self._peer.get(f"health/{which}", timeout, _MOST_BYTES, last=last))

    def _ready_is_due(self, now: float) -> bool:
        since = now - self._ready_asked
        if self._ready_questions:
            return len(self._ready_questions) < _MOST_OPEN and since >= _SECOND_AFTER
        return self._ready is None or self._ready.up or since >= _NOT_READY_EVERY

    async def _await_ready(self, timeout: float) -> None:
        """Wait for an answer to what is open, and judge it; what stays open is a miss, and is looked at again.

        Without an answer in time Keycloak is not ready, whatever it will say; one that said why keeps that reason.
        """
        await asyncio.wait(self._ready_questions, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        words = f"no answer to health/ready in {self._answer_within:.3g} s"
        for question in [question for question in self._ready_questions if question.done()]:
            self._ready_questions.remove(question)
            try:
                self._ready = question.result()
            except ProbeError as error:
                words = error.detail
            else:
                self._ready_misses = 0
                self._give_up_questions()
                return
        self._ready_misses += 1
        if self._ready_misses >= self._misses_allowed and (self._ready is None or self._ready.up):
            self._ready = Health(False, {}, words)

    def _give_up_questions(self) -> list[asyncio.Task[Health]]:
        given_up, self._ready_questions = self._ready_questions, []
        for question in given_up:
            question.cancel()
        return given_up

    async def _ask_started(self, timeout: float, *, last: bool) -> None:
        try:
            self._started = (await self._health("started", timeout, last=last)).up
        except ProbeError:
            self._started = None  # before Keycloak 21 there is no such endpoint

    def _samples(self, failure: ProbeError | None) -> list[Sample]:
        labels = (self.cluster, self.target)
        samples = self._failures.samples([failure.reason] if failure is not None else [])
        if (ends := self._peer.certificate_not_after) is not None:
            samples.append(Sample(KEYCLOAK_TLS_CERTIFICATE_NOT_AFTER_TIMESTAMP_SECONDS, labels, ends))
        if self._verdict.up is None:
            return samples
        if self._verdict.up and self._live is not None:
            samples.append(Sample(KEYCLOAK_RESPONSE_SECONDS, labels, self._live.took))
        samples += self._ready_samples(labels)
        return [*samples, *self._verdict.samples(KEYCLOAK_UP, KEYCLOAK_DOWN_REASON, labels)]

    def _ready_samples(self, labels: tuple[str, str]) -> list[Sample]:
        ready = self._ready
        samples = [Sample(KEYCLOAK_READY, labels, float(ready is not None and ready.up), self._why_not_ready(ready))]
        if self._started is not None:
            samples.append(Sample(KEYCLOAK_STARTED, labels, float(self._started)))
        checks: dict[str, bool] = {}
        for name, up in ready.checks.items() if ready is not None else ():
            label = self._label(name)
            checks[label] = up and checks.get(label, True)
        samples += [Sample(KEYCLOAK_CHECK, (*labels, check), float(up)) for check, up in checks.items()]
        return samples

    def _why_not_ready(self, ready: Health | None) -> str | None:
        if not self._verdict.up or ready is None or ready.up:
            return None
        down = [name for name, up in ready.checks.items() if not up]
        return f"not ready: {', '.join(down) or ready.words or 'it does not say why'}"

    def _label(self, name: str) -> str:
        """Return a check's label: its name in small letters, words joined by `_`; `other` for too many.

        One that failed itself is told by the name of its class, of whose packages nothing is kept.
        """
        known = self._checks.get(name)
        if known is None:
            if len(self._checks) >= _MOST_CHECKS:
                return "other"
            words = _NOT_IN_A_CHECK.sub("_", _PACKAGES.sub("", name).lower())
            known = words.strip("_") or "other"
            self._checks[name] = known
        return known
