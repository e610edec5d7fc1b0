"""What all probes of a cluster share, and how the plan of one is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from keywatch.config.model import Cluster
from keywatch.engine.probe import Probe
from keywatch.engine.store import Key
from keywatch.kafka.client import Clients
from keywatch.kafka.membership import Membership
from keywatch.kafka.peers import Peers
from keywatch.kafka.security.identity import ClusterSecurity
from keywatch.kafka.topology import Topology
from keywatch.probes.events.seen import EventsSeen


@dataclass(frozen=True, slots=True)
class Base:
    """What all probes of a cluster share: where and who it is, what is known of it, and how keywatch speaks to it."""

    cluster: str
    topology: Topology
    security: ClusterSecurity | None
    clients: Clients
    seen: dict[str, EventsSeen] = field(default_factory=dict)
    """What each listener's events were read as, by its label."""

    @classmethod
    def of(cls, cluster: Cluster) -> Base:
        """Read the files of a cluster's security; raises `SecurityError`. Contacts nobody."""
        security = ClusterSecurity(cluster)
        membership = Membership(cluster.cluster_id, check_brokers=cluster.broker.check_id)
        section = cluster.broker
        topology = Topology(cluster.endpoints, section.expected, section.forget_after, membership=membership)
        clients = Clients(",".join(cluster.bootstrap), cluster.client, security, membership)
        return cls(cluster.name, topology, security, clients)

    def peers(self) -> Peers:
        """Make connections for one probe, so that none waits behind another's."""
        return Peers(self.topology, self.security)


@dataclass(frozen=True, slots=True)
class ProbePlan:
    """How one probe is made, and of which parts of the configuration: it is made anew when these change, or never."""

    key: Key
    make: Callable[..., Probe]
    parts: tuple[object, ...]

    def probe(self, base: Base) -> Probe:
        """Make the probe; it gets nothing of the configuration but its parts."""
        return self.make(base, *self.parts)
