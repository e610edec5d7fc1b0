"""Lags are the truth while records and commits go on, though only what changed is read and idle groups wait."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.bench import large_scene
from tests.kafka import scene
from tests.kafka.cluster import KafkaCluster
from tests.kafka.exporter_process import ExporterProcess, Recorder, Scrape
from tests.kafka.fixtures import kafka_required

pytestmark = pytest.mark.kafka

# Sixty groups behind thirty partitions of each of ten topics: 300 partitions. A hundred more have nothing to read, so
# that there are enough for idle ones to wait for their turn.
SIZE = large_scene.Size(topics=10, partitions=30, groups=60, commits=5)
IDLE = large_scene.Size(topics=10, partitions=30, groups=300, commits=5)


@pytest.fixture(scope="module")
def cluster() -> Iterator[KafkaCluster]:
    kafka_required()
    with KafkaCluster(3) as made:
        large_scene.build(made.bootstrap, SIZE, records=1, late=1000)
        large_scene.commit(made.bootstrap, IDLE, dict.fromkeys(range(60, 300), 1))
        yield made


def truth(ends: dict[tuple[str, int], int], commits: dict[int, int], size: large_scene.Size) -> dict[str, int]:
    """Return each group's lag."""
    lags = {}
    for index, offset in commits.items():
        group, topic, partitions = size.group(index)
        lags[group] = sum(ends[topic, partition] - offset for partition in partitions)
    return lags


def lags(scrape: Scrape) -> dict[str, float]:
    return {dict(labels)["group"]: lag for labels, lag in scrape.all("keywatch_group_lag_records").items()}


@contextmanager
def producing(bootstrap: str, ends: dict[tuple[str, int], int]) -> Iterator[None]:
    """Produce to partitions by chance, and count what was acknowledged."""
    ended = threading.Event()
    chance = random.Random(7)  # noqa: S311 - which partitions grow is no secret

    def produce() -> None:
        while not ended.wait(0.05):
            counts = {partition: chance.randint(1, 3) for partition in chance.sample(sorted(ends), 5)}
            large_scene.produce(bootstrap, counts)
            for partition, count in counts.items():
                ends[partition] += count

    thread = threading.Thread(target=produce, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(30)


def test_lags_are_true_while_production_and_commits_go_on(cluster: KafkaCluster) -> None:
    ends = {(f"topic-{topic}", index): 1 for topic in range(SIZE.topics) for index in range(SIZE.partitions)}
    commits = {index: 1 - (index % 1000 == 0) for index in range(SIZE.groups)}
    idle = dict.fromkeys(range(60, 300), 1)

    def expected() -> dict[str, int]:
        return truth(ends, commits, SIZE) | truth(ends, idle, IDLE)

    with ExporterProcess(scene.config(cluster.bootstrap, canary={"enabled": False})) as exporter:
        exporter.until(lambda s: lags(s) == expected(), 30, "the lags are true at the start")
        with Recorder(exporter, 0.2) as recorder:
            for turn in range(6):
                before = expected()
                recorder.scrapes.clear()
                with producing(cluster.bootstrap, ends):
                    # Nothing is committed meanwhile, so no lag may be below what it was before.
                    exporter.until(lambda _: len(recorder.scrapes) >= 10, 30, "there are scrapes to look at")
                for scrape in recorder.scrapes:
                    found = lags(scrape)
                    assert found.keys() == before.keys()
                    assert not [group for group, lag in found.items() if lag < before[group]]
                exporter.until(lambda s: lags(s) == expected(), 15, f"the lags are true after turn {turn}")
                behind = {index: min(ends[topic, p] for p in partitions) for index, (_, topic, partitions) in (
                    (index, SIZE.group(index)) for index in list(commits)[turn::6]
                )}  # fmt: skip
                large_scene.commit(cluster.bootstrap, SIZE, behind)
                commits |= behind
                exporter.until(lambda s: lags(s) == expected(), 15, f"the commits are seen in turn {turn}")
        seen = exporter.scrape()
        # Each group committed on some partitions of its topics only, and nothing but these is unknown.
        uncommitted = seen.total("keywatch_group_partitions_uncommitted")
        assert seen.total("keywatch_group_partitions_unknown") == uncommitted


def test_a_reset_on_an_idle_topic_is_seen_and_no_series_is_lost_meanwhile(cluster: KafkaCluster) -> None:
    with ExporterProcess(scene.config(cluster.bootstrap, canary={"enabled": False})) as exporter:
        seen = exporter.until(lambda s: len(lags(s)) == IDLE.groups, 30, "all groups are read")
        known = lags(seen)
        group, topic, partitions = IDLE.group(299)
        large_scene.commit(cluster.bootstrap, IDLE, {299: 0})
        with Recorder(exporter, 0.2) as recorder:
            exporter.until(
                lambda s: lags(s)[group] == known[group] + len(partitions), 15, f"{group} on {topic} is back"
            )
        assert all(lags(scrape).keys() == known.keys() for scrape in recorder.scrapes)
