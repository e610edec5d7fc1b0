"""The bed that faults are made in: Kafka, Keycloak, consumers, dead letters, keywatch, Prometheus, Alertmanager."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

from tests.faults import access, hosts
from tests.faults.alerting import Alerting
from tests.faults.name_server import NameServer
from tests.faults.split import SplitOnDemand
from tests.faults.traffic import GROUP, Logins, Readers
from tests.kafka import acls, admin
from tests.kafka.acls import Right
from tests.kafka.cluster import KafkaCluster
from tests.kafka.exporter_process import ExporterProcess, Scrape
from tests.kafka.ports import PortReservation
from tests.kafka.proxy import Proxy
from tests.kafka.scene import Verdict
from tests.kafka.waiting import wait_until
from tests.keycloak.driver import Driver
from tests.keycloak.event_path import REALM, USER
from tests.keycloak.server import KeycloakServer

EVENTS, WORK, AUDIT, DEAD, CANARY = "keycloak-events", "work", "audit", "events-dlq", "keywatch-canary"
LAG_LIMIT = 100
WORN, RETENTION_LEFT = "worn", 100.0
"""How groups of soft faults begin, and the seconds until deletion that are their limit."""
MOST_TOPICS = 40
"""How many topics keywatch looks at: more than there are, until a soft fault makes as many."""
EXPECTED: list[dict[str, Any]] = [
    {"topics": f"{WORN}-unsafe", "min_insync_replicas": 2, "severity": "critical"},
    {"topics": f"{WORN}-odd", "cleanup_policy": ["delete"]},
]
"""What topics of soft faults must promise."""
WINDOW = 10.0
"""Seconds that keywatch waits for an event before it is missing: the default."""
RIGHTS = [
    *(Right(operation, "Topic", "*") for operation in ("Read", "DescribeConfigs")),
    *(Right(operation, "Topic", CANARY) for operation in ("Create", "Alter", "Write")),
    Right("Describe", "Group", "*"),
]
"""The least that keywatch needs."""
SECOND = "second"
"""The name of the second log directory in each broker's folder; the first is where its metadata lies."""
WRITTEN_WITHIN = 0.5
"""Seconds after which a broker writes to each log directory at the latest; five by default."""
_CHECKPOINTS = {"replica.high.watermark.checkpoint.interval.ms": str(int(WRITTEN_WITHIN * 1000))}
_SPLIT_WELL = {
    "keywatch_broker_up": 3,
    "keywatch_broker_fenced": 0,
    "keywatch_quorum_up": 1,
    "keywatch_controller_up": 3,
    "keywatch_canary_up": 3,
    "keywatch_topic_partitions_under_replicated": 0,
}
_CALM_WITHIN = 180.0
# Longer than the `for` of all rules that page at once, so that none is about to.
_CALM_FOR = 3.0
_BALANCE = {"leader.imbalance.check.interval.seconds": "1", "leader.imbalance.per.broker.percentage": "0"}
# As Kafka's client by itself; with the acks=1 of other listeners elections lose events, which keywatch rightly tells.
_SAFE = {"acks": "all", "enable.idempotence": "true"}
# Brokers write down once a minute where a log starts; what was deleted since is there again when all of them die then,
# and keywatch would page dead letters that came back.
_DELETED_FOR_GOOD = {"log.flush.start.offset.checkpoint.interval.ms": "1000", "log.initial.task.delay.ms": "1000"}
# A listener of a broker may take a certificate with other names than before only where that is allowed.
_RENEWALS = {"ssl.allow.dn.changes": "true", "ssl.allow.san.changes": "true"}


