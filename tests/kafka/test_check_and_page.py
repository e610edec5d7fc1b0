"""The person at 3 a.m.: what is wrong on a real Kafka stands in `keywatch check` and on the page, the cause first."""

from __future__ import annotations

import html
import json
import re
import time
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self

import pytest

from tests.exporter.commands import keywatch
from tests.kafka import admin, scene
from tests.kafka.cluster import KafkaCluster
from tests.kafka.event_source import REALM, EventSource, Sent, snuk87
from tests.kafka.exporter_process import ExporterProcess
from tests.kafka.fixtures import kafka_required
from tests.kafka.waiting import wait_until

pytestmark = pytest.mark.kafka

HEALTHY = json.dumps({"status": "UP", "checks": []}).encode()
TOPICS = 5


@pytest.fixture(scope="module")
def cluster() -> Iterator[KafkaCluster]:
    kafka_required()
    with scene.cluster() as made:
        admin.create_topic(made.bootstrap, "keycloak-events", partitions=1, replicas=3)
        admin.create_topic(made.bootstrap, "dead", partitions=1, replicas=3)
        for number in range(TOPICS):
            admin.create_topic(made.bootstrap, f"topic-{number}", partitions=3, replicas=3)
        yield made


class Counting:
    """Keycloak's management port: healthy, with a counter of logins that a test sets."""

    def __init__(self) -> None:
        self.logins = 0
        self._began = time.time()
        counting = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = counting.metrics() if self.path == "/metrics" else HEALTHY
                self.send_response(200)
                self.send_header("Content-Type", "text/plain" if self.path == "/metrics" else "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def metrics(self) -> bytes:
        """Write the page of counters."""
        lines = (
            f'keycloak_user_events_total{{error="",event="login",realm="shop"}} {self.logins}',
            "http_server_active_requests 0.0",
            f"process_start_time_seconds {self._began!r}",
            f"process_uptime_seconds {time.time() - self._began!r}",
        )
        return "\n".join((*lines, "")).encode()

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def page_of(exporter: ExporterProcess) -> str:
    """Return the page's words."""
    status, body = exporter.get("/")
    assert status == 200
    return html.unescape(re.sub(r"<[^>]+>", " ", body.decode().partition("</style>")[2]))


def _shown(exporter: ExporterProcess, words: str) -> bool:
    return words in page_of(exporter)


def config(cluster: KafkaCluster, keycloak: Counting) -> dict[str, Any]:
    events = {"listener": "snuk87", "realms": {REALM: "shop"}, "reconcile": {"window": 2}}
    return {
        "clusters": [
            {
                "name": "kafka",
                "bootstrap": cluster.bootstrap.split(","),
                "keycloaks": [{"name": "kc", "url": keycloak.url}],
                "events": [events],
                "dlq": [{"name": "dead", "topics": ["dead"]}],
                "topics": {"watch": ["keycloak-events"]},
            }
        ]
    }


def test_dead_letters_malformed_records_and_missing_events_are_told_by_both(cluster: KafkaCluster) -> None:
    with (
        EventSource(cluster.bootstrap) as source,
        Counting() as keycloak,
        ExporterProcess(config(cluster, keycloak)) as exporter,
    ):
        exporter.until(lambda s: s.value("keywatch_events_up", listener="snuk87") == 1, 120, "events are read")
        exporter.until(lambda s: s.value("keywatch_dlq_records", dlq="dead") == 0, 60, "dead letters are counted")
        exporter.until(
            lambda s: s.value("keywatch_events_judged_timestamp_seconds", listener="snuk87"), 60, "events are judged"
        )
        wait_until(lambda: "Nothing is wrong." in page_of(exporter), 60, "all is well")
        well = keywatch("check", "--config.file", str(exporter.file))
        assert (well.returncode, "Nothing is wrong." in well.stdout) == (0, True), well.stdout

        admin.produce(cluster.bootstrap, "dead", 4)
        source.send([Sent("keycloak-events", b"no event"), Sent("keycloak-events", b"nor this")])
        source.send(snuk87(number) for number in range(5))
        keycloak.logins += 8
        wanted = ("4 dead letters lie in it", "2 records were no events (not_json)", "missing: 3 login (success)")
        for words in wanted:
            wait_until(partial(_shown, exporter, words), 60, words)

        told = keywatch("check", "--config.file", str(exporter.file))
        assert told.returncode == 1, told.stdout
        shown = " ".join(re.sub(r"[│┃]", " ", told.stdout).split())
        for words in ("4 dead letters lie in it", "2 records were no events", "missing: 3 login"):
            assert words in shown, told.stdout
        data = json.loads(keywatch("check", "--config.file", str(exporter.file), "--json").stdout)
        looked = {(row["probe"], row["target"]): row["state"] for row in data["clusters"]["kafka"]["looked_at"]}
        assert looked["dlq", "dead"] == looked["events", "snuk87"] == "wrong"
        assert looked["keycloak", "kc"] == looked["topics", ""] == looked["groups", ""] == "ok"
        seen_by = {one["metric"]: one.get("seen_by") for one in data["problems"]}
        assert seen_by["keywatch_dlq_records"] is None
        assert seen_by["keywatch_events_missing"] == f"http://127.0.0.1:{exporter.port}"


def test_a_dead_broker_is_one_thing_and_what_follows_from_it_is_folded_under_it(cluster: KafkaCluster) -> None:
    with ExporterProcess(scene.config(cluster.bootstrap, topics={"watch": []})) as exporter:
        exporter.until(lambda s: s.value("keywatch_canary_up", broker="3") == 1, 120, "all is seen")
        cluster.node(3).kill()
        try:
            one = re.compile(r"1 thing is wrong, \d\d? follow from it\.")
            wait_until(lambda: one.search(page_of(exporter)), 60, "it is one thing")
            words = page_of(exporter)
            assert words.index("down, refused") < words.index("under-replicated")
            told = keywatch("check", "--config.file", str(exporter.file), "--json")
            found = json.loads(told.stdout)
            own = [one for one in found["problems"] if not one["follows_from"]]
            assert [(one["metric"], one["labels"]["broker"]) for one in own] == [("keywatch_broker_up", "3")]
            assert len(found["problems"]) > TOPICS
            assert found["summary"].startswith("1 thing is wrong, ")
            log = exporter.log.read_text(encoding="utf-8")
            assert "follow from it" in log
        finally:
            cluster.node(3).start()
            cluster.wait_ready()
