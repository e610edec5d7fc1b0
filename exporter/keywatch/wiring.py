"""Config → probes: puts the objects together, and is the one place to touch when a probe is added."""

from __future__ import annotations

import asyncio
import re

from keywatch.config import Cluster, Config
from keywatch.config_dlq import DlqSection
from keywatch.dead_letter import Sources
from keywatch.dead_letter_folder import DeadLetterFolder
from keywatch.group_sheet import Limit
from keywatch.incidents import Incidents
from keywatch.kafka.canary_topic import CanaryTopic
from keywatch.kafka.client import OWN_GROUP_PREFIX, Clients
from keywatch.kafka.dead_letters import DeadLetters
from keywatch.kafka.groups import Groups
from keywatch.kafka.peers import Peers
from keywatch.kafka.record_times import RecordTimes
from keywatch.kafka.security import ClusterSecurity
from keywatch.kafka.topology import Topology
from keywatch.patterns import Patterns
from keywatch.probe import Probe, Schedule
from keywatch.probes.broker import BrokerProbe
from keywatch.probes.canary import CanaryProbe
from keywatch.probes.cluster import ClusterProbe
from keywatch.probes.configs import ConfigsProbe
from keywatch.probes.dlq_folder import DlqFolderProbe
from keywatch.probes.dlq_topics import DlqTopicsProbe
from keywatch.probes.groups import GroupsProbe
from keywatch.probes.offsets import OffsetsProbe
from keywatch.probes.topics import TopicsProbe
from keywatch.runner import Runner
from keywatch.scheduler import Scheduler
from keywatch.store import Key, Store

_CONFIGS_SCHEDULE = Schedule(period=10.0, timeout=3.0)


class Watch:
    """Everything at work: the store that is read, the incidents, and the scheduler that drives the probes."""

    def __init__(self, config: Config) -> None:
        """Put all probes together; raises `SecurityError`. Nothing is contacted before `start`."""
        self.config = config
        self.store = Store()
        self.incidents = Incidents()
        self.scheduler = Scheduler(Runner(self.store, self.incidents))
        self.topologies: dict[str, Topology] = {}
        self._security = [ClusterSecurity(cluster) for cluster in config.clusters]
        self._removals: set[asyncio.Task[None]] = set()

    def warnings(self) -> list[str]:
        """Name what works but should not be so, such as a key that everybody can read."""
        named = zip(self.config.clusters, self._security, strict=True)
        return [f"{cluster.name}: {words}" for cluster, security in named for words in security.warnings()]

    def start(self) -> None:
        """Put all probes into service; needs a running event loop."""
        for cluster, security in zip(self.config.clusters, self._security, strict=True):
            self._start_cluster(cluster, security)

    async def stop(self) -> None:
        """End all probes."""
        await self.scheduler.stop()

    def _start_cluster(self, cluster: Cluster, security: ClusterSecurity | None) -> None:
        topology = Topology(cluster.endpoints, cluster.broker.expected, cluster.broker.forget_after)
        self.topologies[cluster.name] = topology
        for probe in probes(cluster, topology, security):
            self.scheduler.add(probe)

        def settle_brokers() -> None:
            self._settle_brokers(cluster, topology, security)

        topology.on_brokers(settle_brokers)
        # A broker that comes or goes changes what the partitions and the cluster are worth: judged again at once.
        topology.on_liveness(lambda: self.scheduler.kick(cluster.name, TopicsProbe.name, ClusterProbe.name))
        settle_brokers()

    def _settle_brokers(self, cluster: Cluster, topology: Topology, security: ClusterSecurity | None) -> None:
        """Have one broker probe for each broker that should exist."""
        serving = {p.target for p in self.scheduler.probes if p.cluster == cluster.name and p.name == BrokerProbe.name}
        for label in topology.brokers.keys() - serving:
            self.scheduler.add(broker_probe(cluster, label, topology, security))
        for label in serving - topology.brokers.keys():
            removal = asyncio.ensure_future(self.scheduler.remove(Key(cluster.name, BrokerProbe.name, label)))
            self._removals.add(removal)
            removal.add_done_callback(self._removals.discard)


