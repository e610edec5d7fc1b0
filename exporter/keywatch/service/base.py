"""What all probes of a cluster share, and how the plan of one is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from keywatch.config.cluster import TopicsSection
from keywatch.config.model import Cluster
from keywatch.elastic.identity import ClusterIdentity
from keywatch.engine.probe import Probe
from keywatch.engine.store import Key
from keywatch.kafka.chosen_topics import ChosenTopics
from keywatch.kafka.client import Clients
from keywatch.kafka.membership import Membership
from keywatch.kafka.peers import Peers
from keywatch.kafka.security.identity import ClusterSecurity
from keywatch.kafka.topology import Topology
from keywatch.net.resolver import Resolver
from keywatch.patterns import Patterns
from keywatch.probes.events.seen import EventsSeen
from keywatch.probes.groups.unread import OldestUnread


class TopicsBound(NamedTuple):
    """The part of the configuration that says which topics are looked at whatever there is, and how many others."""

    watch: tuple[str, ...]
    topics: int
    partitions: int

    @classmethod
    def of(cls, section: TopicsSection) -> Self:
        """Take it from its section."""
        return cls(section.watch, section.max_topics, section.max_partitions)


@dataclass(frozen=True, slots=True)
class Base:
    """What all probes of a cluster share: where and who it is, what is known of it, and how keywatch speaks to it."""

    cluster: str
    topology: Topology
    security: ClusterSecurity | None
    clients: Clients
    resolver: Resolver = field(default_factory=Resolver)
    """The cluster's own, so that its names keep no other cluster's waiting."""
    seen: dict[str, EventsSeen] = field(default_factory=dict)
    """What each listener's events were read as, by its label."""
    unread: OldestUnread = field(default_factory=OldestUnread)
    """Since when the groups' oldest unread records have waited."""
    chosen: dict[object, ChosenTopics] = field(default_factory=dict)
    """Which topics are looked at, by what of the configuration says so."""
    identities: dict[str, ClusterIdentity] = field(default_factory=dict)
    """Which Elasticsearch is watched, by its URL."""

    look_back: float = 0.0
    """From how many seconds ago on events are read."""

    @classmethod
    def of(cls, cluster: Cluster, look_back: float = 0.0) -> Base:
        """Read the files of a cluster's security; raises `SecurityError`. Contacts nobody."""
        security = ClusterSecurity(cluster)
        membership = Membership(cluster.cluster_id, check_brokers=cluster.broker.check_id)
        section = cluster.broker
        topology = Topology(cluster.endpoints, section.expected, section.forget_after, membership=membership)
        clients = Clients(",".join(cluster.bootstrap), cluster.client, security, membership)
        return cls(cluster.name, topology, security, clients, look_back=look_back)

    def chosen_topics(self, meant: Patterns, bound: TopicsBound) -> ChosenTopics:
        """Return the one choice that all probes share which are made from the same parts of the configuration."""
        if (meant, bound) not in self.chosen:
            self.chosen.clear()
            self.chosen[meant, bound] = ChosenTopics(meant, *bound)
        return self.chosen[meant, bound]

    def peers(self) -> Peers:
        """Make connections for one probe, so that none waits behind another's."""
        return Peers(self.topology, self.security, self.resolver)


@dataclass(frozen=True, slots=True)
class ProbePlan:
    """How one probe is made, and of which parts of the configuration: it is made anew when these change, or never."""

    key: Key
    make: Callable[..., Probe]
    parts: tuple[object, ...]

    def probe(self, base: Base) -> Probe:
        """Make the probe; it gets nothing of the configuration but its parts."""
        return self.make(base, *self.parts)
