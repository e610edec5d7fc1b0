"""Clusters that lack requests, as clouds and other products do: named once, costs its own series, pages nobody."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.kafka import admin, scene
from tests.kafka.cluster import KafkaCluster
from tests.kafka.exporter_process import ExporterProcess, Scrape
from tests.kafka.fixtures import kafka_required
from tests.kafka.ports import PortReservation
from tests.kafka.striking import StrikingProxy
from tests.kafka.waiting import wait_until
from tests.prometheus import server
from tests.prometheus.server import Prometheus

pytestmark = pytest.mark.kafka

ROOT = Path(__file__).resolve().parents[2]
OUTSIDE, GROUP, CANARY = "OUTSIDE", "siem", "keywatch-canary"
WATCHED_SECONDS = 20.0
"""For how long a real Prometheus looks whether any rule begins to hold: those of pages have a `for` of less."""
# Requests by their keys (Kafka's protocol guide).
PRODUCE, FETCH, LIST_OFFSETS, METADATA, OFFSET_FETCH = 0, 1, 2, 3, 9
DESCRIBE_GROUPS, LIST_GROUPS, CREATE_TOPICS = 15, 16, 19
DESCRIBE_CONFIGS, DESCRIBE_LOG_DIRS, CREATE_PARTITIONS = 32, 35, 37
ELECT_LEADERS, LIST_REASSIGNMENTS, DESCRIBE_QUORUM, DESCRIBE_CLUSTER = 43, 46, 55, 60
SHARE = (76, 77, 90)
STRUCK = -1
CONTROL_PLANE = dict.fromkeys((ELECT_LEADERS, LIST_REASSIGNMENTS, DESCRIBE_QUORUM, DESCRIBE_CLUSTER, *SHARE), STRUCK)
POORER: dict[str, Mapping[int, int]] = {
    "no control plane": CONTROL_PLANE,
    "no control plane and no disks": CONTROL_PLANE | {DESCRIBE_LOG_DIRS: STRUCK},
    "nothing of topics' settings, and none can be made": CONTROL_PLANE
    | dict.fromkeys((DESCRIBE_LOG_DIRS, DESCRIBE_CONFIGS, CREATE_TOPICS, CREATE_PARTITIONS), STRUCK),
    "requests of Kafka 2.6": CONTROL_PLANE
    | {PRODUCE: 8, FETCH: 11, LIST_OFFSETS: 5, METADATA: 9, OFFSET_FETCH: 7, LIST_GROUPS: 4, DESCRIBE_GROUPS: 5},
    "no states of groups, as before Kafka 2.6": CONTROL_PLANE | {LIST_GROUPS: 3, DESCRIBE_GROUPS: STRUCK},
}
SAYS: dict[str, tuple[str, ...]] = {
    "quorum": ("keywatch_quorum_unknown_reason",),
    "log_dirs": ("keywatch_log_dirs_unknown_reason",),
}


@pytest.fixture(scope="module")
def proxy() -> Iterator[StrikingProxy]:
    """Give one node whose clients come through a proxy, with a topic, a group and a canary."""
    kafka_required()
    with PortReservation() as ports:
        cluster = KafkaCluster(1, listeners=[f"{OUTSIDE}:PLAINTEXT"])
        try:
            node = cluster.node(1)
            host, _, port = node.address_of(OUTSIDE).rpartition(":")
            with StrikingProxy("127.0.0.1", ports.take("127.0.0.1"), (host, int(port)), {}) as made:
                node.advertised[OUTSIDE] = f"127.0.0.1:{made.port}"
                cluster.start()
                cluster.wait_ready()
                admin.create_topic(cluster.bootstrap, scene.EVENTS, partitions=1, replicas=1)
                admin.create_topic(cluster.bootstrap, CANARY, partitions=1, replicas=1)
                admin.produce(cluster.bootstrap, scene.EVENTS, 10)
                admin.commit(cluster.bootstrap, GROUP, {(scene.EVENTS, 0): 2})
                yield made
        finally:
            cluster.stop()


def config(proxy: StrikingProxy) -> dict[str, Any]:
    only = {"watch": [GROUP], "include": [GROUP]}
    return scene.config(f"127.0.0.1:{proxy.port}", groups=only)


def rings(exporter: ExporterProcess) -> set[str]:
    """Have a real Prometheus scrape for a while with the rules that are shipped; returns what rings, or is about to."""
    target = f'static_configs: [{{targets: ["127.0.0.1:{exporter.port}"]}}]'
    text = (
        "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
        f"rule_files: ['{ROOT}/alerts/rules/*.yml']\n"
        "scrape_configs:\n"
        f"- {{job_name: keywatch-health, params: {{'collect[]': [health]}}, {target}}}\n"
        f"- {{job_name: keywatch, {target}}}\n"
    )
    with Prometheus(text) as prometheus:
        wait_until(lambda: prometheus.instant("cluster:keywatch_path:up"), 120, "it scrapes and evaluates rules")
        until, found = time.monotonic() + WATCHED_SECONDS, set[str]()
        while time.monotonic() < until:
            found |= {labels["alertname"] for labels, _ in prometheus.instant('ALERTS{severity=~"page|ticket"}')}
            time.sleep(1.0)
        assert prometheus.instant("keywatch_cluster_up"), "it goes on scraping"
        return found


def well(scrape: Scrape) -> bool:
    return (
        scrape.value("keywatch_broker_up", broker="1") == 1
        and scrape.value("keywatch_cluster_up") == 1
        and scrape.value("keywatch_cluster_supported") == 1
        and scrape.value("keywatch_canary_up", broker="1") == 1
        and scrape.value("keywatch_group_lag_records", group=GROUP, topic=scene.EVENTS) == 8
        and scrape.total("keywatch_probe_success") == len(scrape.all("keywatch_probe_success"))
    )


@pytest.mark.parametrize("poorer", POORER)
def test_what_a_cluster_lacks_is_named_once_and_costs_only_its_own_series(proxy: StrikingProxy, poorer: str) -> None:
    server.required()
    proxy.most, before = dict(POORER[poorer]), proxy.refused.total()
    proxy.refuse()
    proxy.open()
    with ExporterProcess(config(proxy)) as exporter:
        seen = exporter.until(well, 120, "everything is well")
        lacking = {probe for probe in SAYS if _lacks(seen, probe)}
        assert rings(exporter) == set()
        after = exporter.scrape()
        assert well(after)
        log = exporter.log.read_text(encoding="utf-8")
    assert lacking == {"quorum"} | ({"log_dirs"} if DESCRIBE_LOG_DIRS in POORER[poorer] else set())
    for probe in lacking:
        assert log.count(f"probe={probe}: unsupported") == 1, log
    assert log.count("unsupported") == len(lacking), log
    assert proxy.refused.total() == before, "nothing was asked that the cluster does not offer"


def _lacks(scrape: Scrape, probe: str) -> bool:
    return any(scrape.total(name, reason="unsupported") == 1 for name in SAYS[probe])