def broker_probe(cluster: Cluster, label: str, topology: Topology, security: ClusterSecurity | None) -> Probe:
    """Make the probe of one broker."""
    section = cluster.broker
    schedule = Schedule(section.period, section.timeout)
    return BrokerProbe(
        cluster.name,
        label,
        topology,
        schedule,
        security=security,
        misses=section.misses,
        renew_after=section.renew_after,
    )


def probes(cluster: Cluster, topology: Topology, security: ClusterSecurity | None) -> list[Probe]:
    """Make the probes of one cluster, but for those of its brokers, which come and go."""
    name = cluster.name
    clients = Clients(",".join(cluster.bootstrap), cluster.client, security)
    own = (re.escape(cluster.canary.topic),)
    topics = Patterns(cluster.topics.include, (*cluster.topics.exclude, *own))
    topics_schedule = Schedule(cluster.topics.period, cluster.topics.timeout)
    made: list[Probe] = [
        ClusterProbe(
            name,
            topology,
            Peers(topology, security),
            Schedule(cluster.cluster.period, cluster.cluster.timeout),
            ask=cluster.cluster.ask,
            watch=(*cluster.topics.watch, *(topic for section in cluster.dlq for topic in section.named_topics)),
        ),
        TopicsProbe(
            name, topology, topics_schedule, topics=topics, watch=cluster.topics.watch, detail=cluster.topics.detail
        ),
        ConfigsProbe(name, topology, Peers(topology, security), _CONFIGS_SCHEDULE, topics=topics),
        OffsetsProbe(
            name, topology, Peers(topology, security), topics_schedule, topics=topics, detail=cluster.topics.detail
        ),
    ]
    if cluster.groups.enabled:
        made.append(_groups_probe(cluster, topology, Peers(topology, security), clients, topics))
    if cluster.canary.enabled:
        peers = Peers(topology, security)
        topic = CanaryTopic(cluster.canary.topic, topology, peers, retention=cluster.canary.retention)
        schedule = Schedule(cluster.canary.period, cluster.canary.timeout)
        made.append(CanaryProbe(name, topology, peers, topic, clients, schedule))
    made += [_dlq_probe(cluster, section, topology, Peers(topology, security), clients) for section in cluster.dlq]
    return made


def _dlq_probe(cluster: Cluster, section: DlqSection, topology: Topology, peers: Peers, clients: Clients) -> Probe:
    """Make the probe of one dead-letter queue."""
    schedule = Schedule(section.period, section.timeout)
    sources = Sources(section.reason_header, section.reason_field)
    if section.folder is not None:
        folder = DeadLetterFolder(section.folder, section.file_pattern, sources)
        return DlqFolderProbe(cluster.name, section.name, str(section.folder), folder, schedule)
    return DlqTopicsProbe(
        cluster.name,
        section.name,
        topology,
        peers,
        DeadLetters(clients, section.name, sources.of_record),
        schedule,
        topics=Patterns(section.topics or ()),
        named=section.named_topics,
    )


def _groups_probe(
    cluster: Cluster, topology: Topology, peers: Peers, clients: Clients, topics: Patterns
) -> GroupsProbe:
    section = cluster.groups
    wanted = Patterns(section.include, (*section.exclude, f"{re.escape(OWN_GROUP_PREFIX)}.*"))
    groups = Groups(topology, peers, wanted.__contains__, section.watch)
    limits = [Limit(Patterns((limit.groups,)), limit.records, limit.seconds) for limit in section.limits]
    return GroupsProbe(
        cluster.name,
        topology,
        peers,
        groups,
        RecordTimes(clients, cluster.name),
        Schedule(section.period, section.timeout),
        topics=topics,
        limits=limits,
        fetches=section.fetches,
        fetch_rate=section.fetch_rate,
        idle_cycles=section.idle_cycles,
        detail=section.detail,
    )
