"""What a real Alertmanager tells people with the file that is shipped: how often it beats, and what a notice holds."""

from __future__ import annotations

import contextlib
import datetime as dt
import http.client
import itertools
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.alerts import table
from tests.alerts.promtool import amtool_required
from tests.kafka.waiting import wait_until
from tests.prometheus.alertmanager import Alertmanager

_FILE = table.ROOT / "alerts" / "alertmanager.yml"
_FASTER = 10.0
"""How much faster the route of the beat is made here: nobody waits three minutes for three beats."""


class Receiver:
    """What came, with its moment and path."""

    def __init__(self) -> None:
        self.came: list[tuple[float, str, Any]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.came.append((time.monotonic(), self.path, json.loads(body)))
                self.send_response(202 if self.path == "/pagerduty" else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def bodies(self, path: str) -> list[Any]:
        """Return what came to a path."""
        return [body for _, at, body in list(self.came) if at == path]


@contextlib.contextmanager
def alertmanager(folder: Path) -> Iterator[tuple[Alertmanager, Receiver]]:
    """Run it with the shipped file, whose examples for PagerDuty and Slack get what is routed."""
    amtool_required()
    receiver = Receiver()
    threading.Thread(target=receiver.server.serve_forever, args=(0.05,), daemon=True).start()
    data = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    by_name = {one["name"]: one for one in data["receivers"]}
    for name in ("pagerduty-key", "slack-url"):
        (folder / name).write_text(f"{receiver.url}/slack" if name == "slack-url" else "key", encoding="utf-8")
    (pagerduty,) = by_name["example-pagerduty"]["pagerduty_configs"]
    pagerduty |= {"url": f"{receiver.url}/pagerduty", "routing_key_file": str(folder / "pagerduty-key")}
    by_name["example-slack"]["slack_configs"][0]["api_url_file"] = str(folder / "slack-url")
    by_name["dead-man"]["webhook_configs"][0]["url"] = f"{receiver.url}/dead-man"
    route = data["route"]
    route |= {"receiver": "example-slack", "group_wait": "0s"}
    for one in route["routes"]:
        one["receiver"] = "example-pagerduty" if one["receiver"] == "pager" else one["receiver"]
        if one["receiver"] == "dead-man":
            one |= {key: f"{seconds(one[key]) / _FASTER:g}s" for key in ("group_interval", "repeat_interval")}
    server = Alertmanager(yaml.safe_dump(data))
    try:
        server.start()
        yield server, receiver
    finally:
        server.close()
        receiver.server.shutdown()
        receiver.server.server_close()


def seconds(written: str) -> float:
    """Read a duration of one unit."""
    return float(written[:-1]) * {"s": 1, "m": 60, "h": 3600}[written[-1]]


def fire(server: Alertmanager, alert: str, description: str, **labels: str) -> None:
    """Have an alert fire as Prometheus would."""
    rule = table.rules()[alert]
    ends = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=5)
    body = [
        {
            "labels": {"alertname": alert, **rule["labels"], **labels},
            "annotations": {
                "summary": table.summary(alert, labels),
                "description": description,
                "runbook_url": rule["annotations"]["runbook_url"],
            },
            "endsAt": ends.isoformat(),
        }
    ]
    with contextlib.closing(http.client.HTTPConnection(server.address, timeout=10)) as connection:
        connection.request("POST", "/api/v2/alerts", json.dumps(body), {"Content-Type": "application/json"})
        assert connection.getresponse().status == 200


def test_the_dead_mans_switch_beats_once_a_minute(tmp_path: Path) -> None:
    with alertmanager(tmp_path) as (server, receiver):
        fire(server, "Watchdog", "Prometheus evaluates rules.")
        wait_until(lambda: len(receiver.bodies("/dead-man")) > 3, 60, "three beats come after the first")
    beats = [at for at, path, _ in receiver.came if path == "/dead-man"]
    apart = [(later - earlier) * _FASTER for earlier, later in itertools.pairwise(beats)]
    # Before, each was 120 s after the one before: the look after 60 s came a moment too early.
    assert [round(one / 60) for one in apart[:3]] == [1, 1, 1]


@pytest.mark.parametrize(
    ("alert", "labels", "description"),
    [
        ("KafkaBrokerDown", {"cluster": "shop", "broker": "2"}, "Broker 2 of cluster shop does not answer, refused."),
        ("KeywatchDown", {"job": "keywatch-health", "instance": "a:9877"}, "keywatch at a:9877 does not answer."),
    ],
)
def test_pagerduty_is_told_cluster_object_and_reason(
    alert: str, labels: dict[str, str], description: str, tmp_path: Path
) -> None:
    with alertmanager(tmp_path) as (server, receiver):
        fire(server, alert, description, **labels)
        wait_until(lambda: receiver.bodies("/pagerduty"), 30, "PagerDuty is told")
    payload = receiver.bodies("/pagerduty")[0]["payload"]
    assert payload["summary"] == table.summary(alert, labels)
    assert (payload["severity"], payload["class"]) == ("critical", alert)
    details = payload["custom_details"]
    assert details["cluster"] == labels.get("cluster", "")
    objects = " ".join(f"{name}={value}" for name, value in sorted(labels.items()) if name != "cluster")
    assert details["object"].strip() == objects
    assert details["reason"] == description
    assert details["runbook"].endswith(f"/{alert}.md")


def test_slack_is_told_of_each_object_of_a_group(tmp_path: Path) -> None:
    with alertmanager(tmp_path) as (server, receiver):
        for broker in ("1", "2"):
            labels = {"cluster": "shop", "broker": broker}
            fire(server, "KafkaConnectionLimitReached", f"Broker {broker} closes new connections.", **labels)
        wait_until(lambda: receiver.bodies("/slack"), 30, "Slack is told")
    (attachment, *_) = receiver.bodies("/slack")[0]["attachments"]
    assert attachment["title"].startswith("KafkaConnectionLimitReached on shop: ")
    assert "Broker 1 of cluster shop takes no more connections" in attachment["text"]
    assert "Broker 1 closes new connections." in attachment["text"]
    assert "KafkaConnectionLimitReached.md|What to do>" in attachment["text"]
