"""Marked events go from Kafka to OpenSearch, and keywatch tells how far they come when one of both stands still."""

from __future__ import annotations

import json

import pytest

from keywatch.cli.command import main
from tests.kafka.exporter_process import Scrape
from tests.logpath.log_path import USER, log_path, required

UP, EVENTS = "keywatch_log_canary_up", "keywatch_log_canary_events_total"
REALM = "keywatch-canary"
_SECONDS = 40.0

pytestmark = [pytest.mark.kafka, pytest.mark.elastic]


def test_marked_events_tell_whether_the_way_works_and_where_it_does_not(capsys: pytest.CaptureFixture[str]) -> None:
    required()
    canary = {"topic": USER, "every": 1.0, "limit": 3.0, "period": 0.5, "timeout": 2.0}
    with log_path(canary=canary) as path:

        def up(value: float) -> Scrape:
            return path.exporter.until(lambda s: s.value(UP) == value, _SECONDS, f"{UP} is {value:g}")

        first = path.exporter.until(lambda s: s.total(EVENTS, result="found") >= 3, _SECONDS, "three were found")
        assert first.value(UP) == 1
        assert first.total("keywatch_log_canary_round_trip_seconds_sum") > 0

        path.carrier.stop_reading()
        up(0.0)
        assert f"and {path.carrier.groups['user-events']} has not read it" in path.exporter.get("/")[1].decode()
        path.carrier.hold()
        path.carrier.read()
        path.exporter.until(lambda s: s.total(EVENTS, result="late") > 0 or s.value(UP) == 0, _SECONDS, "not in time")
        path.carrier.release()
        again = up(1.0)
        assert again.total(EVENTS, result="late") + again.total(EVENTS, result="found") > first.total(EVENTS)

        capsys.readouterr()
        known = ["logs", "search", "--url", path.opensearch.url, "--since", "1h", "--json"]
        assert main(known) == 0
        assert REALM not in capsys.readouterr().out, "marked events are nobody's"
        assert main([*known, "--realm", REALM]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) > 3
        assert all(json.loads(line)["keycloak"]["client"]["id"] == "keywatch" for line in lines)
