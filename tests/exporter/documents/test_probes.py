"""Each probe has a page, which is fresh, and what it says of reasons is what the code can say."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from keywatch.config.model import Cluster
from keywatch.documents import probe_alerts, probes
from keywatch.elastic import server
from keywatch.engine.about import ANY_PROBE
from keywatch.engine.probe import Reason
from keywatch.kafka import connection, connection_limit, peers, proof
from keywatch.metrics import catalogue
from keywatch.net import failures, http_peer
from keywatch.service.wiring import broker_plan, plans
from tests.exporter.documents.reasons import below, named
from tests.exporter.documents.tree import ROOT
from tests.exporter.layers import modules

DOCS = ROOT / "docs"
SOURCES = modules()
PROBES = list(probes.MODULES)
EVERYTHING = {
    "bootstrap": ["kafka-1:9092"],
    "keycloaks": [{"name": "keycloak-1", "url": "http://keycloak-1:9000"}],
    "events": [{"listener": "snuk87", "reconcile": {}, "topics": {"user": ["events"]}}],
    "dlq": [{"name": "topics", "topics": ["dead"]}, {"name": "folder", "folder": "/dead"}],
    "logs": {
        "logstash": [{"name": "logstash-1", "url": "http://logstash-1:9600"}],
        "elasticsearch": {"url": "http://elasticsearch:9200"},
        "lag": [{"group": "logstash", "topics": ["events"]}],
        "canary": {"topic": "events"},
    },
}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of what the pages are written from and into; gives its docs."""
    shutil.copytree(DOCS, tmp_path / "docs", ignore=shutil.ignore_patterns("img"))
    shutil.copytree(ROOT / "alerts" / "rules", tmp_path / "alerts" / "rules")
    return tmp_path / "docs"


def test_the_pages_are_fresh() -> None:
    assert probes.write(DOCS, check=True) == []


def test_every_probe_that_is_planned_has_a_page() -> None:
    cluster = Cluster.model_validate(EVERYTHING)
    planned = {key.probe for key in plans(cluster)} | {broker_plan(cluster, "1").key.probe}
    assert planned == {path.stem for path in (DOCS / "probes").glob("*.md")} - {"README"}
    assert set(probes.ABOUT) == planned == set(PROBES)


def test_every_metric_stands_on_a_page() -> None:
    assert set(catalogue.COLLECTORS) - set(PROBES) == {"probe", "exporter"}


def test_a_page_that_was_changed_is_stale_and_written_anew(copy: Path) -> None:
    page = copy / "probes" / "broker.md"
    good = page.read_text(encoding="utf-8")
    page.write_text(good.replace("0.5", "0.6"), encoding="utf-8")
    assert probes.write(copy, check=True) == [str(page)]
    assert probes.write(copy, check=False) == [str(page)]
    assert page.read_text(encoding="utf-8") == good


def test_a_page_that_is_missing_is_told(copy: Path) -> None:
    (copy / "probes" / "dlq.md").unlink()
    assert probes.write(copy, check=True) == [str(copy / "probes" / "dlq.md")]


def test_a_page_that_no_probe_has_is_told_and_taken_away(copy: Path) -> None:
    orphan = copy / "probes" / "zookeeper.md"
    orphan.write_text("# Probe `zookeeper`\n", encoding="utf-8")
    assert probes.write(copy, check=True) == [str(orphan)]
    assert orphan.exists()
    assert probes.write(copy, check=False) == [str(orphan)]
    assert not orphan.exists()


