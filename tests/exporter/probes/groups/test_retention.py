"""What is left of a topic's retention is told for the oldest record that a group has not read, and ages by itself."""

from __future__ import annotations

import asyncio

import pytest

from keywatch.config.endpoint import Endpoint
from keywatch.engine.probe import ProbeError, Sample, Schedule
from keywatch.kafka.consumer_group import ConsumerGroup
from keywatch.kafka.topology import Topology
from keywatch.kafka.wire.requests import TopicPartition
from keywatch.metrics import retention as cat
from keywatch.patterns import Patterns
from keywatch.probes.groups.lag import PartitionLag
from keywatch.probes.groups.retention import RetentionProbe
from keywatch.probes.groups.series import GroupSeries, Limit
from keywatch.probes.groups.unread import OldestUnread
from tests.exporter.fakes.metadata import metadata

NOW = 1_795_000_000.0
DAY = 86_400.0


def lag(topic: str, partition: int, records: int | None, seconds: float | None) -> PartitionLag:
    return PartitionLag(TopicPartition(topic, partition), 5, records, seconds, verified=True, estimated=False)


class Bed:
    """A group of two members, and topics that keep records for a week, for ten minutes, and for ever."""

    def __init__(self, least: float | None = None, members: int = 2) -> None:
        self.now = NOW
        self.topology = Topology([Endpoint("k1", 9092)])
        self.topology.record(metadata([1], {}))
        self.topology.retention = {"week": 7 * DAY, "short": 600.0}
        limit = Limit(Patterns((".*",)), None, None, least) if least is not None else None
        group = ConsumerGroup("siem")
        group.members = members
        self.group = GroupSeries("c", group, limit, detail=False)
        unread = OldestUnread()
        unread.record({"siem": self.group})
        self.topology.settings_known.set()
        self.probe = RetentionProbe("c", self.topology, unread, Schedule(5.0, 3.0), lambda: self.now)

    async def left(self, *lags: PartitionLag) -> dict[str, tuple[float, str | None]]:
        """Return topic → what is left and what is said of it, after these lags were reckoned at `NOW`."""
        if lags:
            self.group.record(lags, NOW)
        samples: list[Sample] = list(await self.probe.run(3.0))
        assert {sample.metric for sample in samples} <= {cat.GROUP_RETENTION_LEFT_SECONDS}
        assert {sample.labels[:2] for sample in samples} <= {("c", "siem")}
        return {sample.labels[2]: (sample.value, sample.note) for sample in samples}


async def test_the_worst_partition_counts_and_what_was_read_has_the_whole_time() -> None:
    found = await Bed().left(lag("week", 0, 3, DAY), lag("week", 1, 9, 2 * DAY), lag("short", 0, 0, 0.0))
    assert found == {"week": (5 * DAY, None), "short": (600.0, None)}


async def test_it_shrinks_while_the_group_stands_still_and_nobody_reckons() -> None:
    bed = Bed()
    await bed.left(lag("week", 0, 3, DAY), lag("short", 0, 0, 0.0))
    bed.now += 1000.0
    assert await bed.left() == {"week": (6 * DAY - 1000, None), "short": (600.0, None)}
    bed.now += 10 * DAY
    (left, words), _ = (await bed.left()).values()
    assert left == 0.0
    assert words is not None


async def test_topics_that_keep_records_for_ever_and_lags_without_an_age_are_left_out() -> None:
    assert await Bed().left(lag("ever", 0, 3, DAY), lag("week", 0, 3, None)) == {}


@pytest.mark.parametrize(
    ("least", "members", "age", "told"),
    [
        (3600.0, 0, 7 * DAY - 3000, True),
        (3600.0, 0, 7 * DAY - 4000, True),  # somebody wants to be called for it, and less than a day is left
        (3600.0, 0, 2 * DAY, False),
        (None, 2, 6.5 * DAY, True),
        (None, 2, 5 * DAY, False),
        (None, 0, 6.5 * DAY, False),  # nobody's group
        (30 * DAY, 0, DAY / 2, False),  # more than the topic keeps at all
    ],
)
async def test_it_is_trouble_when_little_is_left_for_a_group_that_matters(
    least: float | None, members: int, age: float, *, told: bool
) -> None:
    found = await Bed(least, members).left(lag("week", 0, 3, age))
    assert (found["week"][1] is not None) is told


async def test_half_of_a_short_retention_may_be_over() -> None:
    assert (await Bed().left(lag("short", 0, 3, 250.0)))["short"] == (350.0, None)
    left, words = (await Bed().left(lag("short", 0, 3, 480.0)))["short"]
    assert (left, words) == (120.0, "its oldest unread record may be deleted in 2 min, kept for 10 min")


async def test_while_nothing_is_known_of_the_cluster_it_says_so() -> None:
    probe = RetentionProbe("c", Topology([Endpoint("k1", 9092)]), OldestUnread(), Schedule(5.0, 3.0))
    with pytest.raises(ProbeError):
        await probe.run(0.05)


async def test_the_first_look_waits_until_groups_and_settings_were_read() -> None:
    topology, unread = Topology([Endpoint("k1", 9092)]), OldestUnread()
    topology.record(metadata([1], {}))
    group = Bed().group
    group.record([lag("week", 0, 3, DAY)], NOW)
    probe = RetentionProbe("c", topology, unread, Schedule(5.0, 3.0), lambda: NOW)
    looking = asyncio.ensure_future(probe.run(30.0))
    await asyncio.sleep(0)
    unread.record({"siem": group})
    await asyncio.sleep(0)
    assert not looking.done()
    topology.retention = {"week": 7 * DAY}
    topology.settings_known.set()
    assert [sample.value for sample in await looking] == [6 * DAY]


async def test_what_cannot_be_read_is_not_waited_for_without_end() -> None:
    topology = Topology([Endpoint("k1", 9092)])
    topology.record(metadata([1], {}))
    probe = RetentionProbe("c", topology, OldestUnread(), Schedule(5.0, 3.0))
    assert list(await probe.run(0.1)) == []
