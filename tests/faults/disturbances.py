"""What happens on a healthy path and must call nobody: busy cores, slow answers, restarts, rebalances, elections."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from tests.faults.access import SPLIT
from tests.faults.bed import EVENTS, WORK, Bed, now
from tests.faults.fault import Page
from tests.faults.traffic import Readers
from tests.kafka import raw
from tests.kafka.busy import busy_cores
from tests.kafka.exporter_process import Scrape
from tests.kafka.node import KafkaNode

# How long what lasts lasts.
_SECONDS = 45.0
_DELAYS = (0.0, 0.3, 0.9)
# A scrape that gets no answer within half a second is missed.
_MISSED_SCRAPE = 0.8
_PROMETHEUS_AWAY = 3.0
_VISIT_SECONDS = 8.0
_ELECTIONS = 3
_PARTITIONS = 3
_LED_WITHIN = 60.0


@dataclass(frozen=True)
class Expected:
    """A page that may come all the same, and when: monotonic seconds."""

    page: Page
    begin: float
    end: float


@dataclass(frozen=True)
class Disturbance:
    """Something that is no fault. `make` lasts as long as it does, and gives the pages that may come meanwhile."""

    title: str
    make: Callable[[Bed, random.Random], list[Expected]]


def disturbances() -> list[Disturbance]:
    """Return all of them."""
    return [
        Disturbance("all cores busy", busy),
        Disturbance("brokers that answer 0, 300 and 900 ms late", late),
        Disturbance("a rolling restart of the brokers", rolling_restart),
        Disturbance("a rolling restart of dedicated controllers", controllers_restart),
        Disturbance("a rolling restart of the brokers that have them", rolling_restart_beside),
        Disturbance("a group that rebalances", rebalance),
        Disturbance("elections of leaders", elections),
        Disturbance("a quota that throttles keywatch", throttled),
        Disturbance("single scrapes that Prometheus misses", missed_scrapes),
        Disturbance("Prometheus away for seconds", prometheus_away),
        Disturbance("keywatch restarted by SIGTERM", keywatch_restart),
        Disturbance("Keycloak restarted in an announced window", keycloak_restart),
    ]


def busy(bed: Bed, chance: random.Random) -> list[Expected]:  # noqa: ARG001 - as all of them
    """Keep all cores busy."""
    with busy_cores():
        time.sleep(_SECONDS)
    return []


def late(bed: Bed, chance: random.Random) -> list[Expected]:
    """Have two of the brokers answer late."""
    delays = chance.sample(_DELAYS, len(_DELAYS))
    for proxy, delay in zip(bed.proxies, delays, strict=True):
        proxy.delay = delay
    time.sleep(_SECONDS)
    for proxy in bed.proxies:
        proxy.delay = 0.0
    return []


def rolling_restart(bed: Bed, chance: random.Random) -> list[Expected]:
    """Restart one broker after the other, each when all is well again; the one that is down is down."""
    return _restarted(bed, bed.cluster, chance.sample(bed.kafka.nodes, len(bed.kafka.nodes)))


def rolling_restart_beside(bed: Bed, chance: random.Random) -> list[Expected]:
    """Do the same to brokers whose controllers are nodes of their own."""
    nodes = bed.split().kafka.nodes
    return _restarted(bed, SPLIT, chance.sample(nodes, len(nodes)))


def _restarted(bed: Bed, cluster: str, nodes: Sequence[KafkaNode]) -> list[Expected]:
    found = []
    for node in nodes:
        begin = now()
        node.restart()
        bed.wait_well()
        found.append(Expected(Page("KafkaBrokerDown", {"cluster": cluster, "broker": str(node.id)}), begin, now()))
    return found


def controllers_restart(bed: Bed, chance: random.Random) -> list[Expected]:
    """Restart one controller after the other, so that another one is elected at least once."""
    nodes = bed.split().kafka.controllers
    for node in chance.sample(nodes, len(nodes)):
        node.restart()
        bed.wait_well()
    return []


def rebalance(bed: Bed, chance: random.Random) -> list[Expected]:  # noqa: ARG001 - as all of them
    """Have two more members join the group, and go without a farewell."""
    with Readers(bed.kafka.bootstrap, [EVENTS, WORK]):
        time.sleep(_VISIT_SECONDS)
    return []


def elections(bed: Bed, chance: random.Random) -> list[Expected]:
    """Have other replicas lead, some times."""
    nodes = [node.id for node in bed.kafka.nodes]
    for _ in range(_ELECTIONS):
        wanted = [chance.sample(nodes, len(nodes)) for _ in range(_PARTITIONS)]
        for topic in (EVENTS, WORK):
            raw.reassign(bed.kafka.nodes[0].address, topic, wanted)

        leaders = {(str(partition), float(replicas[0])) for partition, replicas in enumerate(wanted)}
        bed.exporter.until(partial(_led, leaders), _LED_WITHIN, "the replicas lead that are to")
    return []


def _led(leaders: set[tuple[str, float]], scrape: Scrape) -> bool:
    found = scrape.all("keywatch_partition_leader", topic=EVENTS)
    return {(dict(labels)["partition"], leader) for labels, leader in found.items()} == leaders


def throttled(bed: Bed, chance: random.Random) -> list[Expected]:
    """Leave keywatch a share of each broker's time that is too little for it."""
    raw.set_quota(bed.kafka.nodes[0].address, "keywatch", request_percentage=chance.choice([0.1, 1.0]))
    time.sleep(_SECONDS)
    raw.set_quota(bed.kafka.nodes[0].address, "keywatch", request_percentage=None)
    return []


def missed_scrapes(bed: Bed, chance: random.Random) -> list[Expected]:
    """Have keywatch answer too late now and then."""
    for _ in range(5):
        os.kill(bed.exporter.pid, signal.SIGSTOP)
        time.sleep(_MISSED_SCRAPE)
        os.kill(bed.exporter.pid, signal.SIGCONT)
        time.sleep(3 + chance.random())
    return []


def prometheus_away(bed: Bed, chance: random.Random) -> list[Expected]:  # noqa: ARG001 - as all of them
    """Freeze Prometheus."""
    bed.alerting.prometheus.freeze()
    time.sleep(_PROMETHEUS_AWAY)
    bed.alerting.prometheus.thaw()
    time.sleep(_PROMETHEUS_AWAY)
    return []


def keywatch_restart(bed: Bed, chance: random.Random) -> list[Expected]:  # noqa: ARG001 - as all of them
    """Restart keywatch in good order."""
    bed.exporter.stop()
    bed.exporter.start()
    return []


def keycloak_restart(bed: Bed, chance: random.Random) -> list[Expected]:  # noqa: ARG001 - as all of them
    """Restart Keycloak in good order while its alerts are silenced."""
    with bed.alerting.silenced(component="keycloak"):
        bed.keycloak.restart()
        bed.wait_calm()
    return []
