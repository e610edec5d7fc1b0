"""Imports go downward only, each folder keeps to what it is for, and nothing goes round in a circle."""

from __future__ import annotations

import inspect
from importlib import import_module

import pytest

from tests.exporter.layers import ALLOWED, circle, modules, violations

SOURCES = modules()


@pytest.mark.parametrize("module", SOURCES)
def test_a_module_imports_only_what_its_folder_may(module: str) -> None:
    assert violations(module, SOURCES[module]) == []


def test_nothing_goes_round_in_a_circle() -> None:
    assert circle(SOURCES) == []


def test_every_folder_of_the_rules_exists() -> None:
    assert {place for place in ALLOWED if not any(f"{module}.".startswith(f"{place}.") for module in SOURCES)} == set()


def test_no_module_stands_in_the_hall() -> None:
    top = {
        module
        for module in SOURCES
        if not any(other.startswith(f"{module}.") for other in SOURCES) and "." not in module
    }
    assert top == {"__main__", "patterns", "names", "bounds", "surfaces"}


PLANTED = [
    ("metrics.groups", "from keywatch.engine.probe import Reason", "nothing of ours"),
    ("metrics.groups", "import pydantic", "the standard library only"),
    ("patterns", "from keywatch.metrics import catalogue", "patterns may import names"),
    ("names", "from keywatch.metrics import catalogue", "nothing of ours"),
    ("bounds", "import pydantic", "the standard library only"),
    ("assets.export", "from keywatch.cli.out import say", "nothing of ours"),
    ("assets.export", "import pydantic", "the standard library only"),
    ("surfaces", "from keywatch.engine.probe import Sample", "nothing of ours"),
    ("kafka.peers", "loop.create_task(x)", "engine.supervised"),
    ("web.pages", "asyncio.to_thread(x)", "that is for demo"),
    ("engine.runner", "from keywatch.kafka.topology import Topology", "engine may import metrics"),
    ("engine.runner", "from keywatch.net.http_peer import HttpPeer", "engine may import metrics"),
    ("engine.runner", "from keywatch.config.model import Config", "engine may import metrics"),
    ("listeners.parser", "from keywatch.config.events import Events", "listeners may import patterns"),
    ("config.model", "from keywatch.net.http_peer import HttpPeer", "config may import listeners"),
    ("config.model", "from keywatch.kafka.client import Clients", "config may import listeners"),
    ("logstash.lint", "from keywatch.elastic.lint import lint", "logstash may import config"),
    ("provider.jar_check", "from keywatch.cli.out import say", "provider may import kafka"),
    ("rules.lint", "from keywatch.engine.store import Store", "rules may import config"),
    ("net.tls", "from keywatch.kafka.connection import Connection", "net may import config"),
    ("kafka.wire.groups", "from keywatch.kafka.connection import Connection", "kafka.wire may import engine"),
    ("kafka.wire.groups", "from keywatch.kafka import topology", "kafka.wire may import engine"),
    ("kafka.groups", "from keywatch.probes.groups.lag import Partition", "kafka may import net"),
    ("elastic.server", "from keywatch.probes.logs.log_lag import LogLagProbe", "elastic may import"),
    ("probes.groups.lag", "from keywatch.probes.events.seen import EventsSeen", "probes.groups may import"),
    ("probes.events.probe", "from keywatch.probes.reconciliation.balance import Balance", "probes.events may import"),
    ("probes.cluster.topics", "from keywatch.elastic.server import ElasticServer", "probes.cluster may import"),
    ("probes.keycloak.health", "from keywatch.probes.cluster.broker import X", "probes.keycloak may import"),
    ("probes.dead_letters.topics", "from keywatch.probes.events.plan import X", "probes.dead_letters may import"),
    ("probes.reconciliation.probe", "from keywatch.probes.keycloak.health import X", "probes.reconciliation may"),
    ("probes.canary.probe", "from keywatch.config.model import Config", "probes.canary may import"),
    ("probes.logs.log_lag", "from keywatch.service.base import Base", "probes.logs may import"),
    ("service.watch", "from keywatch.web.pages import port", "service may import"),
    ("redrive.work", "from keywatch.service.base import Base", "redrive may import"),
    ("redrive.session", "Producer({})", "that is for kafka.client"),
    ("documents.reference", "from keywatch.service.watch import Watch", "documents may import"),
    ("web.pages", "from keywatch.cli.command import main", "web may import"),
    ("web.pages", "from keywatch.service.wiring import plans", "that is for service"),
    ("demo.show", "from keywatch.cli.command import main", "demo may import"),
    ("__main__", "from keywatch.service.watch import Watch", "__main__ may import cli"),
    ("probes.events.probe", "def f():\n    from keywatch.service import base", "probes.events may import"),
    ("probes", "from keywatch.engine.probe import Probe", "probes may import nothing of ours"),
    ("probes.canary.link", "client = Producer({})", "that is for kafka.client"),
    ("kafka.records.tail", "client = confluent_kafka.Consumer({})", "that is for kafka.client"),
    ("kafka.groups", "AdminClient({})", "that is for kafka.client"),
    ("probes.groups.probe", "self._store.replace(key, (), 0, 0)", "that is for engine.runner"),
    ("web.pages", "store.degrade(key, (), 0, 0)", "that is for engine.runner"),
    ("service.watch", "self.store.account(key, account, 0, None)", "that is for engine.runner"),
    ("probes.keycloak.probe", "self._store.accumulate([])", "that is for engine.runner"),
    ("kafka.connection", "isinstance(error, socket.gaierror)", "that is for net.failures"),
    ("elastic.server", "isinstance(error, ConnectionRefusedError)", "that is for net.failures"),
    ("elastic.server", "from elasticsearch import AsyncElasticsearch", "that is for elastic.elasticsearch_api"),
    ("elastic.wire", "import elastic_transport", "that is for elastic.elasticsearch_api"),
    ("probes.logs.log_canary", "from opensearchpy import OpenSearch", "that is for elastic.opensearch_api"),
    ("elastic.server", "from keywatch.elastic.opensearch_api import connected", "that is for elastic.clients"),
    ("web.tls", "raise ssl.SSLCertVerificationError", "that is for net.failures"),
    ("lag", "", "stands in no folder of the house"),
]


@pytest.mark.parametrize(("module", "planted", "says"), PLANTED)
def test_what_a_folder_may_not_is_told(module: str, planted: str, says: str) -> None:
    found = violations(module, planted)
    assert found
    assert all(says in words for words in found)


def test_every_place_has_a_planted_import() -> None:
    planted = {place for place in ALLOWED if any(f"{module}.".startswith(f"{place}.") for module, *_ in PLANTED)}
    assert set(ALLOWED) - planted == {"cli"}  # which may import everything


def test_a_circle_is_told() -> None:
    planted = {**SOURCES, "patterns": "def f():\n    from keywatch.listeners import profile"}
    assert {"patterns", "listeners.profile"} <= set(circle(planted))


def test_a_probe_is_called_by_the_last_part_of_its_path() -> None:
    called = {}
    for module in SOURCES:
        if module.startswith("probes."):
            for name, made in inspect.getmembers(import_module(f"keywatch.{module}"), inspect.isclass):
                if name.endswith("Probe") and made.__module__ == f"keywatch.{module}" and hasattr(made, "run"):
                    called[module] = str(vars(made)["name"])
    places = {module: module.removesuffix(".probe").rpartition(".")[2] for module in called}
    queues = {"probes.dead_letters.topics": "dlq", "probes.dead_letters.folder": "dlq"}
    assert called == {**places, **queues}
    assert len(called) == 19
