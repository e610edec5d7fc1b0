"""The files of the room: hosts, what lies in `/etc`, folders, and a copy of the tree with what people have by it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.exporter.documents.tree import ROOT
from tests.kafka.certificates import CertificateAuthority

KAFKA: Final = "127.0.0.21"
KEYCLOAK: Final = "127.0.0.11"
LOGSTASH: Final = "127.0.0.12"
ELASTICSEARCH: Final = "127.0.0.13"
_HOSTS = f"""\
127.0.0.1 localhost
{KAFKA} kafka-1 kafka-2 kafka-3
{KEYCLOAK} keycloak-1 keycloak-2 db
{LOGSTASH} logstash-1
{ELASTICSEARCH} elasticsearch
"""
KEYWATCH: Final = """\
clusters:
  - bootstrap: ["kafka-1:9092"]
    topics: {watch: [events]}
    keycloaks:
      - {name: keycloak-1, url: "http://keycloak-1:9000"}
    dlq:
      - {name: listener, folder: /var/lib/keycloak/dlq/kafka}
      - {name: siem-sink, topics: [siem-sink-dlq], destination: events}
    redrive: {audit_file: /var/log/keywatch/dlq-audit.jsonl, state_folder: /var/log/keywatch}
    events:
      - listener: snuk87
        topics: {user: [events]}
        reconcile: {window: 10}
    logs:
      logstash: [{name: logstash-1, url: "http://logstash-1:9600"}]
      elasticsearch:
        url: https://elasticsearch:9200
        tls: {ca_file: /etc/keywatch/ca.pem}
        api_key_file: /etc/keywatch/reader.key
"""
_WEB = """\
tls_server_config: {cert_file: /etc/keywatch/server.pem, key_file: /etc/keywatch/server.key}
"""
_RULES = """\
groups:
  - name: mine
    interval: 15s
    rules:
      - alert: KafkaBrokersFew
        expr: count by (cluster) (keywatch_broker_up == 1) < 3
        for: 1m
        labels: {severity: warning, component: kafka}
        annotations:
          summary: Too few brokers answer.
          description: "{{ $value }} brokers of cluster {{ $labels.cluster }} answer."
          runbook_url: https://keywatch.example/alerts/runbooks/KafkaBrokerDown.md
          dashboard_url: https://grafana.example/d/keywatch-kafka
"""
_PASSWORD = "a-password-of-sixteen-letters"  # noqa: S105 - of a room that is gone in a minute


def furnish(folder: Path) -> Path:
    """Put everything where documents look for it, and return the copy of the tree."""
    _copy_over("/etc", folder)
    _empty_over("/var/lib", folder)
    # Java's list of its processes, by numbers that are of this room.
    _empty_over("/tmp/hsperfdata_root", folder)  # noqa: S108 - Java chose the place
    tree = folder / "tree"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            target = tree / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)
    Path("/etc/hosts").write_text(_HOSTS, encoding="utf-8")
    (tree / "venv" / "bin").mkdir(parents=True)
    (tree / "venv" / "bin" / "keywatch").symlink_to(Path(sys.executable).with_name("keywatch"))
    _certificates(folder, tree)
    _configurations(tree)
    for place in ("/var/lib/keycloak/dlq/kafka", "/var/lib/kafka/data/events-0", "/var/lib/grafana/dashboards"):
        Path(place).mkdir(parents=True)
    return tree


def _copy_over(place: str, folder: Path) -> None:
    copy = folder / place.strip("/").replace("/", "-")
    subprocess.run(["cp", "-a", place, copy], check=True)
    subprocess.run(["mount", "--bind", copy, place], check=True)


def _empty_over(place: str, folder: Path) -> None:
    empty = folder / place.strip("/").replace("/", "-")
    empty.mkdir()
    Path(place).mkdir(exist_ok=True)
    empty.chmod(Path(place).stat().st_mode & 0o777)
    subprocess.run(["mount", "--bind", empty, place], check=True)


def _certificates(folder: Path, tree: Path) -> None:
    authority = CertificateAuthority(folder / "authority")
    for owner in ("keywatch", "logstash"):
        place = Path("/etc") / owner
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        shutil.copy(authority.certificate, place / "ca.pem")
    shutil.copy(authority.certificate, tree / "ca.pem")
    own = authority.server("room", ["localhost", "elasticsearch", "keycloak-1", "kafka-1", "127.0.0.1", KAFKA])
    for name, path in (("server.pem", own.certificate), ("server.key", own.key)):
        shutil.copy(path, Path("/etc/keywatch") / name)
        shutil.copy(path, tree / name)
        os.chmod(Path("/etc/keywatch") / name, 0o600)  # noqa: PTH101 - beside the copy


def _configurations(tree: Path) -> None:
    etc = Path("/etc/keywatch")
    (etc / "keywatch.yml").write_text(KEYWATCH, encoding="utf-8")
    for place in (etc, tree):
        (place / "web.yml").write_text(_WEB, encoding="utf-8")
    for place in (etc / "reader.key", Path("/etc/logstash/elasticsearch.key"), tree / "bootstrap.key"):
        place.write_text("YWJjOmRlZg==\n", encoding="utf-8")
        place.chmod(0o600)
    shutil.copy(tree / "logstash" / "config" / "pipelines.yml", "/etc/logstash/pipelines.yml")
    (tree / "admin.properties").touch()
    (tree / "my-rules.yml").write_text(_RULES, encoding="utf-8")
    (tree / "saved-metrics.txt").write_text("# TYPE up gauge\nup 1\n", encoding="utf-8")
    (tree / "server.log").write_text("INFO Shrinking ISR\nWARN truncating, unclean\n", encoding="utf-8")
    (tree / "controller.log").write_text("INFO Deleted topic events\n", encoding="utf-8")
    required = ("KAFKA_BOOTSTRAP", "ELASTICSEARCH_HOSTS", "ELASTICSEARCH_API_KEY", "ELASTICSEARCH_CA_FILE")
    lines = [f"{name}=x" for name in (*required, "LOGSTASH_API_USER", "LOGSTASH_API_PASSWORD")]
    (tree / "logstash.env").write_text("\n".join([*lines, f"PII_HASH_KEY={'0' * 32}"]) + "\n", encoding="utf-8")
    prometheus = Path("/etc/prometheus")
    shutil.rmtree(prometheus, ignore_errors=True)
    (prometheus / "rules").mkdir(parents=True)
    for rules in (tree / "alerts" / "rules").glob("*.yml"):
        shutil.copy(rules, prometheus / "rules")
    shutil.copy(tree / "alerts" / "prometheus.yml", prometheus)
    shutil.copy(tree / "alerts" / "alertmanager.yml", prometheus)
