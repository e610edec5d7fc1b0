"""Dead letters come back exactly once on a real Kafka, whenever the command is killed: a reader counts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kafka import admin, redriving
from tests.kafka.cluster import KafkaCluster
from tests.kafka.fixtures import kafka_required
from tests.kafka.redriving import Redriver

pytestmark = pytest.mark.kafka

KILLS = 5
LETTERS = 20_000
FILES = 4_000
# A start takes one to two seconds, and all letters a few more.
MOMENTS = (1.0, 5.0)


@pytest.fixture(scope="module")
def cluster() -> Iterator[KafkaCluster]:
    kafka_required()
    with KafkaCluster(1) as made:
        yield made


def test_a_topic_comes_back_once_however_often_the_command_is_killed(cluster: KafkaCluster, tmp_path: Path) -> None:
    redriving.fill_topic(cluster.bootstrap, "siem-dlq", "events", LETTERS)
    redriver = Redriver(cluster.bootstrap, tmp_path)
    replay = ("replay", "--topic", "siem-dlq", "--batch", "100", "--yes")
    killed = [redriver.killed(after, *replay) for after in redriving.kill_moments(KILLS, *MOMENTS)]
    redriver.run(*replay)
    records = redriving.committed(cluster.bootstrap, "events")
    print(f"{sum(killed)} of {KILLS} killed at work; {len(records)} records")
    assert redriving.faults(records, LETTERS) == []
    told = [one["keywatch"]["redrive"]["replayed"] for one in redriver.audit()]
    assert sum(told) == LETTERS


def test_a_folder_comes_back_once_however_often_the_command_is_killed(cluster: KafkaCluster, tmp_path: Path) -> None:
    folder = tmp_path / "listener"
    admin.create_topic(cluster.bootstrap, "logins", partitions=3)
    redriving.fill_folder(folder, "logins", FILES)
    redriver = Redriver(cluster.bootstrap, tmp_path)
    replay = ("replay", "--folder", str(folder), "--batch", "40", "--yes")
    killed = [redriver.killed(after, *replay) for after in redriving.kill_moments(KILLS, *MOMENTS)]
    redriver.run(*replay)
    records = redriving.committed(cluster.bootstrap, "logins")
    print(f"{sum(killed)} of {KILLS} killed at work; {len(records)} records")
    assert redriving.faults(records, FILES) == []
    assert [path.name for path in folder.iterdir()] == ["replayed"]
    assert len(list((folder / "replayed").iterdir())) == FILES
    assert sum(one["keywatch"]["redrive"]["replayed"] for one in redriver.audit()) == FILES
