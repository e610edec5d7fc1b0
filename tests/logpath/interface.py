"""Logstash's own interface, GET /_node/stats, with what the stand-in for Logstash really counted."""

from __future__ import annotations

import json
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.logpath.bulk_output import Counts
from tests.logpath.carrier import NAME, Carrier

Json = dict[str, Any]

_HOST = "127.0.0.1"
_WINDOW = 60.0
_VERSION = "9.1.3"


class _Flow:
    """The growth of a sum: per second since it began, and over the last minute."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._begun = clock()
        self._seen: deque[tuple[float, float]] = deque([(self._begun, 0.0)])

    def told(self, total: float, factor: float = 1.0) -> Json:
        """Record what the sum is now, and give its rates."""
        now = self._clock()
        self._seen.append((now, total))
        while len(self._seen) > 2 and self._seen[1][0] <= now - _WINDOW:
            self._seen.popleft()
        before, then = self._seen[0], self._seen[-2]
        found = {"lifetime": factor * total / max(now - self._begun, 0.001)}
        found["current"] = factor * (total - then[1]) / max(now - then[0], 0.001)
        found["last_1_minute"] = factor * (total - before[1]) / max(now - before[0], 0.001)
        return found


class Interface:
    """Listens on a port from `start` to `stop`, as a Logstash that lives; a context manager that enters started."""

    def __init__(self, carrier: Carrier, port: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.port = port
        self._carrier = carrier
        self._flows = {(name, kind): _Flow(clock) for name in carrier.outputs for kind in ("waited", "worked")}
        self._lock = threading.Lock()
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{_HOST}:{self.port}"

    def start(self) -> None:
        """Begin to answer."""
        interface = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                known = self.path == "/_node/stats"
                body = json.dumps(interface.stats() if known else {}).encode()
                self.send_response(200 if known else 404)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Connection", "close")  # so that nothing answers any more after `stop`
                self.end_headers()
                self.wfile.write(body)
                self.close_connection = True

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as the base class calls it
                """Say nothing."""

        self._server = ThreadingHTTPServer((_HOST, self.port), Handler)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        """Be gone."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def stats(self) -> Json:
        """Return what is counted, in Logstash's form; what a stand-in has not, such as a heap, is left out."""
        carrier = self._carrier
        times = os.times()
        with self._lock:
            return {
                "version": _VERSION,
                "status": "green",
                "jvm": {"uptime_in_millis": int(1000 * (time.time() - carrier.begun))},
                "process": {
                    "open_file_descriptors": len(list(Path("/proc/self/fd").iterdir())),
                    "cpu": {"total_in_millis": int(1000 * (times.user + times.system))},
                },
                "pipelines": {name: self._pipeline(name) for name in carrier.outputs},
            }

    def _pipeline(self, name: str) -> Json:
        carrier = self._carrier
        own = name == NAME
        waited = carrier.queue.waited if own else 0.0
        came = sum(one.events for one in carrier.inputs) if own else carrier.filtered[name]
        made: Json = {
            "events": {
                "in": came,
                "filtered": carrier.filtered[name],
                "out": carrier.out[name],
                "queue_push_duration_in_millis": int(1000 * waited),
                "duration_in_millis": int(1000 * carrier.worked[name]),
            },
            "flow": {
                "queue_backpressure": self._flows[name, "waited"].told(waited),
                "worker_utilization": self._flows[name, "worked"].told(carrier.worked[name], 100.0),
            },
            "plugins": {"outputs": [_output(*one) for one in carrier.outputs[name].counts.items()]},
            "reloads": {"successes": 0, "failures": 0},
            "queue": {"type": "persisted", "events_count": len(carrier.queue) if own else 0},
        }
        size = {"queue_size_in_bytes": carrier.queue.bytes if own else 0, "max_queue_size_in_bytes": carrier.queue.most}
        made["queue"] |= size
        if own:
            letters = {"queue_size_in_bytes": 1 + carrier.rejected_bytes, "max_queue_size_in_bytes": 512 << 20}
            made["dead_letter_queue"] = {**letters, "dropped_events": 0, "expired_events": 0}
        return made

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


def _output(plugin: str, counts: Counts) -> Json:
    requests: Mapping[str, Any] = {**counts.requests, "responses": dict(counts.responses)}
    return {"id": plugin, "name": "elasticsearch", "documents": dict(counts.documents), "bulk_requests": requests}
