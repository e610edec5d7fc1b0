"""A stand-in for Elasticsearch or OpenSearch that holds objects as they do, and answers otherwise when told to.

It is no server: it validates nothing and searches nothing. What real ones do is tested in `test_real_*.py`.
"""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_ELASTIC = {"X-Elastic-Product": "Elasticsearch"}
_LISTS = {"_component_template": "component_template", "_index_template": "index_template"}


@dataclass
class Reply:
    """An answer in place of the usual one; `status` 0 hangs until the stub is closed."""

    status: int
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)
    times: int = 1_000_000


@dataclass
class Stub:
    """What it holds, what it was asked, and what it is told to answer."""

    product: str = "Elasticsearch"
    version: str = "8.19.21"
    uuid: str = "xZLJwvTbTmGb-BFMBRf4Ew"
    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    replies: dict[str, Reply] = field(default_factory=dict)
    """By the beginning of `METHOD path`; the longest beginning counts whose answers are not used up."""
    asked: list[tuple[str, str, Mapping[str, str], Any]] = field(default_factory=list)
    resolved: dict[str, list[dict[str, Any]]] = field(
        default_factory=lambda: {"indices": [], "aliases": [], "data_streams": []}
    )
    url: str = ""
    closing: threading.Event = field(default_factory=threading.Event)

    @property
    def open(self) -> bool:
        """Whether it passes for OpenSearch."""
        return self.product == "OpenSearch"

    @property
    def put(self) -> list[str]:
        """Which paths were put so far, in order."""
        return [path for method, path, _, _ in self.asked if method == "PUT"]

    def answer(self, method: str, path: str, body: Any) -> Reply:
        """Answer one request."""
        key = f"{method} {path}"
        told = [name for name, reply in self.replies.items() if key.startswith(name) and reply.times > 0]
        if told:
            reply = self.replies[max(told, key=len)]
            reply.times -= 1
            return reply
        path = path.partition("?")[0].strip("/")
        return self._object(method, path, body) or self._other(path)

    def _other(self, path: str) -> Reply:
        if path == "":
            version: dict[str, Any] = {"number": self.version}
            if self.open:
                version["distribution"] = "opensearch"
                words = "The OpenSearch Project: https://opensearch.org/"
            else:
                words = "You Know, for Search"
            return Reply(200, {"version": version, "tagline": words, "cluster_uuid": self.uuid})
        if path.startswith("_resolve/index/"):
            return Reply(200, self.resolved)
        if path == "_index_template":
            found = [json.loads(json.dumps(held)) for at, held in self.objects.items() if at.startswith(path)]
            return Reply(200, {"index_templates": [entry["index_templates"][0] for entry in found]})
        if path.startswith("_index_template/_simulate_index/"):
            settings = {"default_pipeline": "logs-keycloak", "lifecycle": {"name": "logs-keycloak"}}
            return Reply(200, {"template": {"settings": {"index": settings}}})
        if path.endswith("/_ilm/explain"):
            return Reply(200, {"indices": {}})
        if path.startswith("_plugins/_ism/explain/"):
            return Reply(200, {"total_managed_indices": 0})
        if "/_settings/" in path:
            return Reply(200, {})
        if path.endswith("/_rollover"):
            return Reply(200, {"acknowledged": True})
        return Reply(404, {"error": {"type": "resource_not_found_exception", "reason": "nothing"}})

    def _object(self, method: str, path: str, body: Any) -> Reply | None:
        folder, _, name = path.rpartition("/")
        if folder not in {"_ilm/policy", "_plugins/_ism/policies", "_ingest/pipeline", *_LISTS}:
            return None
        if method == "PUT":
            self.objects[path] = _as_given_back(folder, name, body)
            return Reply(200, {"acknowledged": True})
        held = self.objects.get(path)
        return Reply(404, {}) if held is None else Reply(200, held)


def _as_given_back(folder: str, name: str, body: Any) -> dict[str, Any]:
    """Return an object in the form in which servers give it back: numbers as text, and what they add."""
    if folder == "_ingest/pipeline":
        return {name: body}
    if folder == "_ilm/policy":
        policy = json.loads(json.dumps(body["policy"]))
        policy["phases"]["delete"]["actions"]["delete"] = {"delete_searchable_snapshot": True}
        return {name: {"version": 3, "modified_date": "2026-01-01T00:00:00Z", "policy": policy}}
    if folder == "_plugins/_ism/policies":
        policy = {**body["policy"], "policy_id": name, "schema_version": 21, "last_updated_time": 1}
        return {"_id": name, "_seq_no": 7, "_primary_term": 1, "policy": policy}
    single = _LISTS[folder]
    given = json.loads(json.dumps(body))
    if "settings" in given.get("template", {}):
        given["template"]["settings"] = _texts(given["template"]["settings"])
    if single == "index_template":
        given["data_stream"] = {"hidden": False, "allow_custom_routing": False}
    return {f"{single}s": [{"name": name, single: given}]}


def _texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _texts(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_texts(item) for item in value]
    return str(value).lower() if isinstance(value, bool | int) else value


@contextlib.contextmanager
def serving(stub: Stub, tls: ssl.SSLContext | None = None) -> Iterator[Stub]:
    """Serve on a free port of the loopback, on threads of its own."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one piece, or the second waits for the first one's acknowledgement

        def _serve(self) -> None:
            data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = json.loads(data) if data else None
            stub.asked.append((self.command, self.path.lstrip("/"), dict(self.headers.items()), body))
            reply = stub.answer(self.command, self.path.lstrip("/"), body)
            if not reply.status:
                stub.closing.wait()
                return
            text = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            self.send_response(reply.status)
            headers = {"Content-Type": "application/json", "Content-Length": str(len(text))}
            for name, value in {**headers, **({} if stub.open else _ELASTIC), **reply.headers}.items():
                if value:
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815 - names that the base class looks for

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        stub.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield stub
        finally:
            stub.closing.set()
            server.shutdown()
            thread.join(5)