@dataclass
class Bed:
    """All that runs. `proxies` stand before the listener PROXIED of each node, `links` before Keycloak's.

    `twin` is a second keywatch that watches the same, if there is one; faults of keywatch itself leave it alone.
    """

    kafka: KafkaCluster
    keycloak: KeycloakServer
    proxies: list[Proxy]
    links: list[Proxy]
    exporter: ExporterProcess
    twin: ExporterProcess | None
    readers: Readers
    logins: Logins
    alerting: Alerting
    folder: Path
    stranger: Callable[[], KafkaCluster]
    """Returns a cluster of one node that has nothing to do with the others, which is started when first asked for."""
    split: SplitOnDemand
    """Returns the cluster with dedicated controllers of the way `split`, which runs on that way only."""
    names: Callable[[], NameServer]
    """Returns the name server that keywatch asks on the way `zoned`, which is started when first asked for."""
    way: str = field(default="", init=False)

    @property
    def cluster(self) -> str:
        """Return the name of the cluster on the way that keywatch takes now."""
        return access.ACCESSES[self.way].cluster

    @property
    def dead_letters(self) -> Path:
        """Return the folder of dead letters."""
        return self.folder / "dead"

    @property
    def hosts(self) -> Path:
        """Return the file in which keywatch alone looks names up on the way `named`."""
        return self.folder / "hosts"

    def use(self, way: str) -> None:
        """Have keywatch reach Kafka on a way, and wait until all is calm; starts it, or starts it anew."""
        if way == self.way:
            return
        if access.ACCESSES[way].split:
            self.split()  # first, so that nobody watches while six nodes start
        self.way = way
        for exporter in self._exporters:
            exporter.stop()
            exporter.configure(self._config())
            exporter.wrapper = self._wrapper()
            exporter.start()
        if not access.ACCESSES[way].split:
            self.split.stop()
        self.wait_calm()

    def _wrapper(self) -> Sequence[str]:
        """Return what has keywatch look names up on this way elsewhere than the machine does."""
        if self.way == "named":
            return hosts.wrapper(self.hosts)
        return hosts.asking(self.hosts, self.names().address) if self.way == "zoned" else ()

    @property
    def _exporters(self) -> list[ExporterProcess]:
        return [self.exporter, *([self.twin] if self.twin is not None else [])]

    def wait_well(self) -> None:
        """Wait until all works."""
        for exporter in self._exporters:
            exporter.until(self._well, _CALM_WITHIN, "all is well")

    def wait_calm(self) -> None:
        """Wait until all works and nothing has paged for a while."""
        self.wait_well()
        calm_since = now()

        def calm() -> Verdict:
            nonlocal calm_since
            firing = self.alerting.pages()
            if firing:
                calm_since = now()
            return Verdict((*firing, *(["calm for a moment only"] if now() < calm_since + _CALM_FOR else [])))

        wait_until(calm, _CALM_WITHIN, "no page is left")

    def wait_unbiased(self, *, by_brokers: bool) -> None:
        """Wait until no outage of the cluster, or of its brokers, holds back pages of the next fault."""
        for what in ("cluster", "broker") if by_brokers else ("cluster",):
            held = f'cluster:keywatch_{what}_down:recent{{cluster="{self.cluster}"}}'
            wait_until(partial(self._silent, held), _CALM_WITHIN, f"no {what} was down lately")

    def _silent(self, expression: str) -> bool:
        return not self.alerting.ask(expression)

    def _well(self, scrape: Scrape) -> Verdict:
        wanted = {
            "keywatch_cluster_up": 1,
            "keywatch_broker_up": 3,
            "keywatch_canary_up": 3,
            "keywatch_topic_partitions_offline": 0,
            "keywatch_topic_partitions_electing": 0,
            "keywatch_topic_partitions_under_replicated": 0,
            "keywatch_group_partitions_unknown": 0,
            "keywatch_keycloak_ready": 1,
            "keywatch_events_up": 1,
            "keywatch_events_missing": 0,
            "keywatch_dlq_up": 2,
            "keywatch_dlq_records": 0,
        }
        if access.ACCESSES[self.way].listener != access.USERS:  # who has not the right to ask
            wanted["keywatch_log_dir_up"] = 6
        own = {name: scrape.total(name, cluster=self.cluster) for name in wanted}
        wrong = [f"{name} {own[name]}" for name, value in wanted.items() if own[name] != value]
        beside = access.ACCESSES[self.way].beside
        if beside is not None and (living := scrape.total("keywatch_broker_up", cluster=beside.cluster)) != 3:
            wrong.append(f"{living} brokers of {beside.cluster}")
        if access.ACCESSES[self.way].split:
            wrong += [
                f"{name} of {access.SPLIT} {seen}"
                for name, value in _SPLIT_WELL.items()
                if (seen := scrape.total(name, cluster=access.SPLIT)) != value
            ]
        if scrape.value("keywatch_group_members", cluster=self.cluster, group=GROUP) != 2:
            wrong.append("the group is not complete")
        wrong += [
            f"{dict(labels)['topic']} is missing"
            for labels, there in scrape.all("keywatch_topic_exists").items()
            if not there
        ]
        if not scrape.all("keywatch_events_judged_timestamp_seconds"):
            wrong.append("events are not judged yet")
        probes = scrape.all("keywatch_probe_success")
        wrong += [f"{dict(labels)['probe']} fails" for labels, success in probes.items() if not success]
        return Verdict(tuple(wrong))

    def _config(self) -> dict[str, Any]:
        way = access.ACCESSES[self.way]
        cluster = {
            "name": way.cluster,
            "bootstrap": access.bootstrap(self.kafka, way),
            "topics": {"watch": [EVENTS, AUDIT], "expect": EXPECTED, "max_topics": MOST_TOPICS},
            "groups": {
                "limits": [
                    {"groups": GROUP, "records": LAG_LIMIT},
                    {"groups": f"{WORN}-.*", "records": 1_000_000, "retention_left": RETENTION_LEFT},
                ]
            },
            "keycloaks": [{"name": "kc", "url": self.keycloak.management_url}],
            "events": [{"listener": "snuk87", "reconcile": {"window": WINDOW}}],
            "dlq": [
                {"name": "dead-topic", "topics": [DEAD]},
                {"name": "dead-folder", "folder": str(self.dead_letters)},
            ],
        }
        clusters = [cluster | access.security(self.kafka, way)]
        if way.beside is not None:
            clusters.append({"name": way.beside.cluster, "bootstrap": access.bootstrap(self.kafka, way.beside)})
        if way.split:
            split = self.split()
            quorum = {"controllers": split.controllers}
            clusters.append({"name": access.SPLIT, "bootstrap": split.kafka.bootstrap.split(","), "quorum": quorum})
        return {"clusters": clusters}


