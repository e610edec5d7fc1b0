"""Brokers that live and are not reached as they should be: H04 to H06 and H13."""

from __future__ import annotations

import random
from collections.abc import Callable

from keywatch.engine.probe import Reason
from tests.faults import access, hosts
from tests.faults.bed import Bed, now
from tests.faults.brokers import down, victim
from tests.faults.fault import Case, Fault, Page

# Each question to a broker is answered so much later.
_SLOW_SECONDS = 2.0


def faults() -> list[Fault]:
    """Return the faults of this family."""
    return [
        Fault("H04", "packets to a broker get lost", dropped, "proxied"),
        Fault("H05", "a broker's port refuses", refused, "proxied"),
        Fault("H06", "a broker's name is gone from DNS", nameless, "named", lacks=hosts.lacks),
        Fault("H06b", "the name servers of another cluster's zone hang", zoneless, "zoned", lacks=hosts.lacks),
        Fault("H13", "a broker answers 2 s late", slow, "proxied", held_back=True),
    ]


def done(action: Callable[[], object]) -> float:
    """Do something and give the time right before."""
    moment = now()
    action()
    return moment


def dropped(bed: Bed, chance: random.Random) -> Case:
    """Stop forwarding to one node and from it; its port takes connections."""
    node = victim(bed, chance)
    proxy = bed.proxies[node.id - 1]
    return Case((down(bed, node, "timeout"),), lambda: done(proxy.hold), lambda: done(proxy.flow))


def refused(bed: Bed, chance: random.Random) -> Case:
    """Close one node's port and its connections while its process lives."""
    node = victim(bed, chance)
    proxy = bed.proxies[node.id - 1]
    return Case((down(bed, node, "refused"),), lambda: done(proxy.refuse), lambda: done(proxy.open))


def nameless(bed: Bed, chance: random.Random) -> Case:
    """Take one node's name from where keywatch looks names up."""
    node = victim(bed, chance)
    others = [other.id for other in bed.kafka.nodes if other is not node]
    return Case(
        (down(bed, node, "dns"),),
        lambda: done(lambda: hosts.write(bed.hosts, others)),
        lambda: done(lambda: hosts.write(bed.hosts, [*others, node.id])),
    )


def zoneless(bed: Bed, chance: random.Random) -> Case:
    """Have the zone of a second cluster's names answer nothing any more; the first one must not notice."""
    del chance
    way, names = access.ACCESSES["zoned"], bed.names()
    assert way.beside is not None
    away = way.beside.cluster

    def hang(*zones: str) -> float:
        moment = now()
        names.hanging = frozenset(zones)
        return moment

    def repair() -> float:
        scrape = bed.exporter.scrape()
        reasons = {
            reason: scrape.total("keywatch_broker_down_reason", cluster=away, reason=reason) for reason in Reason
        }
        told = {reason for reason, brokers in reasons.items() if brokers}
        mended = hang()
        assert told == {Reason.DNS}, f"brokers whose names do not resolve are down for {told}"
        return mended

    page = Page("KafkaClusterDown", {"cluster": away})
    # Each broker is found down when its connection is renewed, so the first ones may page before the cluster does.
    brokers = tuple(Page("KafkaBrokerDown", {"cluster": away, "broker": str(node.id)}) for node in bed.kafka.nodes)
    return Case((page,), lambda: hang(access.ZONES[access.AWAY]), repair, may=brokers)


def slow(bed: Bed, chance: random.Random) -> Case:
    """Have one node's answers come late."""
    node = victim(bed, chance)
    proxy = bed.proxies[node.id - 1]

    def delay(seconds: float) -> float:
        proxy.delay = seconds
        return now()

    page = Page("KafkaBrokerSlow", {"cluster": bed.cluster, "broker": str(node.id)})
    return Case((page,), lambda: delay(_SLOW_SECONDS), lambda: delay(0.0))
