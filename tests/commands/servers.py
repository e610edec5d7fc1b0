"""The servers of the room: real Kafka, Prometheus, Alertmanager; stand-ins for Keycloak, Logstash, Elasticsearch."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import socket
import socketserver
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Thread
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition

from tests.commands.furniture import ELASTICSEARCH, KAFKA, KEYCLOAK, LOGSTASH
from tests.exporter.documents.tree import ROOT
from tests.exporter.fakes.fake_elasticsearch import Reply, Stub
from tests.kafka import admin, settings
from tests.kafka.acls import AUTHORIZER
from tests.kafka.cluster import KafkaCluster
from tests.kafka.waiting import wait_until

_RECORDED = ROOT / "tests" / "exporter" / "recorded"
_STATS = ROOT / "tests" / "exporter" / "made" / "logstash-9-node-stats.json"
_BOOTSTRAP = "kafka-1:9092"
_TOPICS = {"events": 2, "single": 1, "strict": 1, "trial": 1, "siem-sink-dlq": 1}
_RECORDS = 50
"""In each partition, so that the offsets that documents name are there."""
_GROUPS = ("siem", "console-consumer-4711", "keywatch-keycloak-user-events")
_PROGRAM = """
package io.quarkus.bootstrap.runner;
public class QuarkusEntryPoint {
  public static void main(String[] arguments) throws Exception {
    Object lock = new Object();
    for (int number = 0; number < 2; number++) {
      new Thread(() -> {
        synchronized (lock) { try { Thread.sleep(600000); } catch (InterruptedException e) { } }
      }).start();
    }
  }
}
"""
"""A Java of the name that Keycloak's has, with a thread that waits for another's lock."""
_STARTED, _UPTIME = re.compile(rb"process_start_time_seconds \S+"), re.compile(rb"process_uptime_seconds \S+")
_AFTER_A_COLLECTION = b"""\
jvm_memory_usage_after_gc{area="heap",pool="long-lived"} 0.15803058445453644
jvm_gc_live_data_size_bytes 8.443092E7
jvm_gc_max_data_size_bytes 5.36870912E8
"""
"""What a Keycloak tells once its garbage was collected, which the recorded one's was not yet."""
_EVENT = {
    "@timestamp": "2026-11-25T10:00:07.123Z",
    "event": {"action": "login", "outcome": "success"},
    "keycloak": {"realm": {"name": "shop"}, "event": {"type": "LOGIN"}, "client": {"id": "web"}},
    "user": {"id": "6f1c"},
    "source": {"ip": "10.1.2.0"},
}


@contextlib.contextmanager
def kafka(_: Path) -> Iterator[None]:
    """Run one node at the addresses of `kafka-1`, plain and with TLS, that knows rights."""
    cluster = KafkaCluster(1, listeners=["SSL"], extra=AUTHORIZER, jvm=["-XX:+UsePerfData"])  # which jcmd finds it by
    (node,) = cluster.nodes
    node.host = KAFKA
    node.ports |= {settings.INTERNAL: 9092, "SSL": 9093}
    node.advertised = {settings.INTERNAL: _BOOTSTRAP, "SSL": "kafka-1:9093"}
    with cluster:
        for name, partitions in _TOPICS.items():
            admin.create_topic(_BOOTSTRAP, name, partitions=partitions)
        yield


def traffic(environment: dict[str, str]) -> None:
    """Write events into every partition, let groups commit, and put into Elasticsearch what it must hold."""
    subprocess.run(["keywatch", "logs", "bootstrap"], env=environment, check=True, capture_output=True)
    records = map(json.loads, (_RECORDED / "snuk87.jsonl").read_text(encoding="utf-8").splitlines())
    events = [json.loads(record["value"]) for record in records if record["topic"] == "keycloak-events"]
    lines = [json.dumps({**event, "time": int(time.time() * 1000)}).encode() for event in events]
    producer = Producer({"bootstrap.servers": _BOOTSTRAP})
    for name, partitions in _TOPICS.items():
        for partition in range(partitions):
            for number in range(_RECORDS):
                producer.produce(name, lines[number % len(lines)], partition=partition)
    assert producer.flush(30) == 0
    for group in _GROUPS:
        consumer = Consumer({"bootstrap.servers": _BOOTSTRAP, "group.id": group})
        offsets = [TopicPartition("events", partition, _RECORDS) for partition in range(_TOPICS["events"])]
        consumer.commit(offsets=offsets, asynchronous=False)
        consumer.close()


@contextlib.contextmanager
def keycloak(folder: Path) -> Iterator[None]:
    """Answer as a Keycloak that is well, on its management port with and without TLS, and as its listener's port."""
    source = folder / "QuarkusEntryPoint.java"
    source.write_text(_PROGRAM, encoding="utf-8")
    subprocess.run(["javac", "-d", str(folder / "classes"), str(source)], check=True, capture_output=True)
    command = ["java", "-cp", str(folder / "classes"), "io.quarkus.bootstrap.runner.QuarkusEntryPoint"]
    metrics = (_RECORDED / "keycloak-26.7.3.prom").read_bytes() + _AFTER_A_COLLECTION
    health = json.dumps({"status": "UP", "checks": []}).encode()
    began = time.time()
    pages = {f"/health/{kind}": health for kind in ("live", "ready", "started")}

    def page(path: str) -> bytes | None:
        """Give the metrics as of a Keycloak that runs since a moment ago, by a clock that is right."""
        if path != "/metrics":
            return pages.get(path)
        now = _STARTED.sub(b"process_start_time_seconds %.3f" % began, metrics)
        return _UPTIME.sub(b"process_uptime_seconds %.3f" % (time.time() - began), now)

    duration = b'processing_duration_seconds_bucket{le="2.5"} 1\nprocessing_duration_seconds_bucket{le="+Inf"} 1\n'
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("/etc/keywatch/server.pem", "/etc/keywatch/server.key")
    with (
        subprocess.Popen(command) as java,
        _serving("0.0.0.0", 9000, page, context),  # noqa: S104 - of a network namespace's own loopback
        _serving(KEYCLOAK, 9090, {"/metrics": duration}.get),
    ):
        yield
        java.kill()


