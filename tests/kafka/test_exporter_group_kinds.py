"""Share groups and streams groups have a state, and the lag that can be read of them; what cannot is left out."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tests.kafka import admin, scene
from tests.kafka.cluster import KafkaCluster
from tests.kafka.exporter_process import ExporterProcess, Scrape
from tests.kafka.fixtures import kafka_required
from tests.kafka.group_members import JOIN, LEAVE, share_heartbeat, share_start, streams_heartbeat
from tests.kafka.waiting import wait_until

pytestmark = pytest.mark.kafka

TOPIC, RECORDS, READ = "read-by-all", 10, 3


@pytest.fixture(scope="module")
def cluster() -> Iterator[KafkaCluster]:
    kafka_required()
    with KafkaCluster(1) as made:
        admin.create_topic(made.bootstrap, TOPIC)
        admin.produce(made.bootstrap, TOPIC, RECORDS)
        yield made


@pytest.fixture
def exporter(cluster: KafkaCluster) -> Iterator[ExporterProcess]:
    with ExporterProcess(scene.config(cluster.bootstrap, topics={"watch": []})) as made:
        yield made


def state(scrape: Scrape, group: str, name: str) -> bool:
    return scrape.value("keywatch_group_state", group=group, state=name) == 1


def lag(scrape: Scrape, group: str) -> float | None:
    return scrape.value("keywatch_group_lag_records", group=group, topic=TOPIC)


def test_a_share_group_has_a_state_members_and_the_lag_of_what_is_not_settled(
    cluster: KafkaCluster, exporter: ExporterProcess
) -> None:
    group, member = "readers-together", str(uuid.uuid4())
    beat = (cluster.bootstrap, group, TOPIC, member)
    wait_until(lambda: share_heartbeat(*beat, JOIN) == 0, 30, "the member has joined")
    seen = exporter.until(
        lambda s: state(s, group, "Stable") and s.value("keywatch_group_members", group=group) == 1,
        20,
        "the group is listed as stable, with its member",
    )
    assert len(seen.all("keywatch_group_info", group=group, protocol="share")) == 1
    assert seen.value("keywatch_group_up", group=group) == 1
    assert not seen.all("keywatch_group_lag_records", group=group), "nothing was read yet, so nothing is known"
    assert seen.value("keywatch_group_lag_known", group=group) == 0
    assert share_heartbeat(*beat, LEAVE) == 0
    wait_until(lambda: share_start(cluster.bootstrap, group, TOPIC, READ) == 0, 20, "it reads from an offset on")
    # In seconds it is known a cycle later, when the record was read.
    empty = exporter.until(
        lambda s: (
            lag(s, group) == RECORDS - READ
            and (s.value("keywatch_group_lag_seconds", group=group, topic=TOPIC) or 0) > 0
            and state(s, group, "Empty")
            and s.value("keywatch_group_members", group=group) == 0
        ),
        20,
        "its lag is known, and that it is empty",
    )
    assert empty.value("keywatch_probe_success", probe="groups") == 1
    admin.produce(cluster.bootstrap, TOPIC, 1)
    exporter.until(lambda s: lag(s, group) == RECORDS + 1 - READ, 10, "it grows with the topic")


def test_a_streams_group_has_a_state_and_the_lag_of_its_commits(
    cluster: KafkaCluster, exporter: ExporterProcess
) -> None:
    group, member = "streaming", str(uuid.uuid4())
    beat = (cluster.bootstrap, group, TOPIC, member)
    wait_until(lambda: streams_heartbeat(*beat, JOIN) == 0, 30, "the member has joined")
    seen = exporter.until(
        lambda s: s.all("keywatch_group_info", group=group, protocol="streams"), 20, "the group is listed"
    )
    assert seen.value("keywatch_group_up", group=group) == 1
    assert not seen.all("keywatch_group_members", group=group), "nothing is claimed of members that are not asked for"
    assert streams_heartbeat(*beat, LEAVE) == 0
    empty = exporter.until(lambda s: state(s, group, "Empty"), 20, "the group is empty")
    assert empty.value("keywatch_group_members", group=group) == 0
    admin.commit(cluster.bootstrap, group, {(TOPIC, 0): READ})
    known = exporter.until(lambda s: lag(s, group) is not None, 20, "its lag is known")
    assert lag(known, group) in {RECORDS - READ, RECORDS + 1 - READ}
    assert known.value("keywatch_probe_success", probe="groups") == 1
