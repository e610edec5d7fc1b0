"""Each living broker tells its log directories; what one cannot tell costs only its own series."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest

from keywatch.config.endpoint import Endpoint
from keywatch.engine.probe import ProbeError, Reason, Sample, Schedule
from keywatch.engine.slices import Pieces
from keywatch.kafka.chosen_topics import ChosenTopics
from keywatch.kafka.connection import BrokerError
from keywatch.kafka.peers import Peers
from keywatch.kafka.topology import Topology
from keywatch.kafka.wire.codec import Reader
from keywatch.kafka.wire.log_dirs import LogDirectories, LogDirectory, describe_log_dirs
from keywatch.kafka.wire.request import Request
from keywatch.metrics import log_dirs as cat
from keywatch.metrics.metric import Metric
from keywatch.patterns import Patterns
from keywatch.probes.cluster.log_dirs import LogDirsProbe
from tests.exporter.fakes.metadata import metadata, partition

STORAGE, FORBIDDEN = 56, 31
EVERY = 60.0
Answer = LogDirectories | BrokerError


def directory(path: str, free: int | None = 40, error: int = 0, **sizes: int) -> LogDirectory:
    return LogDirectory(error, path, None if free is None else 100, free, sizes)


def well(**sizes: int) -> LogDirectories:
    return LogDirectories(0, (directory("/a", **sizes),))


class Brokers:
    """Each answers with what stands in `answers`; who was asked for sizes is kept."""

    def __init__(self, **answers: Answer) -> None:
        self.answers = {label.removeprefix("b"): answer for label, answer in answers.items()}
        self.asked_for_sizes: list[str] = []

    async def highest(self, label: str, api: int, timeout: float) -> int:
        """Tell what it speaks."""
        del label, api, timeout
        return 4

    async def ask_much(
        self, label: str, request: Request, timeout: float, _: Callable[[Reader], Pieces[LogDirectories]]
    ) -> LogDirectories:
        """Answer at once."""
        assert timeout > 0
        if request == describe_log_dirs(4, sizes=True):
            self.asked_for_sizes.append(label)
        answer = self.answers[label]
        if isinstance(answer, BrokerError):
            raise answer
        return answer

    def close(self) -> None:
        """Do nothing."""


class Bed:
    """The probe before brokers that are told what to answer, with a clock that is told the time."""

    def __init__(self, sizes_every: float = EVERY, **answers: Answer) -> None:
        self.now = 0.0
        self.brokers = Brokers(**answers)
        self.topology = Topology([Endpoint("k1", 9092)])
        topics = {"events": [1, 2], "secret": [1]}
        ids = sorted(map(int, self.brokers.answers))
        self.topology.record(metadata(ids, {name: [partition(1, homes)] for name, homes in topics.items()}))
        self.probe = LogDirsProbe(
            "c",
            self.topology,
            cast("Peers", self.brokers),
            Schedule(1.0, 1.5),
            chosen=ChosenTopics(Patterns((".*",), ("secret",))),
            sizes_every=sizes_every,
            clock=lambda: self.now,
        )

    async def run(self) -> list[Sample]:
        """Run the probe once."""
        return list(await self.probe.run(30.0))


def values(samples: list[Sample], metric: Metric) -> dict[tuple[str, ...], float]:
    return {sample.labels[1:]: sample.value for sample in samples if sample.metric is metric}


async def test_directories_and_their_volumes_are_told_and_a_failed_one_is_named() -> None:
    bed = Bed(b1=well(), b2=LogDirectories(0, (directory("/a"), directory("/b", None, STORAGE))))
    found = await bed.run()
    assert values(found, cat.LOG_DIR_UP) == {("1", "/a"): 1.0, ("2", "/a"): 1.0, ("2", "/b"): 0.0}
    assert values(found, cat.LOG_DIR_FREE_BYTES) == {("1", "/a"): 40.0, ("2", "/a"): 40.0}
    assert values(found, cat.LOG_DIR_SIZE_BYTES) == {("1", "/a"): 100.0, ("2", "/a"): 100.0}
    assert [bed.topology.lacks_disk(broker) for broker in (1, 2)] == [False, True]
    bed.brokers.answers["2"] = BrokerError(Reason.TIMEOUT_RESPONSE, "no answer")
    await bed.run()
    assert bed.topology.lacks_disk(2)
    bed.brokers.answers["2"] = well()
    await bed.run()
    assert not bed.topology.lacks_disk(2)
    (noted,) = [sample for sample in found if sample.note]
    assert noted.labels == ("c", "2", "/b")
    assert noted.note == "the broker took it out of use: KAFKA_STORAGE_ERROR"


async def test_sizes_are_read_of_one_broker_a_run_and_of_chosen_topics() -> None:
    two = LogDirectories(0, (directory("/a", events=5, secret=9), directory("/b", events=7, gone=1)))
    bed = Bed(b1=two, b2=well(events=3))
    assert values(await bed.run(), cat.TOPIC_LOG_BYTES) == {("1", "events"): 12.0}
    bed.now = 1.0
    both = {("1", "events"): 12.0, ("2", "events"): 3.0}
    assert values(await bed.run(), cat.TOPIC_LOG_BYTES) == both
    bed.now = 2.0
    assert values(await bed.run(), cat.TOPIC_LOG_BYTES) == both
    assert bed.brokers.asked_for_sizes == ["1", "2"]
    bed.now = EVERY
    bed.brokers.answers["1"] = well(events=20)
    assert values(await bed.run(), cat.TOPIC_LOG_BYTES) == {("1", "events"): 20.0, ("2", "events"): 3.0}
    bed.topology.report("1", up=False)
    bed.now = 70.0
    assert values(await bed.run(), cat.TOPIC_LOG_BYTES) == {("2", "events"): 3.0}


async def test_sizes_that_are_not_wanted_are_not_asked_for() -> None:
    bed = Bed(sizes_every=0.0, b1=well(events=5))
    assert values(await bed.run(), cat.TOPIC_LOG_BYTES) == {}
    assert bed.brokers.asked_for_sizes == []


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (LogDirectories(FORBIDDEN, ()), "authorization"),
        (LogDirectories(0, ()), "authorization"),  # as brokers before Kafka 3.2 say it
        (BrokerError(Reason.UNSUPPORTED, "lacks it"), "unsupported"),
    ],
)
async def test_what_cannot_be_known_is_said_and_blames_nobody(answer: Answer, reason: str) -> None:
    bed = Bed(b1=answer, b2=well())
    found = await bed.run()
    assert values(found, cat.LOG_DIRS_UNKNOWN_REASON) == {("1", reason): 1.0}
    assert values(found, cat.LOG_DIR_UP) == {("2", "/a"): 1.0}
    assert not [sample for sample in found if sample.note]
    bed.brokers.answers["1"] = well()
    assert values(await bed.run(), cat.LOG_DIRS_UNKNOWN_REASON) == {("1", reason): 0.0}


async def test_a_broker_that_does_not_answer_costs_its_own_series_and_all_of_them_the_run() -> None:
    silent = BrokerError(Reason.TIMEOUT_RESPONSE, "no answer")
    bed = Bed(b1=silent, b2=well(events=1))
    assert values(await bed.run(), cat.LOG_DIR_UP) == {("2", "/a"): 1.0}
    bed.brokers.answers["2"] = silent
    with pytest.raises(ProbeError) as caught:
        await bed.run()
    assert caught.value.reason is Reason.TIMEOUT_RESPONSE
    bed.topology.report("1", up=False)
    bed.topology.report("2", up=False)
    with pytest.raises(ProbeError, match="no broker answers"):
        await bed.run()
