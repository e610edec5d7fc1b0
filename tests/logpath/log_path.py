"""The path of logs on real servers: Kafka, the stand-in for Logstash, OpenSearch, and keywatch that watches."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from keywatch.cli.command import main
from tests.elastic.distribution import OPENSEARCH
from tests.elastic.fixtures import required as elastic_required
from tests.elastic.server import ElasticProcess
from tests.kafka import admin
from tests.kafka.cluster import KafkaCluster
from tests.kafka.event_source import Sent, scriptonbasestar
from tests.kafka.exporter_process import ExporterProcess, Scrape
from tests.kafka.fixtures import kafka_required
from tests.kafka.ports import PortReservation
from tests.logpath.carrier import Carrier
from tests.logpath.interface import Interface
from tests.logstash import ours
from tests.logstash.ruby import Ruby
from tests.logstash.ruby import required as ruby_required

USER, ADMIN = "keycloak.events", "keycloak.admin.events"
CONSUME, INDEX = "keywatch_log_consume_lag_records", "keywatch_log_index_lag_records"
WRITTEN, SEARCHABLE = "keywatch_log_written_records_total", "keywatch_log_searchable_records_total"
SECONDS, UNKNOWN = "keywatch_log_lag_seconds", "keywatch_log_partitions_unknown"
PARTITIONS = {USER: 3, ADMIN: 1}
LOGSTASH = "logstash-0"
_IN_FLIGHT = 20


@dataclass
class LogPath:
    """All that runs."""

    kafka: KafkaCluster
    opensearch: ElasticProcess
    ruby: Ruby
    carrier: Carrier
    interface: Interface
    exporter: ExporterProcess

    def settled(self, deadline: float = 30.0) -> Scrape:
        """Wait until all that was written can be found, and keywatch says so, by what it sees from now on."""
        self.looked(deadline)
        return self.exporter.until(self.calm, deadline, "all that was written can be found")

    def looked(self, deadline: float = 15.0) -> Scrape:
        """Wait until keywatch took a whole look at the lags, begun after this call."""
        name = "keywatch_probe_duration_seconds_count"
        before = self.exporter.scrape().total(name, probe="log_lag")
        return self.exporter.until(lambda s: s.total(name, probe="log_lag") >= before + 2, deadline, "a look")

    @staticmethod
    def calm(scrape: Scrape) -> bool:
        """Return whether every lag is known, and 0."""
        lags = [scrape.value(name, topic=topic) for name in (CONSUME, INDEX, SECONDS, UNKNOWN) for topic in PARTITIONS]
        return lags == [0.0] * len(lags)

    @staticmethod
    def nearly_calm(scrape: Scrape) -> bool:
        """Return whether every lag is known and no more than what comes in a second or two, while records come."""
        lags = [scrape.value(name, topic=topic) for name in (CONSUME, INDEX) for topic in PARTITIONS]
        return all(lag is not None and lag <= _IN_FLIGHT for lag in lags)

    def stored(self, dataset: str) -> int:
        """Count the documents of a dataset that can be found, without keywatch."""
        status, found = self.opensearch.ask("GET", f"logs-{dataset}-default/_count?ignore_unavailable=true")
        assert status == 200, found
        return int(found["count"])


def required() -> None:
    """Skip the test, with the reason, where the path cannot run."""
    kafka_required()
    elastic_required(OPENSEARCH)
    ruby_required()


@contextmanager
def log_path(**logs: Any) -> Iterator[LogPath]:
    """Start all of it; `logs` goes over the section `logs` of keywatch's configuration."""
    with ExitStack() as stack:
        kafka = KafkaCluster(1)
        stack.callback(kafka.stop)
        opensearch = ElasticProcess(OPENSEARCH)
        stack.callback(opensearch.close)
        with ThreadPoolExecutor(1) as beside:
            started = beside.submit(opensearch.start)
            kafka.start()
            kafka.wait_ready()
            started.result()
        ruby = Ruby()
        stack.callback(ruby.close)
        for topic, partitions in PARTITIONS.items():
            admin.create_topic(kafka.bootstrap, topic, partitions=partitions)
        assert main(["logs", "bootstrap", "--url", opensearch.url, "--without-lifecycle"]) == 0
        carrier = stack.enter_context(Carrier(kafka.bootstrap, f"127.0.0.1:{opensearch.port}", ruby))
        ports = stack.enter_context(PortReservation())
        interface = stack.enter_context(Interface(carrier, ports.take("127.0.0.1")))
        exporter = ExporterProcess(_config(kafka, opensearch, carrier, interface, logs))
        yield LogPath(kafka, opensearch, ruby, carrier, interface, stack.enter_context(exporter))


def recorded() -> list[Sent]:
    """Give events that a real Keycloak wrote, of users and of admins."""
    into = {USER: "user-events", ADMIN: "admin-events"}
    return [Sent(topic, one["text"].encode()) for topic, name in into.items() for one in ours.samples(name)]


def logins(first: int, count: int) -> list[Sent]:
    """Make logins that happen now, numbered from `first`."""
    return [scriptonbasestar(number, topic=USER) for number in range(first, first + count)]


def _config(
    kafka: KafkaCluster, opensearch: ElasticProcess, carrier: Carrier, interface: Interface, logs: dict[str, Any]
) -> dict[str, Any]:
    topics = {"user-events": USER, "admin-events": ADMIN}
    section = {
        "logstash": [{"name": LOGSTASH, "url": interface.url, "period": 0.5, "timeout": 2}],
        "elasticsearch": {"url": opensearch.url, "period": 2},
        "lag": [{"group": group, "topics": [topics[id_]]} for id_, group in carrier.groups.items()],
        "lag_period": 0.5,
        **logs,
    }
    cluster = {"name": "kafka", "bootstrap": kafka.bootstrap.split(","), "canary": {"enabled": False}, "logs": section}
    return {"clusters": [cluster]}
