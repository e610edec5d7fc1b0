"""Takes Alertmanager's webhooks and keeps what came, with the time by the clock that faults are injected by."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

PAGER = "/pager"
"""Where alerts go that call someone."""


@dataclass(frozen=True)
class Notice:
    """One alert in one webhook: when it came (monotonic seconds), to which receiver, and what it says."""

    at: float
    path: str
    firing: bool
    labels: Mapping[str, str]
    description: str

    @property
    def alert(self) -> str:
        """Return the alert's name."""
        return self.labels["alertname"]


class Receiver:
    """Listens on `127.0.0.1:port` and records every notice; a context manager."""

    def __init__(self, port: int) -> None:
        self.notices: list[Notice] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                at = time.monotonic()
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                receiver.notices += [_notice(at, self.path, alert) for alert in body["alerts"]]
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as the base class calls it
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def pages(self, since: float) -> list[Notice]:
        """Return what called someone since a moment."""
        return [notice for notice in list(self.notices) if notice.path == PAGER and notice.at >= since]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def _notice(at: float, path: str, alert: Mapping[str, Any]) -> Notice:
    return Notice(at, path, alert["status"] == "firing", alert["labels"], alert["annotations"].get("description", ""))
