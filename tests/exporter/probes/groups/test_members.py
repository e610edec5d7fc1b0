"""The lag of a group by its members: of groups that matter first, as many as are wanted, the same ones each time."""

from __future__ import annotations

from collections.abc import Mapping

from keywatch.engine.series import MetricSeries
from keywatch.engine.slices import at_once
from keywatch.kafka.consumer_group import ConsumerGroup
from keywatch.kafka.wire.members import Owner, Reading
from keywatch.kafka.wire.requests import TopicPartition
from keywatch.metrics import members as cat
from keywatch.metrics.metric import Metric
from keywatch.probes.groups.lag import PartitionLag
from keywatch.probes.groups.members import MemberLags
from keywatch.probes.groups.series import GroupSeries

LAGS = {0: 7, 1: 5, 2: 0, 3: None}


def group(name: str, **members: tuple[int, ...]) -> GroupSeries:
    """Make a group whose members, named by client, have these partitions of t."""
    owners = tuple(
        Owner(client, "10.0.0.1", frozenset(TopicPartition("t", index) for index in indexes))
        for client, indexes in sorted(members.items())
    )
    made = GroupSeries(
        "kafka", ConsumerGroup(name, reading=Reading(frozenset(), frozenset(), owners)), None, detail=False
    )
    lags = [
        PartitionLag(TopicPartition("t", index), 1, records, None, verified=True, estimated=False)
        for index, records in LAGS.items()
    ]
    made.record(lags, 1000.0)
    return made


def told(series: list[MetricSeries], metric: Metric) -> Mapping[tuple[str, ...], float]:
    return {sample.labels[1:3]: sample.value for one in series if one.metric is metric for sample in one.samples()}


def test_each_member_is_told_with_the_lag_of_its_partitions() -> None:
    lags = MemberLags("kafka", 10)
    found = at_once(lags.tell([group("g", a=(0, 1), b=(2, 3), c=())], lambda _: 0))
    assert told(found, cat.GROUP_MEMBER_LAG_RECORDS) == {("g", "a"): 12, ("g", "b"): 0, ("g", "c"): 0}
    assert told(found, cat.GROUP_MEMBER_PARTITIONS) == {("g", "a"): 2, ("g", "b"): 2, ("g", "c"): 0}
    assert lags.left_out == 0


def test_without_members_wanted_nothing_is_told() -> None:
    lags = MemberLags("kafka", 0)
    assert at_once(lags.tell([group("g", a=(0,))], lambda _: 0)) == []
    assert lags.left_out == 0


def test_of_more_members_those_of_groups_that_matter_are_told_and_the_rest_is_counted() -> None:
    lags = MemberLags("kafka", 3)
    groups = [group("m", a=(0,), b=(1,)), group("z", a=(0,), b=(1,)), group("n", a=(2,))]
    found = at_once(lags.tell(groups, lambda name: 0 if name == "z" else 1))
    assert list(told(found, cat.GROUP_MEMBER_PARTITIONS)) == [("z", "a"), ("z", "b"), ("m", "a")]
    assert lags.left_out == 2


def test_what_did_not_change_is_not_made_anew() -> None:
    lags = MemberLags("kafka", 10)
    groups = [group("g", a=(0,), b=(1,))]
    before, after = (at_once(lags.tell(groups, lambda _: 0)) for _ in range(2))
    assert [a is b for a, b in zip(before, after, strict=True)] == [True, True]
    groups[0].group.reading = None
    assert at_once(lags.tell(groups, lambda _: 0)) == []
