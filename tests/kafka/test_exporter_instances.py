"""Several instances watch one cluster: they agree, do not disturb each other, and none takes another for a user."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial

import pytest

from tests.kafka import admin, scene
from tests.kafka.cluster import KafkaCluster
from tests.kafka.exporter_process import ExporterProcess, Recorder, Scrape, unexplained_failures
from tests.kafka.fixtures import kafka_required
from tests.kafka.waiting import wait_until

pytestmark = pytest.mark.kafka

SEEN_WITHIN = 15.0
GROUPS = ("siem", "fraud", "audit")
FAULTS = (
    "keywatch_canary_records_lost_total",
    "keywatch_canary_records_duplicated_total",
    "keywatch_canary_records_reordered_total",
)
FAILURES = ("keywatch_canary_failures_total", "keywatch_probe_failures_total", "keywatch_broker_failures_total")
# What must be the same whoever tells it.
AGREED = (
    "keywatch_broker_up",
    "keywatch_brokers_expected",
    "keywatch_topic_partitions",
    "keywatch_topic_partitions_offline",
    "keywatch_partition_end_offset",
    "keywatch_partition_leader",
    "keywatch_group_up",
    "keywatch_group_state",
    "keywatch_group_lag_records",
    "keywatch_group_partition_committed_offset",
)


@pytest.fixture(scope="module")
def cluster() -> Iterator[KafkaCluster]:
    kafka_required()
    with KafkaCluster(3) as made:
        admin.create_topic(made.bootstrap, scene.EVENTS, partitions=6, replicas=3)
        produce(made, 10)
        for index, group in enumerate(GROUPS):
            admin.commit(made.bootstrap, group, {(scene.EVENTS, partition): 3 * index for partition in range(6)})
        yield made


def produce(cluster: KafkaCluster, count: int) -> None:
    for partition in range(6):
        admin.produce(cluster.bootstrap, scene.EVENTS, count, partition=partition)


def well(scrape: Scrape) -> bool:
    return (
        scrape.total("keywatch_broker_up") == scrape.total("keywatch_canary_up") == 3
        and scrape.total("keywatch_group_up") == len(GROUPS)
        and scrape.total("keywatch_group_lag_seconds_estimated") == 0
        and scrape.total("keywatch_probe_success") == len(scrape.all("keywatch_probe_success")) == 10
    )


def names(scrape: Scrape, label: str) -> set[str]:
    """Return the values of a label in all series."""
    return {value for series in scrape.series.values() for labels in series for name, value in labels if name == label}


def siem_is(lag: int, scrape: Scrape) -> bool:
    return scrape.value("keywatch_group_lag_records", group="siem", topic=scene.EVENTS) == lag


def agree(one: Scrape, other: Scrape) -> bool:
    ages = [scrape.all("keywatch_group_lag_seconds") for scrape in (one, other)]
    same_age = ages[0].keys() == ages[1].keys() and all(abs(ages[0][key] - ages[1][key]) < 3 for key in ages[0])
    return same_age and all(one.all(name) == other.all(name) for name in AGREED)


@pytest.fixture
def both(cluster: KafkaCluster, request: pytest.FixtureRequest) -> Iterator[tuple[ExporterProcess, ExporterProcess]]:
    """Return two instances that were started at once, with the canary topics that the test names."""
    topics: tuple[str, str] = getattr(request, "param", ("keywatch-canary", "keywatch-canary"))
    with ExitStack() as stack:
        made = [ExporterProcess(scene.config(cluster.bootstrap, canary={"topic": topic})) for topic in topics]
        with ThreadPoolExecutor() as pool:  # at once, so that both find that there is no canary topic yet
            for started in [pool.submit(stack.enter_context, one) for one in made]:
                started.result()
        for one in made:
            one.until(well, 120, "all is well")
        yield made[0], made[1]


def test_two_instances_agree_and_one_is_undisturbed_when_the_other_is_killed_and_comes_back(
    cluster: KafkaCluster, both: tuple[ExporterProcess, ExporterProcess]
) -> None:
    one, other = both
    with Recorder(one, 0.2) as by_one, Recorder(other, 0.2) as by_other:
        for count in (15, 20):
            produce(cluster, 5)
            one.until(partial(siem_is, 6 * count), SEEN_WITHIN, "what was produced is seen")
            wait_until(lambda: agree(one.scrape(), other.scrape()), SEEN_WITHIN, "both agree")
        one.stop(signal.SIGKILL)
        killed = len(by_other.scrapes)
        received = other.scrape().total("keywatch_canary_records_received_total")
        other.until(
            lambda s: s.total("keywatch_canary_records_received_total") >= received + 12, SEEN_WITHIN, "it goes on"
        )
        one.start()
        one.until(well, 120, "the other one is back")
        wait_until(lambda: agree(one.scrape(), other.scrape()), SEEN_WITHIN, "both agree again")
    scrapes = [*by_one.scrapes, *by_other.scrapes]
    for scrape in scrapes:
        assert all(scrape.total(name) == 0 for name in FAULTS)
        assert names(scrape, "group") <= {*GROUPS}
        assert names(scrape, "topic") <= {scene.EVENTS, "__consumer_offsets"}
    assert not by_other.errors
    undisturbed = by_other.scrapes[killed:]
    assert len(undisturbed) > 10
    for scrape in undisturbed:
        assert scrape.value("keywatch_brokers") == 3
        assert scrape.total("keywatch_canary_up") == scrape.total("keywatch_broker_up") == 3
    first, last = by_other.scrapes[0], by_other.scrapes[-1]
    assert not unexplained_failures(first, last, FAILURES, by_other.held_up_since(first.at))


@pytest.mark.parametrize("both", [("keywatch-canary-blue", "keywatch-canary-green")], indirect=True)
def test_canary_topics_of_other_names_that_begin_alike_are_no_users_topics_either(
    both: tuple[ExporterProcess, ExporterProcess],
) -> None:
    for one in both:
        seen = one.until(well, SEEN_WITHIN, "all is well")
        assert names(seen, "topic") <= {scene.EVENTS, "__consumer_offsets"}
    assert agree(*(one.scrape() for one in both))


def test_a_canary_topic_that_was_deleted_is_made_anew_and_no_record_is_called_lost(
    cluster: KafkaCluster, both: tuple[ExporterProcess, ExporterProcess]
) -> None:
    for one in both:
        one.until(lambda s: s.total("keywatch_canary_records_received_total") > 15, SEEN_WITHIN, "there are records")
    before = [one.scrape().total("keywatch_canary_records_received_total") for one in both]
    admin.delete_topic(cluster.bootstrap, "keywatch-canary")
    for one, received in zip(both, before, strict=True):
        seen = one.until(partial(crosses_again, received + 12), 30, "records cross again")
        assert {name: seen.total(name) for name in FAULTS} == dict.fromkeys(FAULTS, 0)


def crosses_again(received: float, scrape: Scrape) -> bool:
    up = scrape.total("keywatch_canary_up") == 3
    return up and scrape.total("keywatch_canary_records_received_total") > received
