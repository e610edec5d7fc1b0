"""One cluster at work: its probes in service, as many of its brokers as there should be, changed part by part."""

from __future__ import annotations

import asyncio

from keywatch.config.model import Cluster
from keywatch.engine import supervised
from keywatch.engine.scheduler import Scheduler
from keywatch.engine.store import Key
from keywatch.engine.supervised import Part
from keywatch.kafka.topology import Topology
from keywatch.probes.cluster.broker import BrokerProbe
from keywatch.probes.cluster.cluster import ClusterProbe
from keywatch.probes.cluster.topics import TopicsProbe
from keywatch.service.base import Base, ProbePlan
from keywatch.service.wiring import broker_plan, plans

# Whose change means another cluster, or the same as somebody else: nothing that is known of it may be kept.
_IDENTITY = ("name", "bootstrap", "cluster_id", "tls", "sasl", "client")


class ClusterWatch:
    """The probes of one cluster."""

    def __init__(self, cluster: Cluster, scheduler: Scheduler, *, look_back: float = 0.0) -> None:
        """Read the files of the cluster's security; raises `SecurityError`. Contacts nobody before `start`."""
        self._cluster = cluster
        self._base = Base.of(cluster, look_back)
        self._scheduler = scheduler
        self._plans: dict[Key, ProbePlan] = {}
        self._removals: set[asyncio.Task[None]] = set()
        self._ended = False

    @property
    def topology(self) -> Topology:
        """What is known of the cluster."""
        return self._base.topology

    def warnings(self) -> list[str]:
        """Name what works but should not be so, such as a key that everybody can read."""
        found = self._base.security.warnings() if self._base.security is not None else []
        return [f"{self._cluster.name}: {words}" for words in found]

    def start(self) -> None:
        """Put all probes into service; needs a running event loop."""
        self._go_over_to(self._cluster)
        topology, name = self._base.topology, self._cluster.name
        topology.on_brokers(self._settle)
        # A broker that comes or goes changes what the partitions and the cluster are worth: judged again at once.
        topology.on_liveness(lambda: self._scheduler.kick(name, TopicsProbe.name, ClusterProbe.name))

    def serves(self, cluster: Cluster) -> bool:
        """Return whether it can go over to this configuration: it is the same cluster, reached in the same way.

        Where another cluster has taken the place of the one that was met first, a reload begins anew, with that one.
        """
        topology = self._base.topology
        if topology.membership.replaced and not topology.up():
            return False
        return all(getattr(cluster, key) == getattr(self._cluster, key) for key in _IDENTITY)

    async def change(self, cluster: Cluster) -> list[Key]:
        """Go over to another configuration of the same cluster; returns the probes that came, went or were made anew.

        Whatever did not change goes on undisturbed.
        """
        touched = self._go_over_to(cluster)
        await asyncio.gather(*self._removals)
        return touched

    def _go_over_to(self, cluster: Cluster) -> list[Key]:
        self._cluster = cluster
        self._base.topology.expect(cluster.broker.expected, cluster.broker.forget_after)
        self._base.topology.membership.check_brokers = cluster.broker.check_id
        wanted = plans(cluster)
        touched = [key for key in self._plans if key not in wanted and key.probe != BrokerProbe.name]
        for key in touched:
            self._remove(key)
        return touched + [key for key, plan in wanted.items() if self._serve(plan)] + self._settle_brokers()

    async def stop(self) -> None:
        """Take all probes out of service, with all that they told."""
        self._ended = True
        await asyncio.gather(*(self._scheduler.remove(key) for key in list(self._plans)), *self._removals)
        self._plans.clear()

    def _settle(self) -> None:
        if not self._ended:
            self._settle_brokers()

    def _settle_brokers(self) -> list[Key]:
        """Have one broker probe for each broker that should exist."""
        wanted = [broker_plan(self._cluster, label) for label in self._base.topology.brokers]
        keys = {plan.key for plan in wanted}
        gone = [key for key in self._plans if key.probe == BrokerProbe.name and key not in keys]
        for key in gone:
            self._remove(key)
        return gone + [plan.key for plan in wanted if self._serve(plan)]

    def _serve(self, plan: ProbePlan) -> bool:
        """Have the probe that is planned in service; returns whether that took anything."""
        known = self._plans.get(plan.key)
        if known is not None and known.parts == plan.parts:
            return False
        self._plans[plan.key] = plan
        put = self._scheduler.add if known is None else self._scheduler.replace
        put(plan.probe(self._base))
        return True

    def _remove(self, key: Key) -> None:
        del self._plans[key]
        removal = supervised.task(Part.ENDING, self._scheduler.remove(key), "/".join(key))
        self._removals.add(removal)
        removal.add_done_callback(self._removals.discard)
