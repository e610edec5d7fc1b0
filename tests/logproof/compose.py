"""Runs deploy/compose/logs.yml: Kafka, Elasticsearch and Logstash in containers, on free ports of loopback."""

from __future__ import annotations

import http
import json
import os
import secrets
import shutil
import ssl
import subprocess
import tempfile
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from keywatch.cli.command import main
from tests.kafka.certificates import CertificateAuthority
from tests.kafka.ports import PortReservation
from tests.kafka.waiting import wait_until
from tests.logproof.documents import NotYetError
from tests.logstash import ours

FILE = Path(__file__).parents[2] / "deploy" / "compose" / "logs.yml"
LOGS = {"keycloak": ("keycloak-log-ecs", "keycloak-log-json"), "keywatch": ("keywatch-log",)}
"""Folder → the samples whose lines lie in its files."""

_UP_SECONDS = 900.0  # images of 2 GB may have to come first
_DOWN_SECONDS = 120.0


def requirements_missing() -> str:
    """Say what this machine lacks; empty when nothing."""
    if shutil.which("docker") is None:
        return "docker is missing"
    done = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False, timeout=60)
    return "" if done.returncode == 0 else "docker has no plugin compose"


class Compose:
    """A context manager that enters with Kafka and a prepared Elasticsearch, and ends all with their volumes."""

    def __init__(self) -> None:
        """Make certificates, passwords and the files of logs."""
        self.folder = Path(tempfile.mkdtemp(prefix="keywatch-logs-"))
        certificates = self.folder / "certificates"
        authority = CertificateAuthority(certificates)
        self.authority = authority.certificate
        authority.server("elasticsearch", ["elasticsearch", "localhost", "127.0.0.1"])
        for file in certificates.iterdir():
            file.chmod(0o644)  # Elasticsearch runs as another user
        self.folder.chmod(0o755)
        self._write_logs(self.folder / "logs")
        self._ports = PortReservation()
        kafka, elasticsearch, logstash = (self._ports.take("127.0.0.1") for _ in range(3))
        self.bootstrap = f"127.0.0.1:{kafka}"
        self.url = f"https://127.0.0.1:{elasticsearch}"
        self._password = secrets.token_hex(16)
        self._environment = {
            "KEYWATCH_KAFKA_PORT": str(kafka),
            "KEYWATCH_ELASTICSEARCH_PORT": str(elasticsearch),
            "KEYWATCH_LOGSTASH_PORT": str(logstash),
            "KEYWATCH_CERTIFICATES": str(certificates),
            "KEYWATCH_LOG_FOLDER": str(self.folder / "logs"),
            "ELASTIC_PASSWORD": self._password,
            "LOGSTASH_API_PASSWORD": secrets.token_hex(16),
            "PII_HASH_KEY": ours.ENVIRONMENT["PII_HASH_KEY"],
        }

    def __enter__(self) -> Self:
        try:
            self._compose("up", "-d", "--quiet-pull", "kafka", "elasticsearch", timeout=_UP_SECONDS)
            wait_until(self._answers, _UP_SECONDS, "Elasticsearch answers")
            self._prepare()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if error is not None:
            print(self._compose("logs", "--tail", "60", "logstash", "elasticsearch", check=False).stdout[-8000:])
        self._end()

    def start_logstash(self) -> None:
        """Start Logstash, anew after it was killed; what its queue holds is still there."""
        self._compose("--profile", "logstash", "up", "-d", "--quiet-pull", "logstash", timeout=_UP_SECONDS)

    def kill_logstash(self) -> None:
        """End Logstash as a power cut does."""
        self._compose("--profile", "logstash", "kill", "-s", "KILL", "logstash")

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Ask Elasticsearch; raises `NotYetError`, or `urllib.error.HTTPError` for what it refuses."""
        request = urllib.request.Request(f"{self.url}/{path}", method=method)  # noqa: S310 - a server of ours
        request.add_header("Authorization", f"Basic {b64encode(f'elastic:{self._password}'.encode()).decode()}")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        trusted = ssl.create_default_context(cafile=str(self.authority))
        try:
            with urllib.request.urlopen(request, timeout=60, context=trusted) as answer:  # noqa: S310 - as above
                found: dict[str, Any] = json.loads(answer.read())
        except urllib.error.HTTPError as error:
            if error.code == http.HTTPStatus.SERVICE_UNAVAILABLE:
                raise NotYetError(path) from None
            raise
        return found

    def _prepare(self) -> None:
        password = self.folder / "password"
        password.touch(0o600)
        password.write_text(self._password, encoding="utf-8")
        known = ["--url", self.url, "--ca-file", str(self.authority), "--username", "elastic"]
        assert main(["logs", "bootstrap", *known, "--password-file", str(password)]) == 0, "bootstrap failed"
        role = json.loads((ours.FOLDER / "elasticsearch" / "roles" / "keywatch-logstash.json").read_text("utf-8"))
        rights = {"keywatch-logstash": {name: role[name] for name in ("cluster", "indices")}}
        key = self.ask("POST", "_security/api_key", {"name": "logstash", "role_descriptors": rights})
        self._environment["ELASTICSEARCH_API_KEY"] = f"{key['id']}:{key['api_key']}"

    def _answers(self) -> bool:
        try:
            return bool(self.ask("GET", "_cluster/health")["status"] in ("green", "yellow"))
        except (OSError, NotYetError, ValueError):
            return False

    def _compose(self, *words: str, timeout: float = 60.0, check: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["docker", "compose", "-f", str(FILE), *words],
            env=os.environ | self._environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=check,
            timeout=timeout,
        )

    def _end(self) -> None:
        self._compose("--profile", "logstash", "down", "-v", timeout=_DOWN_SECONDS, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)
        self._ports.close()

    @staticmethod
    def _write_logs(folder: Path) -> None:
        for name, some in LOGS.items():
            (folder / name).mkdir(parents=True)
            for one in some:
                lines = "".join(f"{sample['text']}\n" for sample in ours.samples(one))
                (folder / name / f"{one}.log").write_text(lines, encoding="utf-8")
