"""An unclean election is counted once for a topic that allows them, and told with words for a quarter of an hour."""

from __future__ import annotations

from keywatch.config.endpoint import Endpoint
from keywatch.engine.probe import Schedule
from keywatch.kafka.chosen_topics import ChosenTopics
from keywatch.kafka.topology import Topology
from keywatch.kafka.wire.requests import PartitionState
from keywatch.metrics import retention as cat
from keywatch.metrics.metric import Metric
from keywatch.patterns import Patterns
from keywatch.probes.cluster.topics import TopicsProbe
from keywatch.probes.cluster.unclean import UncleanSeries
from tests.exporter.fakes.metadata import metadata

TOTAL, AT = cat.TOPIC_UNCLEAN_ELECTIONS_TOTAL, cat.TOPIC_UNCLEAN_ELECTION_TIMESTAMP_SECONDS


class Bed:
    """The probe `topics` on a cluster in memory."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.topology = Topology([Endpoint("seed", 9092)])
        self.topology.elects_eligible = False
        self.lead(1)
        self.probe = TopicsProbe(
            "kafka", self.topology, Schedule(1.0, 1.0), chosen=ChosenTopics(Patterns(), (), 100, 100)
        )
        self.probe._unclean = UncleanSeries("kafka", self.topology, clock=lambda: self.now)

    def lead(self, leader: int) -> None:
        """Have a broker lead the partition of each topic, which is the only one in sync then."""
        state = PartitionState(0, leader, leader, (1, 2), (leader,))
        self.topology.record(metadata([1, 2], {"loose": [state], "strict": [state]}))

    async def tell(self, metric: Metric) -> list[tuple[str, float, str | None]]:
        """Run the probe; returns topic, value and note of each sample."""
        found = await self.probe.run(1.0)
        return [(sample.labels[1], sample.value, sample.note) for sample in found if sample.metric is metric]


async def test_it_is_counted_once_although_the_rest_is_told_again_and_again() -> None:
    bed = Bed()
    bed.topology.unclean = frozenset({"loose"})
    assert await bed.tell(TOTAL) == [("loose", 0.0, None)]
    assert await bed.tell(TOTAL) == []
    bed.lead(2)
    assert await bed.tell(TOTAL) == [("loose", 1.0, None)]
    assert [await bed.tell(TOTAL) for _ in range(3)] == [[], [], []]


async def test_it_is_told_in_words_for_a_quarter_of_an_hour_and_when_it_was_for_ever() -> None:
    bed = Bed()
    bed.topology.unclean = frozenset({"loose"})
    assert await bed.tell(AT) == []
    bed.lead(2)
    words = "partition 0 was led by broker 2, which was not in sync: records that it lacked are lost"
    assert await bed.tell(AT) == [("loose", 1000.0, words)]
    bed.now += 899
    assert await bed.tell(AT) == [("loose", 1000.0, words)]
    bed.now += 2
    assert await bed.tell(AT) == [("loose", 1000.0, None)]


async def test_who_allows_it_to_get_a_topic_back_is_told_when_the_settings_were_read() -> None:
    bed = Bed()
    await bed.tell(TOTAL)
    bed.lead(2)
    assert await bed.tell(TOTAL) == []
    bed.now += 10
    bed.topology.unclean = frozenset({"loose"})
    assert await bed.tell(TOTAL) == [("loose", 0.0, None), ("loose", 1.0, None)]


async def test_what_was_not_allowed_for_long_is_none() -> None:
    bed = Bed()
    await bed.tell(TOTAL)
    bed.lead(2)
    bed.now += 1
    await bed.tell(TOTAL)
    bed.now += 31
    await bed.tell(TOTAL)
    bed.topology.unclean = frozenset({"loose"})
    assert await bed.tell(TOTAL) == [("loose", 0.0, None)]
