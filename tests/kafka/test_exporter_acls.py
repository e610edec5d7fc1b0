"""Rights on a real Kafka: the least set suffices, each one missing is named, and one taken away is seen at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from keywatch.kafka import rights as rights_of_keywatch
from tests.kafka import acls, admin, scene
from tests.kafka.acls import Right
from tests.kafka.cluster import KafkaCluster
from tests.kafka.exporter_process import ExporterProcess, Recorder, Scrape
from tests.kafka.fixtures import kafka_required

pytestmark = pytest.mark.kafka

USER, PASSWORD = "watcher", "correct-horse"
CANARY, DLQ = "keywatch-canary", "events-dlq"
DESCRIBE_TOPICS, READ_TOPICS = Right("Describe", "Topic", "*"), Right("Read", "Topic", "*")
CONFIGS, GROUPS = Right("DescribeConfigs", "Topic", "*"), Right("Describe", "Group", "*")
WRITE = Right("Write", "Topic", CANARY)
# What the guide, by the same list, tells operators to give; Read includes Describe.
LEAST = [Right(one.operation, one.kind, one.given) for one in rights_of_keywatch.LEAST]


@pytest.fixture(scope="module")
def cluster() -> Iterator[KafkaCluster]:
    kafka_required()
    with KafkaCluster(1, listeners=["OUT:SASL_PLAINTEXT"], users={USER: PASSWORD}, extra=acls.AUTHORIZER) as made:
        admin.create_topic(made.bootstrap, scene.EVENTS, partitions=2, replicas=1)
        admin.produce(made.bootstrap, scene.EVENTS, 10, timestamps=[int(time.time() * 1000) - 60_000] * 10)
        admin.commit(made.bootstrap, "siem", {(scene.EVENTS, 0): 1})
        admin.create_topic(made.bootstrap, DLQ)
        admin.produce(made.bootstrap, DLQ, 1)
        yield made


@pytest.fixture
def rights(cluster: KafkaCluster) -> Iterator[list[Right]]:
    acls.allow(cluster.bootstrap, USER, LEAST)
    admin.commit(cluster.bootstrap, "siem", {(scene.EVENTS, 0): 1})
    yield LEAST
    acls.revoke(cluster.bootstrap, USER, [*LEAST, DESCRIBE_TOPICS])


def config(cluster: KafkaCluster) -> dict[str, Any]:
    sasl = {"mechanism": "PLAIN", "username": USER, "password": PASSWORD}
    return scene.config(
        cluster.bootstrap_for("OUT"), sasl=sasl, groups={"watch": ["siem"]}, dlq=[{"name": "dead", "topics": [DLQ]}]
    )


def well(scrape: Scrape) -> bool:
    return (
        scrape.value("keywatch_cluster_up") == 1
        and scrape.value("keywatch_canary_up", broker="1") == 1
        and scrape.value("keywatch_canary_topic_kept") == 1
        and scrape.value("keywatch_group_up", group="siem") == 1
        and (scrape.value("keywatch_group_lag_seconds", group="siem") or 0) >= 60
        and scrape.total("keywatch_group_lag_seconds_estimated") == 0
        and scrape.value("keywatch_dlq_up") == 1
        and len(scrape.all("keywatch_dlq_newest_timestamp_seconds")) == 1
        and scrape.total("keywatch_topic_min_insync_replicas", topic=scene.EVENTS) == 1
        and scrape.total("keywatch_probe_success") == len(scrape.all("keywatch_probe_success")) == 11
    )


def unauthorized(scrape: Scrape) -> set[str]:
    found = scrape.all("keywatch_probe_failures_total", reason="authorization")
    return {dict(labels)["probe"] for labels, value in found.items() if value}


@pytest.mark.usefixtures("rights")
def test_the_least_rights_suffice_for_everything(cluster: KafkaCluster) -> None:
    with ExporterProcess(config(cluster)) as exporter:
        exporter.until(well, 120, "everything is well")
        assert "authorization" not in exporter.log.read_text(encoding="utf-8")


@pytest.mark.usefixtures("rights")
@pytest.mark.parametrize(
    ("given", "taken", "probe", "words"),
    [
        ([], READ_TOPICS, "topics", f"Describe on Topic:{scene.EVENTS} is missing"),
        ([], CONFIGS, "configs", "DescribeConfigs on Topic:"),
        ([DESCRIBE_TOPICS], READ_TOPICS, "groups", f"Read on Topic:{scene.EVENTS} is missing"),
        ([DESCRIBE_TOPICS], READ_TOPICS, "canary", f"Read on Topic:{CANARY} is missing"),
        ([DESCRIBE_TOPICS], READ_TOPICS, "dlq", f"Read on Topic:{DLQ} is missing"),
        ([], READ_TOPICS, "dlq", f"Describe on Topic:{DLQ} is missing"),
        ([], GROUPS, "groups", "Describe on Group:siem is missing"),
        ([], WRITE, "canary", f"Write on Topic:{CANARY} is missing"),
    ],
    ids=[
        "Describe",
        "DescribeConfigs",
        "Read",
        "Read of the canary",
        "Read of the DLQ",
        "Describe of the DLQ",
        "Describe of groups",
        "Write",
    ],
)
def test_a_right_that_is_missing_is_named_by_the_probe_that_needs_it(
    cluster: KafkaCluster, given: list[Right], taken: Right, probe: str, words: str
) -> None:
    with ExporterProcess(config(cluster)) as exporter:
        exporter.until(well, 120, "everything is well")
        with Recorder(exporter) as recorder:
            revoked = time.monotonic()
            if given:
                acls.allow(cluster.bootstrap, USER, given)
            acls.revoke(cluster.bootstrap, USER, [taken])
            # Commits elsewhere than before, so that a record has to be read again.
            admin.commit(cluster.bootstrap, "siem", {(scene.EVENTS, 0): 3})
            admin.produce(cluster.bootstrap, DLQ, 1)
            recorder.first(lambda s: probe in unauthorized(s), revoked, 25, "the missing right is seen")
            exporter.until(lambda _: words in exporter.log.read_text(encoding="utf-8"), 5, words)
        assert exporter.scrape().value("keywatch_broker_up", broker="1") == 1


@pytest.mark.usefixtures("rights")
@pytest.mark.parametrize(("right", "probe"), [(READ_TOPICS, "topics"), (GROUPS, "groups")], ids=str)
def test_a_right_taken_away_is_seen_within_five_seconds_and_nothing_vanishes(
    cluster: KafkaCluster, right: Right, probe: str
) -> None:
    with ExporterProcess(config(cluster)) as exporter:
        before = exporter.until(well, 120, "everything is well")
        with Recorder(exporter) as recorder:
            revoked = time.monotonic()
            acls.revoke(cluster.bootstrap, USER, [right])
            recorder.first(
                lambda s: s.value("keywatch_probe_success", probe=probe) == 0 and probe in unauthorized(s),
                revoked,
                5,
                "it is seen",
            )
            exporter.until(lambda s: s.at > revoked + 7, 15, "a while has passed")
        lag = before.value("keywatch_group_lag_records", group="siem")
        for seen in recorder.scrapes:
            # The watched topic is there: nobody may call it missing. A sum that misses a part says so.
            assert seen.value("keywatch_topic_exists", topic=scene.EVENTS) != 0
            unknown = seen.value("keywatch_group_partitions_unknown", group="siem")
            assert unknown or seen.value("keywatch_group_lag_records", group="siem") == lag


@pytest.mark.usefixtures("rights")
def test_a_right_given_back_ends_it_also_for_topics_that_nobody_writes_to(cluster: KafkaCluster) -> None:
    settings = config(cluster)
    settings["clusters"][0]["events"] = [{"listener": "snuk87", "topics": {"user": [scene.EVENTS], "admin": [DLQ]}}]
    with ExporterProcess(settings) as exporter:
        exporter.until(lambda s: s.value("keywatch_events_up") == 1, 120, "the events are read")
        # Without it the topics would vanish from metadata, which is another way to be refused.
        acls.allow(cluster.bootstrap, USER, [DESCRIBE_TOPICS])
        acls.revoke(cluster.bootstrap, USER, [READ_TOPICS])
        words = f"Read on Topic:{DLQ} is missing"
        exporter.until(lambda _: words in exporter.log.read_text(encoding="utf-8"), 15, "reading is refused")
        acls.allow(cluster.bootstrap, USER, [READ_TOPICS])
        exporter.until(lambda s: s.value("keywatch_events_up") == 1, 15, "the events are read again")
