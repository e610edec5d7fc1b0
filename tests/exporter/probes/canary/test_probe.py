"""The probe says of each broker whether a record crosses it, with the broker's own reason, on both edges."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from keywatch.demo.embedded import EmbeddedCluster
from keywatch.metrics.canary import CANARY_DOWN_REASON, CANARY_UP
from keywatch.service.config_file import from_data
from keywatch.service.watch import Watch
from tests.exporter.waiting import until

PRODUCE, NOT_ENOUGH_REPLICAS = 0, 19
_QUEUED = 6


@pytest.fixture
def cluster() -> Iterator[EmbeddedCluster]:
    with EmbeddedCluster(brokers=1) as made:
        made.create_topic("keywatch-canary", 1, 1)
        yield made


async def test_records_that_a_broker_refuses_are_told_with_its_reason_until_they_cross_again(
    cluster: EmbeddedCluster,
) -> None:
    section = {"name": "kafka", "bootstrap": [cluster.bootstrap], "groups": {"enabled": False}}
    watch = Watch(from_data({"clusters": [section]}, "test"))
    watch.start()
    try:

        def up() -> float | None:
            return watch.store.values(CANARY_UP).get(("kafka", "1"))

        def reason() -> float | None:
            return watch.store.values(CANARY_DOWN_REASON).get(("kafka", "1", "not_enough_replicas"))

        await until(lambda: up() == 1, "records cross", 30)
        assert reason() is None
        cluster.request_errors(PRODUCE, [NOT_ENOUGH_REPLICAS] * _QUEUED)
        await until(lambda: up() == 0, "records are refused", 30)
        assert reason() == 1
        (incident,) = [one for one in watch.incidents if one.metric is CANARY_UP]
        assert incident.note.startswith("records do not cross, not_enough_replicas: ")
        await until(lambda: up() == 1, "records cross again", 60)
        assert reason() == 0
    finally:
        await watch.stop()
