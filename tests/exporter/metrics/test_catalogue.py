"""The catalogue is bounded, documented, and importable by anything that only has Python."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import keywatch
from keywatch.documents import reference
from keywatch.metrics import catalogue
from keywatch.metrics import cluster as cluster_metrics
from keywatch.metrics.metric import Metric, MetricKind

DOCS = Path(__file__).parents[3] / "docs"

# Where each label's values come from; a label that is not here would need the same thought first.
BOUNDED_BY = {
    "feature": "an answer, of 50 features at most, with names of 61 letters at most",
    "verdict": "the enum GroupVerdict",
    "setting": "the settings that `topics.expect` knows",
    "severity": "the configuration",
    "log_dir": "what each broker names, 64 of each at most",
    "controller": "the quorum, of 2,000 voters at most",
    "cluster": "the configuration",
    "probe": "the code",
    "part": "the enum Part",
    "reason": "the enums Reason, Refusal, MalformedReason, DeadLetterReason and Flaw",
    "dlq": "the configuration",
    "state": "the states of the protocol",
    "protocol": "the kinds of groups of the protocol",
    "broker": "the brokers that should exist",
    "coordinator": "the brokers that should exist",
    "client_id": "`groups.members`, which says of how many members",
    "client_host": "`groups.members`, which says of how many members",
    "host": "one for each broker",
    "port": "one for each broker",
    "rack": "one for each broker",
    "cluster_id": "one for each cluster",
    "other_cluster_id": "the last one met at each broker's address, 64 letters at most",
    "topic": "the patterns of topics",
    "partition": "the partitions of those topics",
    "group": "the patterns of groups",
    "listener": "the configuration",
    "realm": "the names in the configuration and a bounded number learnt from events; the rest is `other`",
    "event": "Keycloak's event types and admin operations; the rest is `other`",
    "outcome": "the enum Outcome",
    "keycloak": "the configuration",
    "check": "twenty for each Keycloak; the rest is `other`",
    "type": "one for each group, forty letters of what its members call themselves",
    "version": "one process, one node of Logstash, one Elasticsearch",
    "logstash": "the configuration",
    "pipeline": "fifty for each Logstash; the rest is `other`",
    "plugin": "two hundred for each pipeline; the rest is `other`, those without an id are `unnamed`",
    "stage": "the code",
    "kind": "the code",
    "target": "the configuration",
    "window": "the code",
    "result": "the code",
    "code": "twenty statuses of HTTP for each Logstash; the rest is `other`",
    "status": "the code",
    "product": "the enum Name",
    "dataset": "the datasets of our pipelines; the rest is `other`",
    "python": "one process",
    "librdkafka": "one process",
}


def test_the_catalogue_needs_nothing_but_the_standard_library() -> None:
    # -I and -S: neither the environment nor site-packages can help; what is not the standard library fails to import.
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import keywatch.metrics.catalogue;"
        "print(*sorted({name.partition('.')[0] for name in sys.modules} - set(sys.stdlib_module_names)))"
    )
    source = str(Path(keywatch.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, source], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.stderr == ""
    assert done.stdout.split() == ["__main__", "keywatch"]


GOOD: dict[str, Any] = {"name": "keywatch_thing_seconds", "kind": MetricKind.GAUGE, "help": "A thing."}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"name": "thing_seconds"}, "not keywatch_<thing>_<what>_<base unit>"),
        ({"name": "keywatch"}, "not keywatch_<thing>_<what>_<base unit>"),
        ({"name": "keywatch_Thing"}, "not keywatch_<thing>_<what>_<base unit>"),
        ({"name": "keywatch_thing_"}, "not keywatch_<thing>_<what>_<base unit>"),
        ({"name": "keywatch_thing_ms"}, "not keywatch_<thing>_<what>_<base unit>"),
        ({"name": "keywatch_thing_percent"}, "not keywatch_<thing>_<what>_<base unit>"),
        ({"name": "keywatch_thing_age_seconds"}, "not keywatch_<thing>_<what>_<base unit>"),
        ({"name": "keywatch_things_total"}, "_total belongs to counters"),
        ({"kind": MetricKind.COUNTER}, "_total belongs to counters"),
        ({"kind": MetricKind.HISTOGRAM}, "buckets belong to histograms"),
        ({"buckets": (1.0,)}, "buckets belong to histograms"),
        ({"kind": MetricKind.HISTOGRAM, "buckets": (2.0, 1.0)}, "buckets must ascend"),
        ({"kind": MetricKind.HISTOGRAM, "buckets": (1.0, 1.0)}, "buckets must ascend"),
        ({"help": "A thing"}, "ends with a full stop"),
        ({"labels": ("job",)}, "label 'job' is not allowed"),
        ({"labels": ("topic", "le")}, "label 'le' is not allowed"),
        ({"labels": ("Topic",)}, "label 'Topic' is not allowed"),
        ({"labels": ("__name",)}, "label '__name' is not allowed"),
    ],
)
def test_a_declaration_that_breaks_a_naming_rule_is_refused(change: dict[str, Any], complaint: str) -> None:
    Metric(**GOOD)
    with pytest.raises(ValueError, match=complaint) as refused:
        Metric(**{**GOOD, **change})
    assert str(refused.value).startswith(f"{change.get('name', GOOD['name'])}: ")


def test_every_label_is_bounded() -> None:
    used = {label for metric in catalogue.METRICS for label in metric.labels}
    assert used == BOUNDED_BY.keys()


def test_no_help_holds_what_the_text_format_would_have_to_escape() -> None:
    assert [m.name for m in catalogue.METRICS if "\\" in m.help or "\n" in m.help] == []


def test_names_are_unique_and_a_metric_writes_itself_as_its_name() -> None:
    names = [str(metric) for metric in catalogue.METRICS]
    assert len(names) == len(set(names)) > 50
    assert f"max({cluster_metrics.BROKER_UP})" == "max(keywatch_broker_up)"


def test_every_metric_is_documented_under_its_collector() -> None:
    sections = (DOCS / "metrics.md").read_text(encoding="utf-8").split("\n## ")
    by_heading = {section.partition("\n")[0]: section for section in sections[1:]}
    assert list(by_heading) == list(catalogue.COLLECTORS)
    for metric in catalogue.METRICS:
        assert f"| `{metric}` | {metric.kind} |" in by_heading[metric.probe]


def test_the_generated_documents_are_fresh() -> None:
    assert reference.write_docs(DOCS, check=True) == []


@pytest.mark.parametrize("name", ["metrics.md", "configuration.md", "keywatch.example.yml"])
def test_a_changed_document_is_called_stale_and_written_anew(name: str, tmp_path: Path) -> None:
    shutil.copytree(DOCS, tmp_path, dirs_exist_ok=True)
    changed = tmp_path / name
    good = changed.read_text(encoding="utf-8")
    changed.write_text(good + "by hand\n", encoding="utf-8")
    assert reference.write_docs(tmp_path, check=True) == [str(changed)]
    assert changed.read_text(encoding="utf-8").endswith("by hand\n")
    assert reference.write_docs(tmp_path, check=False) == [str(changed)]
    assert changed.read_text(encoding="utf-8") == good


def test_the_check_of_documents_fails_when_one_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["reference", str(tmp_path), "--check"])
    assert reference.main() == 1
    assert capsys.readouterr().out.count("stale: ") == 3
    monkeypatch.setattr(sys, "argv", ["reference", str(tmp_path)])
    assert reference.main() == 0
    monkeypatch.setattr(sys, "argv", ["reference", str(tmp_path), "--check"])
    assert reference.main() == 0
