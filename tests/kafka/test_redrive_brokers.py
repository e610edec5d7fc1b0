"""Dead letters come back exactly once while brokers are killed and frozen under the command."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kafka import redriving
from tests.kafka.cluster import KafkaCluster
from tests.kafka.fixtures import kafka_required
from tests.kafka.node import KafkaNode
from tests.kafka.redriving import Redriver
from tests.kafka.waiting import wait_until

pytestmark = pytest.mark.kafka

LETTERS = 6_000
DOWN_SECONDS = 4.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[KafkaCluster]:
    kafka_required()
    with KafkaCluster(3) as made:
        yield made


def _kill(cluster: KafkaCluster, node: KafkaNode) -> None:
    node.kill()
    time.sleep(DOWN_SECONDS)
    node.start()
    cluster.wait_ready()


def _freeze(cluster: KafkaCluster, node: KafkaNode) -> None:
    node.freeze()
    time.sleep(DOWN_SECONDS)
    node.thaw()
    cluster.wait_ready()


@pytest.mark.parametrize("fault", [_kill, _freeze])
def test_no_broker_that_dies_loses_or_doubles_a_letter(
    cluster: KafkaCluster, tmp_path: Path, fault: Callable[[KafkaCluster, KafkaNode], None]
) -> None:
    name = fault.__name__.strip("_")
    redriving.fill_topic(cluster.bootstrap, f"{name}-dlq", f"{name}-to", LETTERS, replicas=3)
    redriver = Redriver(cluster.bootstrap, tmp_path)
    replay = ("replay", "--topic", f"{name}-dlq", "--yes", "--batch", "50", "--rate", "400")
    process = redriver.start(*replay)
    wait_until(lambda: redriving.committed(cluster.bootstrap, f"{name}-to"), 90, "the first letters")
    for node in cluster.nodes:
        if process.poll() is None:
            fault(cluster, node)
    out, err = process.communicate(timeout=240)
    print(f"exit {process.returncode}: {out} {err}")
    if process.returncode != 0:  # it may give up, and goes on from there
        assert "Traceback" not in err
        redriver.run(*replay)
    assert redriving.faults(redriving.committed(cluster.bootstrap, f"{name}-to"), LETTERS) == []
