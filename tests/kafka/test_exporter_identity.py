"""Other clusters and brokers at the addresses of those that are watched, and brokers that move, through proxies."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from keywatch.kafka.wire import requests
from tests.kafka import admin, raw, scene
from tests.kafka.cluster import KafkaCluster
from tests.kafka.exporter_process import ExporterProcess, Recorder, Scrape
from tests.kafka.fixtures import kafka_required
from tests.kafka.node import KafkaNode
from tests.kafka.ports import PortReservation
from tests.kafka.proxy import Proxy
from tests.kafka.test_exporter_faults import SEEN_WITHIN

pytestmark = pytest.mark.kafka

OUTSIDE = "OUTSIDE"
WATCHED_FOR = 6.0
"""Seconds for which nothing may be taken from another cluster, and nothing written there."""


@dataclass
class Bed:
    """A cluster of three whose clients come through proxies, and a stranger, whose only node has the id 1 too."""

    own: KafkaCluster
    stranger: KafkaCluster
    proxies: list[Proxy]
    ports: PortReservation

    @property
    def bootstrap(self) -> str:
        """The addresses of the proxies."""
        return ",".join(f"{proxy.host}:{proxy.port}" for proxy in self.proxies)

    def home(self) -> None:
        """Have each proxy lead to its own node again."""
        for proxy, node in zip(self.proxies, self.own.nodes, strict=True):
            proxy.lead_to(outside(node))


def outside(node: KafkaNode) -> tuple[str, int]:
    """Return where a node listens for clients."""
    host, _, port = node.address_of(OUTSIDE).rpartition(":")
    return host, int(port)


@pytest.fixture(scope="module")
def bed() -> Iterator[Bed]:
    kafka_required()
    with ExitStack() as stack:
        ports = stack.enter_context(PortReservation())
        # Topics come into being there as soon as anybody asks for them, as they do by Kafka's default.
        stranger = KafkaCluster(1, listeners=[f"{OUTSIDE}:PLAINTEXT"], extra={"auto.create.topics.enable": "true"})
        own = KafkaCluster(3, listeners=[f"{OUTSIDE}:PLAINTEXT"])
        proxies = []
        for node in own.nodes:
            proxy = stack.enter_context(Proxy("127.0.0.1", ports.take("127.0.0.1"), outside(node)))
            node.advertised[OUTSIDE] = f"127.0.0.1:{proxy.port}"
            proxies.append(proxy)
        for cluster in (own, stranger):
            stack.callback(cluster.stop)
            cluster.start()
        for cluster in (own, stranger):
            cluster.wait_ready()
        admin.create_topic(own.bootstrap, scene.EVENTS, partitions=6, replicas=3)
        admin.create_topic(stranger.bootstrap, "theirs", partitions=1, replicas=1)
        yield Bed(own, stranger, proxies, ports)


@pytest.fixture(scope="module")
def exporter(bed: Bed) -> Iterator[ExporterProcess]:
    with ExporterProcess(scene.config(bed.bootstrap)) as process:
        yield process


@pytest.fixture(autouse=True)
def _all_up(exporter: ExporterProcess) -> None:
    exporter.until(up, 120, "all up")


def up(scrape: Scrape) -> bool:
    """Return whether all is well."""
    return scrape.total("keywatch_canary_up") == 3 and scrape.total("keywatch_broker_up") == 3


def cluster_ids(scrape: Scrape) -> set[str]:
    """Return the ids of the clusters that are told."""
    return {dict(labels)["cluster_id"] for labels in scrape.all("keywatch_cluster_info")}


def down(scrape: Scrape, broker: int, reason: str) -> bool:
    """Return whether a broker is down for a reason."""
    labels = {"broker": str(broker)}
    told = scrape.value("keywatch_broker_down_reason", reason=reason, **labels) == 1
    return told and scrape.value("keywatch_broker_up", **labels) == 0


def watch(recorder: Recorder) -> None:
    """Look on for some seconds."""
    enough = time.monotonic() + WATCHED_FOR
    recorder.first(lambda s: s.at > enough, enough, 20, "it was watched")


def check_nothing_taken(bed: Bed, scrapes: list[Scrape]) -> None:
    """Check that no scrape tells anything of the stranger, and that nothing was written there."""
    for scrape in scrapes:
        assert cluster_ids(scrape) <= {bed.own.id}
        assert not scrape.all("keywatch_topic_partitions", topic="theirs")
        assert scrape.value("keywatch_brokers_expected") in (None, 3)
    theirs = raw.ask(bed.stranger.bootstrap, requests.metadata(), requests.read_metadata).topics
    assert {name for name in theirs if not name.startswith("__")} == {"theirs"}


def taken_over(bed: Bed, exporter: ExporterProcess, by: KafkaNode, reason: str) -> Recorder:
    """Kill node 2, have its address lead to another node until that was watched, and give it back."""
    node = bed.own.node(2)
    try:
        with Recorder(exporter) as recorder:
            node.kill()
            moment = time.monotonic()
            bed.proxies[1].lead_to(outside(by))
            recorder.first(lambda s: down(s, 2, reason), moment, SEEN_WITHIN, f"{reason} is seen")
            watch(recorder)
    finally:
        bed.home()
        node.start()
    return recorder


def test_another_cluster_at_a_brokers_address_is_no_broker(bed: Bed, exporter: ExporterProcess) -> None:
    recorder = taken_over(bed, exporter, bed.stranger.node(1), "other_cluster")
    ids = {"cluster_id": bed.own.id, "other_cluster_id": bed.stranger.id}
    assert recorder.scrapes[-1].value("keywatch_broker_other_cluster_info", broker="2", **ids) == 1
    check_nothing_taken(bed, recorder.scrapes)
    found = next(index for index, scrape in enumerate(recorder.scrapes) if down(scrape, 2, "other_cluster"))
    assert all(down(scrape, 2, "other_cluster") for scrape in recorder.scrapes[found:])
    assert all(scrape.value("keywatch_cluster_up") == 1 for scrape in recorder.scrapes)


def test_another_broker_at_a_brokers_address_is_not_that_broker(bed: Bed, exporter: ExporterProcess) -> None:
    recorder = taken_over(bed, exporter, bed.own.node(3), "other_broker")
    assert all(scrape.value("keywatch_broker_up", broker="3") == 1 for scrape in recorder.scrapes)


def test_a_cluster_made_anew_is_watched_only_after_a_reload_or_by_its_id(bed: Bed, exporter: ExporterProcess) -> None:
    with Recorder(exporter) as recorder:
        moment = time.monotonic()
        for proxy in bed.proxies:
            proxy.lead_to(outside(bed.stranger.node(1)))
        recorder.first(
            lambda s: s.value("keywatch_cluster_up") == 0 and len(s.all("keywatch_broker_other_cluster_info")) == 3,
            moment,
            SEEN_WITHIN,
            "the other cluster is seen",
        )
        watch(recorder)
    check_nothing_taken(bed, recorder.scrapes)
    try:
        os.kill(exporter.pid, signal.SIGHUP)
        exporter.until(lambda s: cluster_ids(s) == {bed.stranger.id}, 30, "the other cluster is watched")
    finally:
        bed.home()
        former = exporter.config
        (section,) = former["clusters"]
        # The new one goes on answering at its own address, so that only the configuration can name the other.
        exporter.configure({**former, "clusters": [{**section, "cluster_id": bed.own.id}]})
        os.kill(exporter.pid, signal.SIGHUP)
    exporter.until(lambda s: cluster_ids(s) == {bed.own.id}, 30, "the first cluster is watched again")


def test_brokers_that_come_back_elsewhere_are_found_through_the_bootstrap(bed: Bed) -> None:
    """The last test: it leaves the cluster at other addresses."""
    first = bed.own.node(1)
    with ExitStack() as stack:
        gate = stack.enter_context(Proxy("127.0.0.1", bed.ports.take("127.0.0.1"), outside(first)))
        exporter = stack.enter_context(ExporterProcess(scene.config(f"127.0.0.1:{gate.port}")))
        exporter.until(up, 120, "all up")
        for node in bed.own.nodes:
            node.kill()
        exporter.until(lambda s: s.value("keywatch_cluster_up") == 0, 30, "all down")
        for proxy in bed.proxies:
            proxy.refuse()
        for node in bed.own.nodes:
            moved = stack.enter_context(Proxy("127.0.0.1", bed.ports.take("127.0.0.1"), outside(node)))
            node.advertised[OUTSIDE] = f"127.0.0.1:{moved.port}"
            node.spawn()
        with Recorder(exporter) as recorder:
            for node in bed.own.nodes:
                node.wait_port()
            moment = time.monotonic()
            recorder.first(
                lambda s: s.value("keywatch_cluster_up") == 1 and s.total("keywatch_broker_up") == 3,
                moment,
                SEEN_WITHIN,
                "up again at the new addresses",
            )
        told = recorder.scrapes[-1].all("keywatch_broker_info")
        assert len(told) == len(recorder.scrapes[-1].all("keywatch_broker_up")) == 3
