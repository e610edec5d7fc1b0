"""The configuration is read anew by signal or by request; a bad one changes nothing, is told, and no scrape fails."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from keywatch.demo.embedded import EmbeddedCluster
from tests.kafka.exporter_process import ExporterProcess, Recorder
from tests.kafka.waiting import wait_until

OPEN = {"enable_lifecycle": True}


@pytest.fixture(scope="module")
def cluster() -> Iterator[EmbeddedCluster]:
    with EmbeddedCluster(3) as made:
        made.create_topic("keywatch-canary", 3, 3)
        yield made


@pytest.fixture
def exporter(cluster: EmbeddedCluster, request: pytest.FixtureRequest) -> Iterator[ExporterProcess]:
    with ExporterProcess(config(cluster, web=getattr(request, "param", {}))) as running:
        running.until(lambda s: s.total("keywatch_canary_up") == 3, 20, "all is well")
        yield running


def config(cluster: EmbeddedCluster, web: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"clusters": [{"name": "one", "bootstrap": cluster.bootstrap.split(","), **changes}], "web": web}


def said(exporter: ExporterProcess) -> str:
    return exporter.log.read_text(encoding="utf-8")


def test_a_signal_has_it_read_anew_and_a_bad_file_leaves_the_old_one(
    exporter: ExporterProcess, cluster: EmbeddedCluster
) -> None:
    first = exporter.scrape()
    assert first.value("keywatch_config_reload_successful") == 1
    exporter.configure(config(cluster, {}, groups={"limits": [{"records": 7}]}))
    os.kill(exporter.pid, signal.SIGHUP)
    wait_until(lambda: "configuration read anew: one: made anew: groups" in said(exporter), 10, "it says so")
    exporter.configure({"clusters": [{"bootstrap": [cluster.bootstrap], "broker": {"misses": "many"}}]})
    os.kill(exporter.pid, signal.SIGHUP)
    bad = exporter.until(lambda s: s.value("keywatch_config_reload_successful") == 0, 10, "the series says so")
    assert f"{exporter.file}:5: clusters[0].broker.misses: " in said(exporter)
    assert "what was read before stays in force" in said(exporter)
    assert bad.total("keywatch_broker_up", cluster="one") == 3
    loaded = bad.value("keywatch_config_loaded_timestamp_seconds") or 0
    assert loaded > (first.value("keywatch_config_loaded_timestamp_seconds") or 0)
    exporter.configure(config(cluster, {}))
    os.kill(exporter.pid, signal.SIGHUP)
    exporter.until(lambda s: s.value("keywatch_config_reload_successful") == 1, 10, "the series says so")
    assert "Traceback" not in said(exporter)


@pytest.mark.parametrize("exporter", [OPEN], indirect=True)
def test_a_request_has_it_read_anew_and_is_told_the_outcome(
    exporter: ExporterProcess, cluster: EmbeddedCluster
) -> None:
    assert exporter.get("/-/reload", method="POST") == (200, b"nothing to change for the clusters\n")
    exporter.configure(config(cluster, OPEN, canary={"enabled": False}))
    assert exporter.get("/-/reload", method="PUT") == (200, b"one: made anew: canary\n")
    assert b'"enabled": false' in exporter.get("/-/config")[1]
    exporter.file.write_text("clusters: []\n", encoding="utf-8")
    status, body = exporter.get("/-/reload", method="POST")
    assert status == 500
    expected = f"{exporter.file}:1: clusters: "
    assert body.decode().startswith(expected)
    assert body.endswith(b"what was read before stays in force\n")
    assert exporter.get("/-/reload")[0] == 405
    assert exporter.get("/-/reload", {"Sec-Fetch-Site": "cross-site"}, "POST")[0] == 403


def test_requests_are_refused_unless_they_are_switched_on(exporter: ExporterProcess) -> None:
    status, body = exporter.get("/-/reload", method="POST")
    assert (status, body) == (403, b"switched off; --web.enable-lifecycle switches it on\n")


@pytest.mark.parametrize("exporter", [OPEN], indirect=True)
def test_what_only_a_restart_can_change_is_refused(exporter: ExporterProcess, cluster: EmbeddedCluster) -> None:
    exporter.configure(config(cluster, {}))
    status, body = exporter.get("/-/reload", method="POST")
    assert status == 500
    assert b"web.enable_lifecycle: another value needs a restart" in body


@pytest.mark.parametrize("exporter", [OPEN], indirect=True)
def test_no_scrape_fails_and_no_broker_is_away_while_it_is_read_anew_again_and_again(
    exporter: ExporterProcess, cluster: EmbeddedCluster
) -> None:
    changes: list[dict[str, Any]] = [{"broker": {"period": 0.3}}, {"groups": {"limits": [{"records": 1}]}}, {}]
    with EmbeddedCluster(1) as other, Recorder(exporter, 0.02) as recorder:
        for turn in range(12):
            wanted = config(cluster, OPEN, **changes[turn % 3])
            if turn % 2:
                wanted["clusters"].append({"name": "two", "bootstrap": [other.bootstrap]})
            exporter.configure(wanted)
            assert exporter.get("/-/reload", method="POST")[0] == 200
        wait_until(lambda: len(recorder.scrapes) > 30, 20, "thirty scrapes")
    assert not recorder.errors
    assert {s.total("keywatch_broker_up", cluster="one") for s in recorder.scrapes} == {3.0}