@contextmanager
def bed(*, twin: bool = False) -> Iterator[Bed]:
    """Start all of it but keywatch, which `Bed.use` starts; with a `twin` there are two of it."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="keywatch-faults-")))
        (folder / "dead").mkdir()
        ports = stack.enter_context(PortReservation())
        settings = _BALANCE | _RENEWALS | _DELETED_FOR_GOOD | _CHECKPOINTS | acls.AUTHORIZER
        kafka = KafkaCluster(3, listeners=access.LISTENERS, extra=settings, log_dirs=("data", SECOND))
        stack.callback(kafka.stop)
        proxies = [_before(stack, ports, kafka, number, access.PROXIED) for number in (1, 2, 3)]
        links = [_before(stack, ports, kafka, number, access.KEYCLOAK) for number in (1, 2, 3)]
        for node in kafka.nodes:
            node.advertised[access.NAMED] = f"{hosts.name(node.id)}:{node.ports[access.NAMED]}"
            for listener, zone in access.ZONES.items():
                node.advertised[listener] = f"{hosts.name(node.id, zone)}:{node.ports[listener]}"
        hosts.write(folder / "hosts", [1, 2, 3])
        keycloak = KeycloakServer(
            ",".join(f"{link.host}:{link.port}" for link in links),
            profile="snuk87",
            producer=_SAFE,
            own_database=True,
        )
        stack.callback(keycloak.close)
        keycloak.spawn()  # takes longest, so the others start meanwhile
        kafka.start()
        kafka.wait_ready()
        _furnish(kafka)
        exporters = [ExporterProcess({}) for _ in range(2 if twin else 1)]
        for exporter in exporters:
            stack.callback(exporter.__exit__, None, None, None)
        management = f"127.0.0.1:{keycloak.management_port}"
        addresses = [f"127.0.0.1:{exporter.port}" for exporter in exporters]
        alerting = stack.enter_context(Alerting(addresses, management))
        keycloak.wait_ready()
        driver = Driver(keycloak)
        stack.callback(driver.close)
        driver.make_realm(REALM)
        driver.make_user(REALM, USER)
        readers = stack.enter_context(Readers(kafka.bootstrap, [EVENTS, WORK]))
        logins = stack.enter_context(Logins(driver))
        first, second = exporters[0], exporters[1] if twin else None
        stranger = cache(partial(_stranger, stack))
        split = SplitOnDemand()
        stack.callback(split.stop)
        names = cache(partial(_names, stack, kafka))
        yield Bed(
            kafka, keycloak, proxies, links, first, second, readers, logins, alerting, folder, stranger, split, names
        )


def _stranger(stack: ExitStack) -> KafkaCluster:
    # What is asked for comes into being there, as it does by Kafka's default, so that a trace is left.
    return stack.enter_context(KafkaCluster(1, extra={"auto.create.topics.enable": "true"}))


def _names(stack: ExitStack, kafka: KafkaCluster) -> NameServer:
    addresses = {hosts.name(node.id, zone): node.host for node in kafka.nodes for zone in access.ZONES.values()}
    return stack.enter_context(NameServer(addresses))


def _before(stack: ExitStack, ports: PortReservation, kafka: KafkaCluster, number: int, listener: str) -> Proxy:
    node = kafka.node(number)
    proxy = Proxy("127.0.0.1", ports.take("127.0.0.1"), (node.host, node.ports[listener]))
    node.advertised[listener] = f"{proxy.host}:{proxy.port}"
    return stack.enter_context(proxy)


def _furnish(kafka: KafkaCluster) -> None:
    for topic in (EVENTS, "keycloak-admin-events", WORK, AUDIT, DEAD):
        admin.create_topic(kafka.bootstrap, topic, partitions=3, replicas=3, configs={"min.insync.replicas": "2"})
    # Where a group never committed, its lag is not known.
    for partition in range(3):
        admin.produce(kafka.bootstrap, WORK, 1, partition=partition)
    admin.set_scram_password(kafka.bootstrap, access.USER, access.PASSWORD)
    acls.allow(kafka.bootstrap, access.USER, RIGHTS)


def now() -> float:
    """Return the time by the clock of injections and webhooks."""
    return time.monotonic()
