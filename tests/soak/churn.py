"""Changes all that a day changes: groups, topics, brokers, clusters, probes, the configuration, who scrapes."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition

from keywatch.demo.embedded import EmbeddedCluster
from tests.kafka.exporter_process import ExporterProcess
from tests.kafka.waiting import wait_until

_TOPICS, _GROUPS = 8, 12
_QUICK = {"period": 0.2, "timeout": 1.0}


class Churn:
    """Two clusters: one stays, and its brokers come and go; the other is another one in every round."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)  # noqa: S311 - that the same is done again
        self._steady = EmbeddedCluster(3)
        self._steady.create_topic("keywatch-canary", 3, 3)
        self._steady.create_topic("events", 3, 3)
        self._other = self._another()
        self._round = 0
        self.changes = 0
        """How many there were."""

    def close(self) -> None:
        """End the clusters."""
        self._steady.close()
        self._other.close()

    def config(self) -> dict[str, Any]:
        """Return a configuration of this round: what is probed, and how, changes in each."""
        common = {name: dict(_QUICK) for name in ("cluster", "topics", "groups")}
        common["broker"] = {"period": 0.2, "timeout": 1.0}
        steady = {
            "name": "steady",
            "bootstrap": self._steady.bootstrap.split(","),
            "events": [{"listener": "snuk87", "topics": {"user": ["events"]}}],
            "dlq": [{"name": f"queue-{self._round % 3}", "topics": ["events"]}],
            "keycloaks": [{"name": f"node-{self._round % 4}", "url": "http://127.0.0.1:1"}],
            "canary": {"enabled": bool(self._round % 2)},
            **common,
        }
        other = {"name": f"other-{self._round}", "bootstrap": [self._other.bootstrap], **common}
        return {"clusters": [steady, other]}

    def round(self, exporter: ExporterProcess) -> None:
        """Do what an hour does."""
        self._round += 1
        acts: list[Callable[[], object]] = [
            lambda: self._restart(exporter),
            lambda: self._load(self._other),
            lambda: self._visit(exporter),
            lambda: self._misconfigure(exporter),
        ]
        self._random.shuffle(acts)
        acts.append(lambda: self._replace(exporter))
        for act in acts:
            act()
            self.changes += 1
        wait_until(lambda: exporter.get("/-/ready")[0] == 200, 60, "each probe has run")

    def _another(self) -> EmbeddedCluster:
        made = EmbeddedCluster(1)
        self._load(made)
        return made

    def _load(self, cluster: EmbeddedCluster) -> None:
        """Make topics with records and groups that committed; their names come once."""
        mark = self._random.randrange(10**9)
        producer = Producer({"bootstrap.servers": cluster.bootstrap})
        for number in range(_TOPICS):
            topic = f"topic-{mark}-{number}"
            cluster.create_topic(topic, 2, 1)
            producer.produce(topic, b"x" * 100, partition=0)
        producer.flush(10)
        for number in range(_GROUPS):
            consumer = Consumer({"bootstrap.servers": cluster.bootstrap, "group.id": f"group-{mark}-{number}"})
            place = TopicPartition(f"topic-{mark}-{number % _TOPICS}", 0, 0)
            consumer.commit(offsets=[place], asynchronous=False)
            consumer.close()

    def _restart(self, exporter: ExporterProcess) -> None:
        broker = self._random.choice(self._steady.broker_ids)
        label = str(broker)
        self._steady.stop_broker(broker)
        up = "keywatch_broker_up"
        exporter.until(lambda s: s.value(up, cluster="steady", broker=label) == 0, 30, f"broker {label} is down")
        self._steady.start_broker(broker)
        exporter.until(lambda s: s.value(up, cluster="steady", broker=label) == 1, 30, f"broker {label} is up")

    def _replace(self, exporter: ExporterProcess) -> None:
        """Have another cluster watched in place of the other one, by a reload."""
        before, self._other = self._other, self._another()
        exporter.configure(self.config())
        os.kill(exporter.pid, signal.SIGHUP)
        name = f"other-{self._round}"
        exporter.until(lambda s: s.value("keywatch_cluster_up", cluster=name) == 1, 30, f"{name} is watched")
        before.close()

    def _misconfigure(self, exporter: ExporterProcess) -> None:
        """Have a bad file read, and the good one again."""
        ok = "keywatch_config_reload_successful"
        exporter.file.write_text("clusters: [{bootstrap: [nowhere]}]\n", encoding="utf-8")
        os.kill(exporter.pid, signal.SIGHUP)
        exporter.until(lambda s: s.value(ok) == 0, 30, "the bad file is told")
        exporter.configure(self.config())
        os.kill(exporter.pid, signal.SIGHUP)
        exporter.until(lambda s: s.value(ok) == 1, 30, "the good file is in force")

    def _visit(self, exporter: ExporterProcess) -> None:
        """Ask for all pages as scrapers, people and strangers do."""
        for path in ("/metrics", "/metrics?collect[]=health", "/", "/-/config", "/-/ready", f"/{self._round}"):
            exporter.get(path, {"Accept-Encoding": "gzip"})
            exporter.get(path, {"Host": f"stranger-{self._round}.example"})
