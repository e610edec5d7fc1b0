"""Runs a real OpenSearch or Elasticsearch of a test's own, as a user other than root, and ends it without a trace."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import bcrypt

from tests.elastic.distribution import Distribution, java_home
from tests.kafka.guard import nodes_of
from tests.kafka.own_server import OwnServer, link
from tests.kafka.waiting import wait_until

_HOST = "127.0.0.1"
# Nobody: they refuse to run as root.
_UNPRIVILEGED = 65_534
_HEAP = "-Xms512m -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData"
_SETTINGS = {
    "discovery.type": "single-node",
    "http.host": _HOST,
    "transport.host": _HOST,
    "cluster.routing.allocation.disk.threshold_enabled": "false",
}
_START_SECONDS = 180.0


class StartError(Exception):
    """It ended, or was not ready in time; the message carries the last lines of its log."""


class ElasticProcess(OwnServer):
    """One node; a context manager that enters ready.

    With `users` (name → password and role) and `roles` (as Elasticsearch's roles.yml), who asks must say who he is.
    """

    def __init__(
        self,
        distribution: Distribution,
        *,
        users: Mapping[str, tuple[str, str]] | None = None,
        roles: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(distribution.name, distribution.name)
        self._distribution = distribution
        self._users = dict(users or {})
        self._roles = dict(roles or {})
        self.port = self._ports.take(_HOST)
        self._transport = self._ports.take(_HOST)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{_HOST}:{self.port}"

    def ask(self, method: str, path: str, body: Any = None, *, user: str | None = None) -> tuple[int, Any]:
        """Send a request as a test does, without keywatch: status and answer. Lines of a bulk are a list."""
        lines = isinstance(body, list)
        data = "".join(json.dumps(line) + "\n" for line in body) if lines else json.dumps(body)
        request = urllib.request.Request(f"{self.url}/{path}", method=method)  # noqa: S310 - a server of ours
        if body is not None:
            request.data = data.encode()
            request.add_header("Content-Type", "application/x-ndjson" if lines else "application/json")
        if user is not None:
            pair = f"{user}:{self._users[user][0]}"
            request.add_header("Authorization", f"Basic {b64encode(pair.encode()).decode()}")
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            text = error.read()
            return error.code, json.loads(text) if text.startswith((b"{", b"[")) else None

    def start(self) -> None:
        """Start the process and wait until it answers; raises `StartError`."""
        if not self.has_folder:
            self._prepare()
        home = java_home(self._distribution.lowest_java)
        prefix = "OPENSEARCH" if self._distribution.name == "opensearch" else "ES"
        settings = {
            **_SETTINGS,
            "http.port": str(self.port),
            "transport.port": str(self._transport),
            "path.data": str(self.folder / "data"),
            "path.logs": str(self.folder / "logs"),
        }
        if prefix == "ES":
            settings["xpack.security.enabled"] = "true" if self._users else "false"
        program = str(self.folder / "home" / "bin" / self._distribution.name)
        command = [program, *(f"-E{name}={value}" for name, value in settings.items())]
        if os.geteuid() == 0:
            who = (f"--reuid={_UNPRIVILEGED}", f"--regid={_UNPRIVILEGED}", "--clear-groups")
            command = ["setpriv", *who, *command]
        environment = {
            f"{prefix}_JAVA_HOME": str(home),
            f"{prefix}_JAVA_OPTS": _HEAP,
            f"{prefix}_TMPDIR": str(self.folder / "tmp"),
            f"{prefix}_PATH_CONF": str(self.folder / "config"),
            "HOME": str(self.folder),
        }
        self.launch(command, environment)
        wait_until(lambda: not self.running or self._answers(), _START_SECONDS, f"{self.title} answers")
        if not self.running:
            raise StartError(f"{self.title} ended at its start\n{self.last_words()}")

    def freeze_all(self) -> None:
        """Stop every thread of the server, also where it is a child of the process that was launched."""
        for pid in nodes_of(self.folder):
            os.kill(pid, signal.SIGSTOP)

    def thaw_all(self) -> None:
        """Let it run on."""
        for pid in nodes_of(self.folder):
            os.kill(pid, signal.SIGCONT)

    def end(self) -> None:
        """Kill the server and whatever launched it."""
        for pid in nodes_of(self.folder):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(RuntimeError):  # it is gone already
            self.kill()

    def _answers(self) -> bool:
        user = next(iter(self._users), None)
        try:
            status, answer = self.ask("GET", "_cluster/health", user=user)
        except OSError:
            return False
        return status == 403 or (status == 200 and answer["status"] in {"green", "yellow"})

    def _prepare(self) -> None:
        source = self._distribution.fetched()
        self.make_folder(mode=0o755)
        # Hard links to what never changes; the folder itself because the cache may be closed to other users.
        shutil.copytree(source, self.folder / "home", copy_function=link)
        shutil.copytree(source / "config", self.folder / "config")
        for name in ("data", "logs", "tmp"):
            (self.folder / name).mkdir()
        self._write_jvm_options()
        if self._users:
            self._write_users()
        if os.geteuid() == 0:
            for path in (self.folder, *(self.folder / "config").rglob("*")):
                os.chown(path, _UNPRIVILEGED, _UNPRIVILEGED)
            for name in ("data", "logs", "tmp", "config"):
                os.chown(self.folder / name, _UNPRIVILEGED, _UNPRIVILEGED)

    def _write_jvm_options(self) -> None:
        """Leave out the collector that is not ours, and files of logs; paths are from the process' own folder."""
        path = self.folder / "config" / "jvm.options"
        unwanted = ("G1", "InitiatingHeap", "CMS", "-Xlog", "-Xms", "-Xmx", "HeapDump", "ErrorFile")
        kept = [
            line.replace("-javaagent:agent", f"-javaagent:{self.folder}/home/agent")
            for line in path.read_text(encoding="utf-8").splitlines()
            if not line.startswith("#") and not any(word in line for word in unwanted)
        ]
        path.write_text("\n".join([*kept, ""]), encoding="utf-8")

    def _write_users(self) -> None:
        config = self.folder / "config"
        hashes = {
            name: bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()
            for name, (password, _) in self._users.items()
        }
        (config / "users").write_text("".join(f"{name}:{hash_}\n" for name, hash_ in hashes.items()), encoding="ascii")
        roles = "".join(f"{role}:{name}\n" for name, (_, role) in self._users.items())
        (config / "users_roles").write_text(roles, encoding="ascii")
        # JSON is YAML, but Elasticsearch takes the file apart by lines: a role begins where one is not indented.
        roles = "".join(f"{name}: {json.dumps(role)}\n" for name, role in self._roles.items())
        (config / "roles.yml").write_text(roles, encoding="ascii")
