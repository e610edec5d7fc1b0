"""Gives tests a real Kafka cluster, or the reason why they are skipped."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.kafka.cluster import KafkaCluster
from tests.kafka.distribution import requirements_missing


def kafka_required() -> None:
    """Skip the test where real Kafka cannot run; fail it where `KEYWATCH_REQUIRE` is `all`, as in CI."""
    if reason := requirements_missing():
        if os.environ.get("KEYWATCH_REQUIRE") == "all":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)


@pytest.fixture(scope="module")
def three_nodes() -> Iterator[KafkaCluster]:
    """Give three nodes that serve, shared by the tests of a module; who breaks one repairs it."""
    kafka_required()
    with KafkaCluster() as cluster:
        yield cluster
