"""A cluster with known topics, groups and lags, so that what keywatch says can be compared with the truth."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from tests.kafka import admin
from tests.kafka.cluster import KafkaCluster
from tests.kafka.exporter_process import Scrape
from tests.kafka.readiness import coordinating_partition

EVENTS, SINGLE, STRICT = "events", "single", "strict"
EVENT_PARTITIONS = 6
RECORDS, COMMITTED = 50, 20
LAG_EVENTS = EVENT_PARTITIONS * (RECORDS - COMMITTED)
LAG_SINGLE = 3 * (RECORDS - COMMITTED)
OFFSETS_PARTITIONS = 6


def build(cluster: KafkaCluster) -> list[str]:
    """Make topics (three replicas; one replica on each node; min.insync.replicas 3), records and commits.

    Returns the groups: one for every partition of `__consumer_offsets`, so that every broker coordinates some. The
    records of a partition are a minute apart, the last one written now.
    """
    bootstrap = cluster.bootstrap
    admin.create_topic(bootstrap, EVENTS, partitions=EVENT_PARTITIONS, replicas=3)
    admin.create_topic(bootstrap, SINGLE, replica_assignment=[[1], [2], [3]])
    admin.create_topic(bootstrap, STRICT, partitions=3, replicas=3, configs={"min.insync.replicas": "3"})
    now = int(time.time() * 1000)
    stamps = [now - (RECORDS - 1 - index) * 60_000 for index in range(RECORDS)]
    for partition in range(EVENT_PARTITIONS):
        admin.produce(bootstrap, EVENTS, RECORDS, partition=partition, timestamps=stamps)
    for partition in range(3):
        admin.produce(bootstrap, SINGLE, RECORDS, partition=partition, timestamps=stamps)
    groups = _covering_groups()
    offsets = {(EVENTS, partition): COMMITTED for partition in range(EVENT_PARTITIONS)}
    offsets |= {(SINGLE, partition): COMMITTED for partition in range(3)}
    for group in groups:
        admin.commit(bootstrap, group, offsets)
    return groups


def _covering_groups() -> list[str]:
    """Name a group for each partition of `__consumer_offsets`."""
    found: dict[int, str] = {}
    for number in range(1000):
        name = f"siem-{number}"
        found.setdefault(coordinating_partition(name, OFFSETS_PARTITIONS), name)
    return sorted(found.values())


def cluster() -> KafkaCluster:
    """Make three nodes that give leadership back to its first replica at once, so that every test finds it spread."""
    balance = {"leader.imbalance.check.interval.seconds": "1", "leader.imbalance.per.broker.percentage": "0"}
    return KafkaCluster(3, offsets_partitions=OFFSETS_PARTITIONS, extra=balance)


def config(*bootstraps: str, **sections: Any) -> dict[str, Any]:
    """Return an exporter's configuration for clusters `kafka`, or `kafka-1`, `kafka-2` … when there are several."""
    names = ["kafka"] if len(bootstraps) == 1 else [f"kafka-{index}" for index in range(1, len(bootstraps) + 1)]
    return {
        "clusters": [
            {"name": name, "bootstrap": bootstrap.split(","), "topics": {"watch": [EVENTS]}, **sections}
            for name, bootstrap in zip(names, bootstraps, strict=True)
        ]
    }


def spread(scrape: Scrape) -> bool:
    """Return whether every broker leads some partitions and coordinates some groups."""
    leaders = scrape.all("keywatch_partition_leader", topic=EVENTS).values()
    coordinators = {dict(labels)["coordinator"] for labels in scrape.all("keywatch_group_info")}
    return len(set(leaders)) == 3 and len(coordinators) == 3


@dataclass(frozen=True)
class Verdict:
    """Whether a scrape shows what it should; false with a list of what it does not show."""

    wrong: tuple[str, ...]

    def __bool__(self) -> bool:
        return not self.wrong


def well(scrape: Scrape, groups: list[str]) -> Verdict:
    """Return whether everything of the scene is seen and nothing is wrong."""
    totals = {
        "keywatch_broker_up": 3,
        "keywatch_cluster_up": 1,
        "keywatch_canary_up": 3,
        "keywatch_topic_partitions_offline": 0,
        "keywatch_topic_partitions_electing": 0,
        "keywatch_topic_partitions_under_replicated": 0,
        "keywatch_topic_partitions_unread": 0,
        "keywatch_group_partitions_unknown": 0,
        "keywatch_group_up": len(groups),
    }
    probes = scrape.all("keywatch_probe_success")
    wrong = [f"{name} {scrape.total(name)}" for name, value in totals.items() if scrape.total(name) != value]
    wrong += [f"{dict(labels)['probe']} fails" for labels, success in probes.items() if not success]
    if not probes:
        wrong.append("no probe is known")
    if len(scrape.all("keywatch_canary_up")) != 3:
        wrong.append("not three canaries")
    if len(scrape.all("keywatch_topic_min_insync_replicas", topic=STRICT)) != 1:
        wrong.append(f"min.insync.replicas of {STRICT} is not known")
    if not spread(scrape):
        wrong.append("leaders or coordinators are not spread")
    return Verdict(tuple(wrong))


def understated(scrape: Scrape, groups: list[str]) -> list[str]:
    """Name the sums of lag that are below the truth while nothing marks them as uncertain."""
    found = []
    for group in groups:
        for topic, truth in ((EVENTS, LAG_EVENTS), (SINGLE, LAG_SINGLE)):
            lag = scrape.value("keywatch_group_lag_records", group=group, topic=topic)
            unknown = scrape.value("keywatch_group_partitions_unknown", group=group, topic=topic)
            if lag is not None and lag < truth and not unknown:
                found.append(f"{group} on {topic}: {lag} of {truth}")
    return found
