"""Frames replace frames, old values go in time, counters only grow."""

from __future__ import annotations

import pytest

from keywatch.engine.distribution import Distribution
from keywatch.engine.probe import Reason, Sample
from keywatch.engine.series import SeriesSet
from keywatch.engine.store import Account, Key, Store
from keywatch.metrics import canary as sent
from keywatch.metrics import cluster as cluster_metrics
from keywatch.metrics import probe as probe_metrics
from keywatch.metrics.metric import Metric, MetricKind

KEY = Key("kafka", "topics", "")
A, B = ("kafka", "a"), ("kafka", "b")


def partitions(**counts: float) -> list[Sample]:
    return [Sample(cluster_metrics.TOPIC_PARTITIONS, ("kafka", topic), count) for topic, count in counts.items()]


def test_a_frame_replaces_a_frame_so_that_a_deleted_topics_series_vanish() -> None:
    store = Store()
    store.replace(KEY, partitions(a=3, b=6), found=1, expires=10)
    assert store.values(cluster_metrics.TOPIC_PARTITIONS) == {A: 3, B: 6}
    store.replace(KEY, partitions(b=7), found=2, expires=11)
    assert store.values(cluster_metrics.TOPIC_PARTITIONS) == {B: 7}
    store.replace(KEY, [], found=3, expires=12)
    assert store.values(cluster_metrics.TOPIC_PARTITIONS) == {}


def test_frames_of_different_probes_stand_side_by_side() -> None:
    store = Store()
    for broker in ("1", "2"):
        up = [Sample(cluster_metrics.BROKER_UP, ("kafka", broker), 1)]
        store.replace(Key("kafka", "broker", broker), up, found=1, expires=10)
    store.replace(Key("kafka", "broker", "1"), [], found=2, expires=10)
    assert store.values(cluster_metrics.BROKER_UP) == {("kafka", "2"): 1}


def test_after_a_failure_the_old_frame_is_kept_and_then_goes() -> None:
    store = Store()
    store.replace(KEY, partitions(a=3), found=1, expires=100)
    store.degrade(KEY, [], found=2, expires=10)
    store.degrade(KEY, [], found=3, expires=20)  # a later failure does not prolong it
    store.expire(10)
    assert store.values(cluster_metrics.TOPIC_PARTITIONS) == {A: 3}
    store.expire(10.1)
    assert store.values(cluster_metrics.TOPIC_PARTITIONS) == {}


def test_a_failure_never_prolongs_what_was_to_go_sooner() -> None:
    store = Store()
    store.replace(KEY, partitions(a=3), found=1, expires=5)
    store.degrade(KEY, [], found=2, expires=10)
    store.expire(6)
    assert store.values(cluster_metrics.TOPIC_PARTITIONS) == {}


def test_what_a_failed_run_tells_is_taken_and_the_rest_still_goes_in_its_time() -> None:
    store = Store()
    up = Sample(cluster_metrics.TOPIC_UP, A, 1)
    store.replace(KEY, [*partitions(a=3), up], found=1, expires=100)
    for second in range(2, 30):  # it fails on and on, and each time tells that the topic is down
        store.degrade(KEY, [up._replace(value=0)], found=second, expires=second + 8)
        store.expire(second)
        assert store.values(cluster_metrics.TOPIC_UP) == {A: 0}
        assert store.values(cluster_metrics.TOPIC_PARTITIONS) == ({A: 3} if second <= 10 else {})


def test_a_failure_before_the_first_frame_tells_what_it_knows() -> None:
    store = Store()
    store.degrade(KEY, [Sample(cluster_metrics.TOPIC_UP, A, 0)], found=1, expires=10)
    assert store.values(cluster_metrics.TOPIC_UP) == {A: 0}


