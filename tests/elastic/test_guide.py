"""What the guide to logs shows is taken as it stands there, and names series, alerts and flags that there are."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

from keywatch.cli.command import main
from keywatch.config.model import Config
from keywatch.config.yaml_file import tree, validated
from keywatch.documents.reference import example
from keywatch.metrics import catalogue
from tests.alerts import table

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "guides" / "logs.md").read_text(encoding="utf-8")
KEYCLOAKS = {"--log", "--log-file-output", "--log-file-json-format"}


def test_its_configurations_are_good() -> None:
    blocks = re.findall(r"^ *```yaml\n(.*?)```", GUIDE, re.DOTALL | re.MULTILINE)
    assert blocks
    for text in blocks:
        data, lines = tree(text, "guide")
        assert validated(Config, data, "guide", lines).clusters[0].logs


def test_its_series_exist() -> None:
    named = set(re.findall(r"keywatch_(?:log|logstash|elasticsearch|probe)_[a-z_]+", GUIDE))
    assert len(named) > 3
    assert named <= {str(metric) for metric in catalogue.METRICS}


def test_its_runbooks_exist_and_every_alert_about_logs_has_one() -> None:
    for page in re.findall(r"\(\.\./\.\./(alerts/runbooks/\w+\.md)\)", GUIDE):
        assert (ROOT / page).is_file(), page
    alerts = [name for name, rule in table.rules().items() if rule["file"] == "logs.yml"]
    assert len(alerts) == 17
    for name in re.findall(r"`((?:Logstash|Elasticsearch|LogIndex)[A-Z]\w+)`", GUIDE):
        assert name in alerts, name


def test_its_flags_exist() -> None:
    helped = io.StringIO()
    for verb in ("lint", "bootstrap", "check", "search"):
        with contextlib.redirect_stdout(helped), contextlib.suppress(SystemExit):
            main(["logs", verb, "--help"])
    known = set(re.findall(r"--[a-z.-]+", helped.getvalue()))
    used = set(re.findall(r"(?<!\w)(--[a-z][a-z.-]+)", GUIDE.partition("## Elasticsearch")[2]))
    # Of kubectl, docker and the programs whose command lines are redacted.
    others = {"--db-password", "--prefix", "--timestamps"}
    assert used <= known | KEYCLOAKS | others, used - known


def test_the_groups_whose_lag_is_shown_are_those_of_the_pipelines() -> None:
    pipelines = (ROOT / "logstash" / "pipeline" / "10-events.conf").read_text(encoding="utf-8")
    groups = {group.replace("${KAFKA_GROUP_PREFIX:keywatch}", "keywatch")
              for group in re.findall(r'group_id => "(.*)"', pipelines)}  # fmt: skip
    assert len(groups) == 2
    for text in (GUIDE, example()):
        assert set(re.findall(r"- group: (\S+)", text)) & groups
        assert set(re.findall(r"- group: (\S+-keycloak-\S+)", text)) <= groups
