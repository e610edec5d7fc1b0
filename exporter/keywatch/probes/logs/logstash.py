"""Does this Logstash live, and what does it say of its pipelines, queues and outputs? One question to its own port."""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from keywatch.engine.failure_counter import FailureCounter
from keywatch.engine.probe import ProbeError, Reason, Sample, Schedule
from keywatch.engine.verdict import Verdict
from keywatch.metrics import logs as cat
from keywatch.net.http_peer import HttpPeer
from keywatch.probes.logs.logstash_stats import LogstashStats

_MOST_BYTES = 8 * 1024 * 1024
_LONGEST_ID = 100
_MOST_NODES = 4
# A node that is started anew may come with another id, but no node comes back with a former one.
_IN_TURN = "several Logstashes answer in turn at this address: give each an entry and an address of its own"
_TOLD_FOR = 300.0
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
        self._clock = clock
        self._labels = (cluster, logstash)
        self._verdict = Verdict(misses)
        self._failures = FailureCounter(cat.LOGSTASH_FAILURES_TOTAL, self._labels)
        self._stats: OrderedDict[str, LogstashStats] = OrderedDict()
        self._in_turn = float("-inf")

    async def run(self, timeout: float) -> Sequence[Sample]:
        """Ask once and give the verdict; never raises, because a dead Logstash is an answer."""
        samples, failures = [], []
        try:
            samples += await self._ask(min(self._answer_within, timeout))
        except ProbeError as error:
            failures.append(error.reason)
            self._verdict.failed(error.reason, error.detail)
        else:
            self._verdict.answered()
        samples += self._failures.samples(failures)
        return [*samples, *self._verdict.samples(cat.LOGSTASH_UP, cat.LOGSTASH_DOWN_REASON, self._labels)]

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
        now = self._clock()
        node = str(stats.get("id"))[:_LONGEST_ID]
        if node in self._stats and next(reversed(self._stats)) != node:
            self._in_turn = now
        note = _IN_TURN if now - self._in_turn <= _TOLD_FOR else None
        took = Sample(cat.LOGSTASH_RESPONSE_SECONDS, self._labels, answer.took, note)
        return [took, *self._of(node).samples(stats, now)]

    def _of(self, node: str) -> LogstashStats:
        """Return what is known of a node by its id: each counts by itself, also when several answer in turn."""
        known = self._stats.setdefault(node, LogstashStats(self._labels))
        self._stats.move_to_end(node)
        if len(self._stats) > _MOST_NODES:
            self._stats.popitem(last=False)
        return known