def test_counters_and_histograms_accumulate_over_frames_and_failures() -> None:
    store = Store()
    failure = Sample(cluster_metrics.BROKER_FAILURES_TOTAL, ("kafka", "1", Reason.REFUSED), 2)
    trip = Sample(sent.CANARY_ROUND_TRIP_SECONDS, ("kafka", "1"), 0.005)
    store.replace(KEY, [failure, trip], found=1, expires=10)
    store.replace(KEY, [failure], found=2, expires=10)
    store.degrade(KEY, [failure, trip], found=3, expires=10)
    store.accumulate([failure, trip, Sample(cluster_metrics.TOPIC_UP, A, 1)])
    store.expire(100)
    assert store.values(cluster_metrics.BROKER_FAILURES_TOTAL) == {failure.labels: 8}
    assert store.histograms[sent.CANARY_ROUND_TRIP_SECONDS][trip.labels].cumulative()[-1] == 3
    assert store.values(cluster_metrics.TOPIC_UP) == {}  # a gauge belongs to a frame


@pytest.mark.parametrize(
    ("value", "counts"),
    [(0.0, [1, 1, 1]), (1.0, [1, 1, 1]), (1.1, [0, 1, 1]), (2.0, [0, 1, 1]), (2.1, [0, 0, 1])],
)
def test_an_observation_counts_in_every_bucket_that_it_does_not_exceed(value: float, counts: list[int]) -> None:
    metric = Metric("keywatch_x_seconds", MetricKind.HISTOGRAM, "X.", buckets=(1, 2))
    distribution = Distribution([0] * 3)
    distribution.observe(metric, value)
    assert distribution.cumulative() == counts
    assert distribution.total == value


def test_runs_are_accounted_with_the_reasons_of_failures() -> None:
    store = Store()
    store.account(KEY, Account(True, 1, 1), 0.1, None)
    failures = store.values(probe_metrics.PROBE_FAILURES_TOTAL)
    assert failures == {("kafka", "topics", Reason.INTERNAL): 0, ("kafka", "topics", Reason.STUCK): 0}
    store.account(KEY, Account(False, 2, 1), 0.1, Reason.DNS)
    store.account(KEY, Account(False, 3, 1), 0.1, Reason.DNS)
    assert store.values(probe_metrics.PROBE_FAILURES_TOTAL)[("kafka", "topics", Reason.DNS)] == 2
    assert dict(store.accounts()) == {KEY: Account(False, 3, 1)}


def test_a_dropped_probe_takes_its_frame_its_account_and_its_targets_counters_along() -> None:
    store = Store()
    for broker in ("1", "2"):
        key = Key("kafka", "broker", broker)
        labels = ("kafka", broker)
        samples = [
            Sample(cluster_metrics.BROKER_UP, labels, 1),
            Sample(cluster_metrics.BROKER_FAILURES_TOTAL, (*labels, Reason.DNS), 1),
        ]
        store.replace(key, [*samples, Sample(sent.CANARY_RECORDS_SENT_TOTAL, labels, 1)], found=1, expires=10)
        store.account(key, Account(True, 1, 1), 0.1, None)
    store.drop(Key("kafka", "broker", "1"))
    assert store.values(cluster_metrics.BROKER_UP) == {("kafka", "2"): 1}
    assert store.values(cluster_metrics.BROKER_FAILURES_TOTAL) == {("kafka", "2", Reason.DNS): 1}
    assert len(store.values(sent.CANARY_RECORDS_SENT_TOTAL)) == 2  # another probe's
    assert [key.target for key, _ in store.accounts()] == ["2"]
    store.drop(Key("kafka", "broker", "never there"))


def test_many_observations_are_added_to_a_histogram_at_once() -> None:
    store, metric, labels = Store(), sent.CANARY_ROUND_TRIP_SECONDS, ("c", "1")
    for _ in range(2):
        many = Distribution.of(metric)
        many.observe(metric, 0.5)
        one = Sample(metric, labels, 1000.0)
        store.accumulate(SeriesSet([], [one], [(metric, labels, many)]))
    (found,) = store.histograms[metric].values()
    assert (found.total, sum(found.counts), found.counts[-1]) == (2001.0, 4, 2)
