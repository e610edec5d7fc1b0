"""Dead-letter topics on two brokers in memory: what they hold, who leads it, who may see it, and the probe on them."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

import pytest

from keywatch.config.endpoint import Endpoint
from keywatch.engine.probe import ProbeError, Reason, Sample, Schedule
from keywatch.engine.store import Key, Store
from keywatch.kafka.connection import BrokerError
from keywatch.kafka.peers import Peers
from keywatch.kafka.topology import Topology
from keywatch.kafka.wire import requests
from keywatch.kafka.wire.codec import Reader, Writer
from keywatch.kafka.wire.request import Request
from keywatch.kafka.wire.requests import TopicPartition
from keywatch.metrics.metric import Metric
from keywatch.patterns import Patterns
from keywatch.probes.dead_letters.letter import DeadLetterReason
from keywatch.probes.dead_letters.reader import DeadLetterBatch, DeadLetterReader, Letter, Stretch
from keywatch.probes.dead_letters.topics import DlqTopicsProbe
from tests.exporter.fakes.fake_cluster import FakePeers
from tests.exporter.fakes.metadata import metadata, partition

WRITTEN = 1_700_000_000
LABELS = ("kafka", "dead")


@dataclass
class Topic:
    """A topic: its id, and the start and end offset of each partition; broker 1 leads the first, broker 2 the next."""

    number: int
    spans: list[list[int]]


@dataclass
class DlqPeers(FakePeers):
    """Brokers that hold `topics`; those `old` know no topic ids."""

    topics: dict[str, Topic] = field(default_factory=dict)
    old: bool = False
    silent: bool = False

    def _answer(self, label: str, request: Request) -> bytes:
        reader = Reader(request.body, flexible=request.flexible)
        if request.api == requests.METADATA:
            if self.old:
                raise BrokerError(Reason.UNSUPPORTED, f"broker {label} is old")
            if self.silent:
                raise BrokerError(Reason.TIMEOUT_RESPONSE, f"broker {label} did not answer")
            return self._numbers(reader)
        assert request.api == requests.LIST_OFFSETS
        return self._list_offsets(reader)

    def _numbers(self, reader: Reader) -> bytes:
        body = Writer(flexible=True).int32(0)
        body.array([1], lambda node: body.int32(node).string("k1").int32(9092).string(None).tags())
        body.string("one").int32(1)
        names = []
        for _ in range(reader.count()):
            assert reader.raw(16) == b"\0" * 16
            names.append(reader.string())
            reader.tags()

        def write(name: str) -> None:
            topic = self.topics.get(name)
            body.int16(0 if topic else 3).string(name).raw(struct.pack(">QQ", 0, topic.number if topic else 0))
            body.boolean(False)
            spans = topic.spans if topic else []
            body.array(range(len(spans)), state)
            body.int32(0).tags()

        def state(index: int) -> None:
            body.int16(0).int32(index).int32(1).int32(0)
            for _ in range(3):
                body.array([1], body.int32)
            body.tags()

        return body.array(names, write).tags().done()

    def _list_offsets(self, reader: Reader) -> bytes:
        reader.int32()
        reader.int8()
        asked = [(reader.string(), list(reader.rows(requests._ASKED, reader.count()))) for _ in range(reader.count())]
        body = Writer().int32(0)

        def write(name: str, index: int, timestamp: int) -> None:
            topic = self.topics.get(name)
            start, end = topic.spans[index] if topic and index < len(topic.spans) else (-1, -1)
            offset, written = {requests.END: (end, -1), requests.START: (start, -1)}.get(
                timestamp, (start, millis(start))
            )
            body.int32(index).int16(0 if topic else 3).int64(written).int64(offset).int32(0)

        body.array(
            asked,
            lambda item: body.string(item[0]).array(item[1], lambda row: write(item[0], row[0], row[2])),
        )
        return body.done()


def millis(offset: int) -> int:
    """Return when the record with this offset was written: one a minute."""
    return (WRITTEN + offset * 60) * 1000


@dataclass
class FakeLetters:
    """Reads what the brokers hold; `forbidden` topics may not be read, and nothing is while it is `stuck`."""

    peers: DlqPeers
    forbidden: set[str] = field(default_factory=set)
    stuck: bool = False
    closed: bool = False

    async def fetch(self, wanted: Mapping[TopicPartition, Stretch], timeout: float) -> DeadLetterBatch:
        """Read all of it."""
        assert timeout > 0
        if self.stuck:
            raise ProbeError(Reason.STUCK, "the call before has still not come back")
        batch = DeadLetterBatch(forbidden={one.topic for one in wanted} & self.forbidden)
        for one, stretch in wanted.items():
            if one.topic not in self.forbidden:
                offsets = range(stretch.start, stretch.end)
                batch.letters[one] = [Letter(o, DeadLetterReason.TIMEOUT, millis(o) / 1000) for o in offsets]
                batch.reached[one] = stretch.end
        return batch

    def close(self) -> None:
        """Note it."""
        self.closed = True


class Bed:
    """The cluster, the probe on the topics that match, and a store that holds what it told."""

    def __init__(self, *patterns: str, named: tuple[str, ...] = ()) -> None:
        self.peers = DlqPeers()
        self.topology = Topology([Endpoint("k1", 9092)])
        self.letters = FakeLetters(self.peers)
        self.now = 100.0
        self.store = Store()
        self.samples: list[Sample] = []
        self.probe = DlqTopicsProbe(
            "kafka",
            "dead",
            self.topology,
            cast("Peers", self.peers),
            cast("DeadLetterReader", self.letters),
            Schedule(0.5, 2.0),
            topics=Patterns(patterns or ("dead.*",)),
            named=named,
            clock=lambda: self.now,
        )

    def put(self, name: str, *spans: list[int], number: int = 1) -> None:
        """Make a topic."""
        self.peers.topics[name] = Topic(number, list(spans))

    def learn(self, *, without: frozenset[str] | set[str] = frozenset()) -> None:
        """Have metadata read; topics `without` right to describe are left out and called forbidden."""
        self.topology.forbid(without)
        seen = {
            name: [partition(1 + index % 2, [1 + index % 2]) for index in range(len(topic.spans))]
            for name, topic in self.peers.topics.items()
            if name not in without
        }
        self.topology.record(metadata([1, 2], seen))

    async def run(self, after: float = 0.5) -> None:
        """Run once, `after` seconds; raises `ProbeError` as the probe does, after its samples were taken."""
        self.now += after
        key = Key("kafka", "dlq", "dead")
        try:
            self.samples = list(await self.probe.run(2.0))
        except ProbeError as error:
            self.samples = list(error.samples)
            self.store.degrade(key, self.samples, 0.0, 1e9)
            raise
        self.store.replace(key, self.samples, 0.0, 1e9)

    async def fails(self, after: float = 0.5) -> ProbeError:
        """Run once and give the failure."""
        with pytest.raises(ProbeError) as failed:
            await self.run(after)
        return failed.value

    def value(self, metric: Metric, *more: str) -> float | None:
        """Return what the store says now."""
        return self.store.values(metric).get((*LABELS, *more))

    @property
    def notes(self) -> list[str]:
        """What is wrong, in words."""
        return [sample.note for sample in self.samples if sample.note]