def test_the_command_fails_while_something_is_stale(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (copy / "probes" / "README.md").unlink()
    monkeypatch.setattr(sys, "argv", ["probes", str(copy), "--check"])
    assert probes.main() == 1
    monkeypatch.setattr(sys, "argv", ["probes", str(copy)])
    assert probes.main() == 0
    monkeypatch.setattr(sys, "argv", ["probes", str(copy), "--check"])
    assert probes.main() == 0


def test_a_rule_that_is_renamed_makes_its_pages_stale(copy: Path) -> None:
    rules = copy.parent / "alerts" / "rules" / "keycloak.yml"
    rules.write_text(rules.read_text(encoding="utf-8").replace("KeycloakNotReady", "KeycloakUnready"), encoding="utf-8")
    assert probes.write(copy, check=True) == [str(copy / "probes" / "keycloak.md")]


@pytest.mark.parametrize("name", PROBES)
def test_a_page_holds_all_that_was_promised(name: str) -> None:
    page = (DOCS / "probes" / f"{name}.md").read_text(encoding="utf-8")
    for heading in ("What it needs", "Series", "Reasons", "Alerts", "Configuration"):
        assert page.count(f"\n## {heading}\n") == 1
    assert page.count("\n### `clusters[].") >= 1
    for _, question, _ in probes.questions(name):
        assert len(question) > len("Why?")
        assert f"**{question}**" in page
    for metric in catalogue.METRICS:
        assert (f"| `{metric}` |" in page) is (metric.probe == name)


RULES = """\
groups:
  - name: planted
    rules:
      - {record: "cluster:dead:recent", expr: max(keywatch_dlq_records) by (cluster)}
      - {record: "cluster:dead:avg", expr: 'avg_over_time(cluster:dead:recent[5m])'}
      - {alert: Named, expr: 'keywatch_probe_success{probe="offsets"} == 0'}
      - {alert: Others, expr: 'keywatch_probe_success{probe!~"offsets|dlq"} == 0'}
      - {alert: All, expr: keywatch_probe_success == 0}
      - {alert: Recorded, expr: 'cluster:dead:avg > 1'}
      - {alert: Buckets, expr: 'rate(keywatch_canary_round_trip_seconds_bucket[5m]) > 1'}
      - {alert: Silent, expr: 'up == 0 unless on (cluster) cluster:dead:avg > 1'}
      - {alert: Both, expr: 'keywatch_logstash_up == 0 unless keywatch_logstash_up offset 1h == 0'}
      - alert: Shown
        expr: up == 0
        annotations: {summary: '{{ query "keywatch_dlq_up" }}'}
"""


@pytest.mark.parametrize(
    ("probe", "expected"),
    [
        ("offsets", ["Named"]),
        ("dlq", ["Recorded"]),
        ("canary", ["Others", "Buckets"]),
        ("logstash", ["Others", "Both"]),
        (probe_alerts.EVERY, ["All"]),
    ],
)
def test_alerts_are_found_by_series_recording_and_label(probe: str, expected: list[str], tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(RULES, encoding="utf-8")
    assert [rule.alert for rule in probe_alerts.alerts(probe_alerts.read(tmp_path), probe)] == expected


def test_alerts_that_a_probe_only_silences_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(RULES, encoding="utf-8")
    rules = probe_alerts.read(tmp_path)
    assert [rule.alert for rule in probe_alerts.silenced(rules, "dlq")] == ["Silent"]
    assert probe_alerts.silenced(rules, "logstash") == []


def own(name: str) -> list[str]:
    """Return the modules of a probe as the layers call them."""
    return [module.__name__.removeprefix("keywatch.") for module in probes.MODULES[name]]


@pytest.mark.parametrize("name", PROBES)
def test_a_page_names_every_reason_that_its_probe_itself_gives(name: str) -> None:
    folder = own(name)[0].rpartition(".")[0]
    modules_of_it = {m for m in below(own(name), SOURCES) if m.startswith(f"{folder}.")}
    given = set().union(*(named(SOURCES[module]) for module in modules_of_it))
    assert given - set(probes.ABOUT[name].all_reasons) == set()


@pytest.mark.parametrize("name", PROBES)
def test_a_page_names_no_reason_that_nothing_below_its_probe_gives(name: str) -> None:
    possible = set().union(*(named(SOURCES[module]) for module in below(own(name), SOURCES)))
    assert probes.ABOUT[name].reasons - possible - ANY_PROBE == set()


FAMILIES = {
    "net.failures": failures.REASONS,
    "net.http_peer": http_peer.REASONS,
    "kafka.connection": connection.REASONS,
    "kafka.proof": proof.REASONS,
    "kafka.peers": peers.REASONS,
    "elastic.server": server.REASONS,
}
# What is below a module and speaks for it.
PARTS = {
    "kafka.connection": ["kafka.security.sasl"],
    "elastic.server": ["elastic.errors", "elastic.identity", "elastic.product", "elastic.wire"],
}
BASES = {
    "net.http_peer": failures.REASONS,
    "kafka.connection": failures.REASONS,
    "kafka.peers": connection.REASONS | proof.REASONS | connection_limit.REASONS,
    "elastic.server": http_peer.REASONS,
}


@pytest.mark.parametrize("module", FAMILIES)
def test_what_a_way_of_asking_declares_is_what_it_gives(module: str) -> None:
    given = set().union(*(named(SOURCES[part]) for part in (module, *PARTS.get(module, []))))
    assert FAMILIES[module] == given | BASES.get(module, frozenset())


# A probe that asks in one of these ways may fail in each of its ways, but for what it takes as an answer: a broker
# without DescribeConfigs; and what Kafka does not tell is only counted where the search is the question.
KAFKA_ALONE = {
    *(Reason.UNREGISTERED, Reason.THROTTLED, Reason.CONNECTION_LIMIT, Reason.OTHER_BROKER),
}
SWALLOWED = {
    "configs": {Reason.UNSUPPORTED},
    "log_lag": KAFKA_ALONE,
    "log_canary": KAFKA_ALONE,
}


@pytest.mark.parametrize("name", PROBES)
def test_a_page_names_all_that_may_befall_the_way_its_probe_asks(name: str) -> None:
    stands_on = below(own(name), SOURCES)
    ways: set[Reason] = set().union(*(reasons for module, reasons in FAMILIES.items() if module in stands_on))
    assert ways - set(probes.ABOUT[name].all_reasons) == SWALLOWED.get(name, set())


def test_a_reason_that_is_added_to_the_code_is_seen() -> None:
    planted = SOURCES["probes.cluster.topics"] + '\nraise ProbeError(Reason.STORAGE, "full")\n'
    assert named(planted) - set(probes.ABOUT["topics"].all_reasons) == {Reason.STORAGE}
    assert named("if error.reason is Reason.DNS: pass") == set()
    assert named("REASONS = frozenset({Reason.DNS})") == set()


def test_every_reason_says_what_it_means() -> None:
    assert all(reason.meaning.endswith(".") and "|" not in reason.meaning for reason in Reason)
    assert len({reason.meaning for reason in Reason}) == len(Reason)
