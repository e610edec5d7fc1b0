"""More stand-ins for Logstash on the path of logs, each with a topic, groups and data streams of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from tests.kafka import admin
from tests.kafka.ports import PortReservation
from tests.logpath.carrier import Carrier
from tests.logpath.interface import Interface
from tests.logpath.log_path import USER, LogPath


@dataclass
class Stand:
    """A stand-in for Logstash and what it alone uses."""

    name: str
    topic: str
    carrier: Carrier
    interface: Interface

    @property
    def stream(self) -> str:
        """Return the data stream of its user events; the name is the namespace."""
        return f"logs-keycloak.user_event-{self.name}"

    @property
    def group(self) -> str:
        """Return the consumer group that reads its topic."""
        return self.carrier.groups["user-events"]


@contextmanager
def stands(path: LogPath, queues: dict[str, int]) -> Iterator[dict[str, Stand]]:
    """Start a stand for each name, with a queue of so many bytes, and have keywatch watch them all."""
    with ExitStack() as stack:
        ports = stack.enter_context(PortReservation())
        found = {}
        for name, size in queues.items():
            topic = f"{USER}.{name}"
            admin.create_topic(path.kafka.bootstrap, topic, partitions=1)
            variables = {
                "KAFKA_GROUP_PREFIX": name,
                "KEYCLOAK_USER_TOPICS": topic.replace(".", "[.]"),
                "KEYCLOAK_ADMIN_TOPICS": "none",
                "KEYWATCH_NAMESPACE": name,
            }
            address = f"127.0.0.1:{path.opensearch.port}"
            carrier = Carrier(path.kafka.bootstrap, address, path.ruby, queue_bytes=size, environment=variables)
            interface = Interface(carrier, ports.take("127.0.0.1"))
            found[name] = Stand(name, topic, stack.enter_context(carrier), stack.enter_context(interface))
        _watch(path, list(found.values()))
        yield found


def _watch(path: LogPath, all_of_them: list[Stand]) -> None:
    """Have keywatch watch these instead of the path's own Logstash."""
    config = path.exporter.config
    logs = config["clusters"][0]["logs"]
    logs["logstash"] = [{"name": one.name, "url": one.interface.url, "period": 2.0} for one in all_of_them]
    logs["lag"] = [{"group": one.group, "topics": [one.topic]} for one in all_of_them]
    logs["elasticsearch"]["namespace"] = "*"
    path.exporter.stop()
    path.exporter.configure(config)
    path.exporter.start()
