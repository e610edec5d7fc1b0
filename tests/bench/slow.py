"""Whether slow brokers and busy cores make keywatch cry wolf: 300 and 900 ms late, both cores busy."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack

from tests.bench.figures import Figure, percentile
from tests.kafka import scene
from tests.kafka.busy import busy_cores
from tests.kafka.cluster import KafkaCluster
from tests.kafka.exporter_process import ExporterProcess, Recorder
from tests.kafka.ports import PortReservation
from tests.kafka.proxy import Proxy

_OUTSIDE = "OUTSIDE"
_DELAYS = (0.0, 0.3, 0.9)


def measure(seconds: float, say: Callable[[str], None]) -> list[Figure]:
    """Watch three brokers that answer 0, 300 and 900 ms late for `seconds`, with a busy process on each core."""
    with ExitStack() as stack:
        ports = stack.enter_context(PortReservation())
        cluster = KafkaCluster(3, listeners=[f"{_OUTSIDE}:PLAINTEXT"])
        stack.callback(cluster.stop)
        proxies = []
        for node, delay in zip(cluster.nodes, _DELAYS, strict=True):
            port = ports.take("127.0.0.1")
            host, _, target = node.address_of(_OUTSIDE).rpartition(":")
            proxy = stack.enter_context(Proxy("127.0.0.1", port, (host, int(target))))
            proxy.delay = delay
            node.advertised[_OUTSIDE] = f"127.0.0.1:{port}"
            proxies.append(proxy)
        cluster.start()
        cluster.wait_ready()
        bootstrap = ",".join(f"127.0.0.1:{proxy.port}" for proxy in proxies)
        exporter = stack.enter_context(ExporterProcess(scene.config(bootstrap)))
        exporter.until(lambda scrape: scrape.total("keywatch_broker_up") == 3, 60, "all brokers are up")
        stack.enter_context(busy_cores())
        say(f"slow brokers, busy cores, {seconds:.0f} s")
        with Recorder(exporter, 0.2, "?collect[]=health") as recorder:
            time.sleep(seconds)
    false = sum(scrape.total("keywatch_broker_up") < 3 for scrape in recorder.scrapes)
    down = sum(scrape.value("keywatch_cluster_up") == 0 for scrape in recorder.scrapes)
    response = [
        value
        for scrape in recorder.scrapes
        for value in scrape.all("keywatch_broker_response_seconds", broker="3").values()
    ]
    took = [scrape.took for scrape in recorder.scrapes]
    return [
        Figure(
            f"brokers 0, 300 and 900 ms late, both cores busy, {seconds / 60:.0f} minutes",
            "no false `broker_up 0`",
            f"{false} false of {len(recorder.scrapes)} scrapes, {down} false `cluster_up 0`; slowest broker's answer"
            f" p99 {percentile(response, 0.99):.2f} s; /metrics p99 {percentile(took, 0.99) * 1000:.0f} ms",
            false == 0 and down == 0,
        )
    ]