@contextlib.contextmanager
def logstash(_: Path) -> Iterator[None]:
    """Answer as a Logstash that is well, with one of our pipelines."""
    stats = json.loads(_STATS.read_text(encoding="utf-8"))
    stats["pipelines"]["keycloak-events"] = stats["pipelines"].pop("events")
    body = json.dumps(stats).encode()
    with _serving(LOGSTASH, 9600, lambda path: body if path.startswith(("/_node/stats", "/?")) else None):
        yield


@contextlib.contextmanager
def elasticsearch(_: Path) -> Iterator[None]:
    """Answer as an Elasticsearch that holds what it was given, and one event."""
    stub = Stub()
    shards = {"total": 1, "successful": 1, "skipped": 0, "failed": 0}
    found = {"hits": [{"_index": "i", "_id": "1", "_source": _EVENT, "sort": [1]}]}
    stub.replies = {
        "GET _cluster/health": Reply(200, {"status": "green", "number_of_nodes": 1, "unassigned_shards": 0}),
        "GET _nodes/stats": Reply(200, {"nodes": {}}),
        "GET _data_stream/": Reply(200, {"data_streams": []}),
        "POST logs-keycloak": Reply(200, {"took": 1, "timed_out": False, "_shards": shards, "hits": found}),
        "GET _security/_authenticate": Reply(200, {"username": "logstash"}),
        "POST _security/api_key": Reply(200, {"encoded": "YWJjOmRlZg=="}),
    }
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("/etc/keywatch/server.pem", "/etc/keywatch/server.key")

    def answered(method: str, path: str, body: bytes) -> tuple[int, bytes]:
        reply = stub.answer(method, path.lstrip("/"), json.loads(body) if body else None)
        return reply.status, json.dumps(reply.body).encode()

    with _listening(ELASTICSEARCH, 9200, answered, context, {"X-Elastic-Product": "Elasticsearch"}):
        yield


@contextlib.contextmanager
def prometheus(folder: Path) -> Iterator[None]:
    """Run Prometheus and Alertmanager with the files that we ship, at their usual addresses."""
    alertmanager = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager") or "alertmanager"
    commands = (
        [
            *("prometheus", "--config.file=/etc/prometheus/prometheus.yml", f"--storage.tsdb.path={folder}/series"),
            "--web.listen-address=127.0.0.1:9090",
        ],
        [
            *(alertmanager, "--config.file=/etc/prometheus/alertmanager.yml", f"--storage.path={folder}/silences"),
            *("--cluster.listen-address=", "--web.listen-address=127.0.0.1:9093"),
        ],
    )
    with contextlib.ExitStack() as stack:
        for command in commands:
            process = stack.enter_context(subprocess.Popen(command))
            stack.callback(process.kill)
        for port in (9090, 9093):
            wait_until(lambda port=port: port_open("127.0.0.1", port), 60, f"port {port} is open")  # type: ignore[misc]
        yield


def port_open(host: str, port: int) -> bool:
    """Return whether somebody listens there."""
    with contextlib.suppress(OSError), socket.create_connection((host, port), 1):
        return True
    return False


def keywatch_ready() -> bool:
    """Return whether keywatch answers, and knows its cluster and the groups in it."""
    with contextlib.suppress(OSError):
        page = urllib.request.urlopen("http://localhost:9877/metrics", timeout=5).read().decode()
        return 'keywatch_cluster_up{cluster="kafka"} 1' in page and "keywatch_canary_up" in page
    return False


@contextlib.contextmanager
def _serving(
    host: str, port: int, page: Callable[[str], bytes | None], tls: ssl.SSLContext | None = None
) -> Iterator[None]:
    def answered(_: str, path: str, __: bytes) -> tuple[int, bytes]:
        found = page(path)
        return (404, b"") if found is None else (200, found)

    with _listening(host, port, answered, tls):
        yield


@contextlib.contextmanager
def _listening(
    host: str,
    port: int,
    answered: Callable[[str, str, bytes], tuple[int, bytes]],
    tls: ssl.SSLContext | None = None,
    headers: dict[str, str] | None = None,
) -> Iterator[None]:
    """Serve on threads; whoever begins with a TLS handshake gets TLS."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def setup(self) -> None:
            """Look at the first byte."""
            if tls is not None and self.request.recv(1, socket.MSG_PEEK) == b"\x16":
                self.request = tls.wrap_socket(self.request, server_side=True)
            super().setup()

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, text = answered(self.command, self.path, body)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(text)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815 - names that the base class looks for

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: Any) -> None:
            """Say nothing of a client that went."""

    with Server((host, port), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
