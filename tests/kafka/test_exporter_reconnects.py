"""A broker that refuses credentials or certificates is asked again twice a second at most by each client."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from keywatch.config.model import Cluster
from keywatch.kafka.client import Clients
from keywatch.kafka.security.identity import ClusterSecurity
from tests.kafka import admin, scene
from tests.kafka.cluster import KafkaCluster
from tests.kafka.counting import API_VERSIONS, CountingProxy
from tests.kafka.exporter_process import ExporterProcess, Scrape
from tests.kafka.fixtures import kafka_required
from tests.kafka.ports import PortReservation

pytestmark = pytest.mark.kafka

OUTSIDE = "OUTSIDE"
PASSWORD = "correct-horse"  # noqa: S105 - of a user who lives for a minute
MECHANISM = "SCRAM-SHA-256"
PER_SECOND = 2.0
WATCHED = 8.0
CONSUMERS: dict[str, Callable[[Clients], Consumer]] = {
    "bulk": Clients.bulk,
    "lookup": Clients.lookup,
    "stretch": Clients.stretch,
}


@pytest.fixture(scope="module")
def ports() -> Iterator[PortReservation]:
    with PortReservation() as made:
        yield made


@pytest.fixture(scope="module")
def cluster(ports: PortReservation) -> Iterator[tuple[KafkaCluster, CountingProxy]]:
    """Return a node whose clients log in and come through the proxy."""
    kafka_required()
    with ExitStack() as stack:
        made = KafkaCluster(1, listeners=[f"{OUTSIDE}:SASL_PLAINTEXT", "SSL"], client_auth="required")
        stack.callback(made.stop)
        proxy = stack.enter_context(proxied(made, OUTSIDE, ports))
        made.node(1).advertised[OUTSIDE] = f"127.0.0.1:{proxy.port}"
        made.start()
        made.wait_ready()
        admin.create_topic(made.bootstrap, scene.EVENTS)
        yield made, proxy


def proxied(cluster: KafkaCluster, listener: str, ports: PortReservation) -> CountingProxy:
    host, _, port = cluster.node(1).address_of(listener).rpartition(":")
    return CountingProxy("127.0.0.1", ports.take("127.0.0.1"), (host, int(port)))


def attempts(proxy: CountingProxy, since: float, *, raw: bool) -> int:
    """Count connections of keywatch's own, which ask for ApiVersions v0, or of librdkafka, which does not."""
    asked = [one for one in proxy.requests if one.api == API_VERSIONS and one.at >= since]
    return len({one.connection for one in asked if (one.version == 0) is raw})


def test_each_client_of_librdkafka_is_calm_when_its_credentials_or_its_lack_of_a_certificate_are_refused(
    cluster: tuple[KafkaCluster, CountingProxy], ports: PortReservation
) -> None:
    kafka, _ = cluster
    assert kafka.authority is not None
    identities: dict[str, dict[str, object]] = {
        OUTSIDE: {"sasl": {"mechanism": MECHANISM, "username": "nobody", "password": "wrong"}},
        "SSL": {"tls": {"ca_file": str(kafka.authority.certificate), "server_name": kafka.node(1).host}},
    }
    with ExitStack() as stack:
        proxies: dict[str, CountingProxy] = {}
        polled: list[Producer | Consumer] = []
        producers = []
        for listener, identity in identities.items():
            for name, make in CONSUMERS.items():
                proxies[f"{listener} {name}"] = proxy = stack.enter_context(proxied(kafka, listener, ports))
                consumer = make(clients(proxy, identity))
                stack.callback(consumer.close)
                consumer.assign([TopicPartition(scene.EVENTS, 0, 0)])
                polled.append(consumer)
            proxies[f"{listener} producer"] = proxy = stack.enter_context(proxied(kafka, listener, ports))
            producers.append(clients(proxy, identity).producer(2.0, lambda *_: None))
        began = time.monotonic()
        while (took := time.monotonic() - began) < WATCHED:
            for producer in producers:
                producer.produce(scene.EVENTS, b"x", partition=0)
            for one in (*producers, *polled):
                one.poll(0.02)
        rates = {name: len(proxy.opened) / took for name, proxy in proxies.items()}
    print({name: f"{rate:.1f}/s" for name, rate in rates.items()})
    assert min(rates.values()) > 0.3, "none gives up"
    assert max(rates.values()) <= PER_SECOND, rates


def clients(proxy: CountingProxy, identity: dict[str, object]) -> Clients:
    """Make clients as the exporter does."""
    section = Cluster.model_validate({"name": "kafka", "bootstrap": [f"127.0.0.1:{proxy.port}"], **identity})
    return Clients(section.bootstrap[0], {"log_level": 0}, ClusterSecurity(section))


def test_the_exporter_is_calm_when_its_credentials_are_revoked_and_there_when_they_are_good_again(
    cluster: tuple[KafkaCluster, CountingProxy],
) -> None:
    kafka, proxy = cluster
    admin.set_scram_password(kafka.bootstrap, "leaver", PASSWORD, mechanism=MECHANISM)
    sasl = {"mechanism": MECHANISM, "username": "leaver", "password": PASSWORD}
    with ExporterProcess(scene.config(f"127.0.0.1:{proxy.port}", sasl=sasl)) as exporter:
        exporter.until(crosses, 120, "records cross")
        admin.revoke_scram_password(kafka.bootstrap, "leaver", mechanism=MECHANISM)
        # Or else Kafka lets old connections live on.
        proxy.refuse()
        proxy.open()
        # By then each probe has found out for itself.
        began = exporter.until(lambda s: s.total("keywatch_broker_up") == 0, 10, "it is down").at + 1
        seen = exporter.until(lambda s: s.at > began + WATCHED, 2 * WATCHED, "it was watched")
        seconds = time.monotonic() - began
        raw, packed = attempts(proxy, began, raw=True) / seconds, attempts(proxy, began, raw=False) / seconds
        print(f"all raw probes {raw:.1f}/s, canary's two clients {packed:.1f}/s")
        assert seen.value("keywatch_broker_down_reason", reason="authentication") == 1
        # All probes of keywatch's own together are as calm as one client: who is down is asked by its own probe only.
        assert raw <= PER_SECOND + 1 / seconds
        assert packed <= 2 * PER_SECOND
        admin.set_scram_password(kafka.bootstrap, "leaver", PASSWORD, mechanism=MECHANISM)
        exporter.until(crosses, 10, "records cross again")


def crosses(scrape: Scrape) -> bool:
    return scrape.value("keywatch_broker_up", broker="1") == scrape.value("keywatch_canary_up", broker="1") == 1
