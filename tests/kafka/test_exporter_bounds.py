"""A client that makes groups without end, or with names without end, costs nobody else's lag and a bounded memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from tests.kafka import admin, raw, scene
from tests.kafka.cluster import KafkaCluster
from tests.kafka.exporter_process import ExporterProcess, Recorder, Scrape
from tests.kafka.fixtures import kafka_required
from tests.kafka.settings import INTERNAL

pytestmark = pytest.mark.kafka

TOPIC, RECORDS = "events", 10
MOST, FLOOD = 300, 5_000
GROUPS = {"watched": 3, "siem-limited": 4, "older": 5}
LONG = tuple("x" * 32_000 + end for end in "12")
SECTION: dict[str, Any] = {
    "watch": ["watched"],
    "limits": [{"groups": "siem-.*", "records": 100}],
    "max_groups": MOST,
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[KafkaCluster]:
    kafka_required()
    with KafkaCluster(1) as made:
        admin.create_topic(made.bootstrap, TOPIC)
        admin.produce(made.bootstrap, TOPIC, RECORDS)
        admin.commit_groups(made.bootstrap, {name: {(TOPIC, 0): offset} for name, offset in GROUPS.items()})
        yield made


def whole(scrape: Scrape) -> bool:
    """Return whether the lag of each group that matters is told, and true."""
    lags = {name: scrape.value("keywatch_group_lag_records", group=name) for name in GROUPS}
    return lags == {name: RECORDS - offset for name, offset in GROUPS.items()}


def left_out(scrape: Scrape) -> float | None:
    return scrape.value("keywatch_probe_left_out", probe="groups", kind="group")


def after(exporter: ExporterProcess, moment: float) -> Scrape:
    return exporter.until(lambda scrape: scrape.at > moment, 10, "another scrape")


def test_a_flood_of_groups_costs_no_lag_and_bounded_memory(cluster: KafkaCluster) -> None:
    address = cluster.node(1).address_of(INTERNAL)
    names = [f"flood-{index}" for index in range(FLOOD)]
    with ExporterProcess(scene.config(cluster.bootstrap, canary={"enabled": False}, groups=SECTION)) as exporter:
        exporter.until(whole, 30, "the lags are told")
        process = psutil.Process(exporter.pid)
        before = process.memory_info().rss
        began = exporter.scrape()
        with Recorder(exporter, 0.2, "?collect[]=health") as recorder:
            client = threading.Thread(target=raw.flood, args=(address, names, {(TOPIC, 0): 1}), daemon=True)
            client.start()
            left = FLOOD + len(GROUPS) - 1 - MOST
            seen = exporter.until(
                lambda s: s.value("keywatch_probe_left_out", probe="groups", kind="group") == left,
                60,
                "all are counted",
            )
            client.join(60)
            assert len(seen.all("keywatch_group_up")) == MOST + 1
            # It goes on, and what is shown is the same from run to run.
            shown = [after(exporter, seen.at + wait).all("keywatch_group_up").keys() for wait in (1, 2)]
            assert shown[0] == shown[1] == seen.all("keywatch_group_up").keys()
        assert recorder.scrapes
        assert all(whole(scrape) for scrape in recorder.scrapes)
        assert max(len(scrape.text) for scrape in recorder.scrapes) < 600_000
        failures = exporter.scrape().total("keywatch_probe_failures_total", probe="groups")
        assert failures == began.total("keywatch_probe_failures_total", probe="groups")
        assert process.memory_info().rss - before < 40_000_000


def test_names_of_32000_letters_are_told_apart_and_short(cluster: KafkaCluster) -> None:
    address = cluster.node(1).address_of(INTERNAL)
    section = {**SECTION, "include": ["x.*", *GROUPS]}
    with ExporterProcess(scene.config(cluster.bootstrap, canary={"enabled": False}, groups=section)) as exporter:
        exporter.until(whole, 30, "the lags are told")
        size = len(exporter.scrape().text)
        raw.flood(address, LONG, {(TOPIC, 0): 7})
        seen = exporter.until(
            lambda s: len([labels for labels in s.all("keywatch_group_up") if "x" * 50 in str(labels)]) == 2,
            30,
            "both are told",
        )
        assert whole(seen)
        assert len(seen.text) < size + 20_000
        status, page = exporter.get("/")
        assert status == 200
        assert b"x" * 300 not in page
        assert "x" * 300 not in exporter.log.read_text(encoding="utf-8")
