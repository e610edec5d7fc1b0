"""A port that refuses while the broker lives, one that swallows everything, and slow answers: through proxies."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.kafka import scene
from tests.kafka.cluster import KafkaCluster
from tests.kafka.exporter_process import ExporterProcess, Recorder
from tests.kafka.fixtures import kafka_required
from tests.kafka.ports import PortReservation
from tests.kafka.proxy import Proxy
from tests.kafka.test_exporter_faults import SEEN_WITHIN

pytestmark = pytest.mark.kafka

OUTSIDE = "OUTSIDE"
NO_ANSWER = 2.08
"""Seconds after which an answer may be too late: twice the probe's deadline, and half of its benefit of the doubt."""


@pytest.fixture(scope="module")
def proxies() -> Iterator[list[Proxy]]:
    """Give three nodes whose clients come through proxies; the nodes speak to each other without them."""
    kafka_required()
    with ExitStack() as stack:
        ports = stack.enter_context(PortReservation())
        cluster = KafkaCluster(3, listeners=[f"{OUTSIDE}:PLAINTEXT"])
        stack.callback(cluster.stop)
        made = []
        for node in cluster.nodes:
            host, _, port = node.address_of(OUTSIDE).rpartition(":")
            proxy = stack.enter_context(Proxy("127.0.0.1", ports.take("127.0.0.1"), (host, int(port))))
            node.advertised[OUTSIDE] = f"127.0.0.1:{proxy.port}"
            made.append(proxy)
        cluster.start()
        cluster.wait_ready()
        yield made


@pytest.fixture(scope="module")
def exporter(proxies: list[Proxy]) -> Iterator[ExporterProcess]:
    bootstrap = ",".join(f"127.0.0.1:{proxy.port}" for proxy in proxies)
    with ExporterProcess(scene.config(bootstrap)) as process:
        yield process


@pytest.fixture(autouse=True)
def _all_up(exporter: ExporterProcess) -> None:
    exporter.until(lambda s: s.total("keywatch_canary_up") == 3 and s.total("keywatch_broker_up") == 3, 120, "all up")


def test_a_port_that_refuses_is_a_dead_broker_for_clients(exporter: ExporterProcess, proxies: list[Proxy]) -> None:
    with Recorder(exporter) as recorder:
        moment = time.monotonic()
        proxies[1].refuse()
        try:
            recorder.first(
                lambda s: s.value("keywatch_broker_down_reason", broker="2", reason="refused") == 1,
                moment,
                SEEN_WITHIN,
                "the refused port is seen",
            )
        finally:
            proxies[1].open()
        mended = time.monotonic()
        recorder.first(lambda s: s.value("keywatch_broker_up", broker="2") == 1, mended, SEEN_WITHIN, "up again")
    assert all(s.value("keywatch_broker_up", broker="1") == 1 for s in recorder.scrapes)


def test_a_network_that_swallows_everything_is_a_time_out(exporter: ExporterProcess, proxies: list[Proxy]) -> None:
    with Recorder(exporter) as recorder:
        moment = time.monotonic()
        proxies[2].hold()
        try:
            recorder.first(
                lambda s: s.value("keywatch_broker_down_reason", broker="3", reason="timeout_response") == 1,
                moment,
                SEEN_WITHIN,
                "the silence is seen",
            )
        finally:
            proxies[2].flow()
        mended = time.monotonic()
        recorder.first(lambda s: s.value("keywatch_broker_up", broker="3") == 1, mended, SEEN_WITHIN, "up again")


@pytest.mark.parametrize("delay", [0.7, 2.0])
def test_slow_answers_are_slow_and_not_dead(exporter: ExporterProcess, proxies: list[Proxy], delay: float) -> None:
    proxies[0].delay, proxies[0].tolerance = delay, NO_ANSWER - delay
    try:
        with Recorder(exporter) as recorder:
            slow = exporter.until(
                lambda s: (s.value("keywatch_broker_response_seconds", broker="1") or 0) >= delay, 15, "slowness shows"
            )
            assert slow.value("keywatch_broker_up", broker="1") == 1
            enough = time.monotonic() + 10
            recorder.first(lambda s: s.at > enough, enough, 20, "it was watched for ten seconds")
        # On a busy machine an answer may come too late after all, or be read too late: then it says nothing.
        judged = [s for s in recorder.scrapes if (s.value("keywatch_event_loop_lag_seconds") or 0) <= NO_ANSWER - delay]
        down = [s.at for s in judged if s.value("keywatch_broker_up", broker="1") != 1]
        assert [at for at in down if not any(abs(late - at) < 5 for late in proxies[0].late)] == []
        answers = [s.value("keywatch_broker_response_seconds", broker="1") for s in recorder.scrapes]
        assert [answer for answer in answers if answer is not None][-1] >= delay
    finally:
        proxies[0].delay = 0.0
