"""Does this Logstash live, and what does it say of its pipelines, queues and outputs? One question to its own port."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence

from keywatch.engine.probe import ProbeError, Reason, Sample, Schedule
from keywatch.metrics import logs as cat
from keywatch.net.http_peer import HttpPeer
from keywatch.probes.logs.logstash_stats import LogstashStats

_MOST_BYTES = 8 * 1024 * 1024
_COMMON = (Reason.REFUSED, Reason.RESET, Reason.TIMEOUT_CONNECT, Reason.TIMEOUT_RESPONSE)
# What a run gets more than its deadline, so that it can say which stage it was.
_SLACK = 0.1


class LogstashProbe:
    """One node; down after `misses` failures in a row, up after one answer."""

    name = "logstash"

    def __init__(
        self,
        cluster: str,
        logstash: str,
        peer: HttpPeer,
        schedule: Schedule,
        *,
        misses: int = 2,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.cluster = cluster
        self.target = logstash
        self.schedule = Schedule(schedule.period, schedule.timeout + _SLACK)
        self._answer_within = schedule.timeout
        self._peer = peer
        self._misses_allowed = misses
        self._clock = clock
        self._misses = 0
        self._up: bool | None = None
        self._reason: Reason | None = None
        self._reasons: set[Reason] = set()
        self._labels = (cluster, logstash)
        self._stats = LogstashStats(self._labels)
        self._first = True

    async def run(self, timeout: float) -> Sequence[Sample]:
        """Ask once and give the verdict; never raises, because a dead Logstash is an answer."""
        samples, note = [], None
        try:
            samples += await self._ask(min(self._answer_within, timeout))
        except ProbeError as error:
            self._misses += 1
            samples.append(Sample(cat.LOGSTASH_FAILURES_TOTAL, (*self._labels, error.reason), 1.0))
            if self._misses >= self._misses_allowed:
                self._up, self._reason = False, error.reason
                note = f"down, {error.reason}: {error.detail}"
        else:
            self._misses, self._up, self._reason = 0, True, None
        if self._first:
            samples += [Sample(cat.LOGSTASH_FAILURES_TOTAL, (*self._labels, reason), 0.0) for reason in _COMMON]
            self._first = False
        return [*samples, *self._verdict(note)]

    async def close(self) -> None:
        """Close the connections."""
        await self._peer.close()

    async def _ask(self, timeout: float) -> list[Sample]:
        answer = await self._peer.get("_node/stats", timeout, _MOST_BYTES)
        if answer.status == 404:
            raise ProbeError(Reason.UNSUPPORTED, "answers 404: this is not Logstash's own interface")
        if answer.status != 200:
            raise ProbeError(Reason.PROTOCOL, f"/_node/stats answers with status {answer.status}")
        try:
            stats = json.loads(answer.body)
        except (ValueError, RecursionError):
            stats = None
        if not isinstance(stats, dict) or not isinstance(stats.get("pipelines"), dict):
            raise ProbeError(Reason.PROTOCOL, "/_node/stats answers something else than the figures of a Logstash")
        took = Sample(cat.LOGSTASH_RESPONSE_SECONDS, self._labels, answer.took)
        return [took, *self._stats.samples(stats, self._clock())]

    def _verdict(self, note: str | None) -> list[Sample]:
        if self._up is None:
            return []
        if self._reason:
            self._reasons.add(self._reason)
        return [
            Sample(cat.LOGSTASH_UP, self._labels, float(self._up), note),
            *(
                Sample(cat.LOGSTASH_DOWN_REASON, (*self._labels, reason), float(reason is self._reason))
                for reason in self._reasons
            ),
        ]
