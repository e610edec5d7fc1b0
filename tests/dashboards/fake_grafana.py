"""A Grafana of a few lines: keeps dashboards and folders as its HTTP API does, and fails where it is told to."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

Json = dict[str, Any]
TOKEN = "glsa_for_tests"  # noqa: S105 - of this fake


class FakeGrafana:
    """What one Grafana has.

    `answers` overrides what a method and path give: status and body, or None: it hangs up. Of dashboards, those in
    `provisioned` come from files, those in `refused` are not saved, and for those in `silent` it saves and hangs up.
    """

    def __init__(self) -> None:
        """Make an empty one."""
        self.url = ""
        self.dashboards: dict[str, tuple[Json, str]] = {}
        self.provisioned: set[str] = set()
        self.folders: dict[str, str] = {"general-ops": "Operations"}
        self.datasources = {"prom-1": "prometheus", "loki-1": "loki"}
        self.answers: dict[tuple[str, str], tuple[int, str] | None] = {}
        self.refused: set[str] = set()
        self.silent: set[str] = set()
        self.writes: list[str] = []

    def answer(self, method: str, path: str, body: Json) -> tuple[int, Any]:
        """Do what is asked."""
        match method, path.strip("/").split("/"):
            case "GET", ["api", "folders"]:
                return 200, [{"uid": uid, "title": title} for uid, title in self.folders.items()]
            case "POST", ["api", "folders"]:
                self.folders["made-1"] = body["title"]
                return 200, {"uid": "made-1", "title": body["title"]}
            case "DELETE", ["api", "folders", uid]:
                return (200, {}) if self.folders.pop(uid, None) else _missing("folder")
            case "GET", ["api", "datasources", "uid", uid] if uid in self.datasources:
                return 200, {"uid": uid, "type": self.datasources[uid]}
            case "GET", ["api", "dashboards", "uid", uid] if uid in self.dashboards:
                dashboard, folder = self.dashboards[uid]
                meta = {"canSave": True, "folderUid": folder, "provisioned": uid in self.provisioned}
                return 200, {"dashboard": dashboard, "meta": meta}
            case "DELETE", ["api", "dashboards", "uid", uid] if uid in self.dashboards:
                del self.dashboards[uid]
                return 200, {}
            case "POST", ["api", "dashboards", "db"]:
                return self._save(body)
        return _missing(path)

    def _save(self, body: Json) -> tuple[int, Any]:
        uid = body["dashboard"]["uid"]
        if uid in self.refused:
            return 412, {"message": "The dashboard has been changed by someone else", "status": "version-mismatch"}
        if not body["overwrite"] and uid in self.dashboards:
            return 412, {"message": "A dashboard with the same uid already exists", "status": "name-exists"}
        before = self.dashboards.get(uid, ({"version": 0}, ""))[0]
        own = {"id": len(self.dashboards) + 1, "version": before["version"] + 1}
        self.dashboards[uid] = ({**body["dashboard"], **own}, body.get("folderUid", ""))
        return 200, {"status": "success", "uid": uid, **own}


def _missing(what: str) -> tuple[int, Json]:
    return 404, {"message": f"{what} not found"}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, fake: FakeGrafana) -> None:
        self.fake = fake
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        assert isinstance(self.server, _Server)
        fake, path = self.server.fake, urlsplit(self.path).path
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        if self.command != "GET":
            fake.writes.append(f"{self.command} {path}")
        answer: tuple[int, str] | None
        if (self.command, path) in fake.answers:
            answer = fake.answers[self.command, path]
        elif self.headers["Authorization"] != f"Bearer {TOKEN}":
            answer = 401, json.dumps({"message": "Invalid API key"})
        else:
            status, found = fake.answer(self.command, path, body)
            silent = body.get("dashboard", {}).get("uid") in fake.silent
            answer = None if silent else (status, json.dumps(found))
        if answer is None:
            self.close_connection = True
        else:
            self._send(*answer)

    do_POST = do_DELETE = do_GET  # noqa: N815 - the library's names

    def _send(self, status: int, text: str) -> None:
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", text)
            text = ""
        data = text.encode()
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def running(tls: ssl.SSLContext | None = None) -> Iterator[FakeGrafana]:
    """Serve on a free port of the loopback."""
    fake = FakeGrafana()
    with _Server(fake) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        fake.url = f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield fake
        finally:
            server.shutdown()
            thread.join()
