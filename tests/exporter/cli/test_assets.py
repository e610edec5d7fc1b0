"""`keywatch assets` gives whoever has the package alone what documents speak of."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from keywatch.assets import shipped
from keywatch.cli.command import main
from tests.exporter.documents.test_links import broken
from tests.exporter.documents.tree import ROOT


def test_all_of_it_is_written_as_it_is_in_the_tree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["assets", "export", str(tmp_path)]) == 0
    count = len(list(shipped.files()))
    assert capsys.readouterr().out == f"{tmp_path}: {count} files written, 0 the same\n"
    for name in (
        *("alerts/rules/kafka.yml", "alerts/runbooks/KafkaBrokerDown.md", "alerts/alertmanager.yml"),
        *("alerts/kubernetes/kafka.yml", "dashboards/json/keywatch-kafka.json", "deploy/grafana/provisioning.yml"),
        *("logstash/pipeline/10-events.conf", "logstash/scripts/redact.rb", "logstash/config/pipelines.yml"),
        *("logstash/elasticsearch/ilm/logs-keycloak.json", "logstash/opensearch/roles.yml"),
        *("docs/guides/logs.md", "docs/keywatch.example.yml"),
    ):
        assert (tmp_path / name).read_bytes() == (ROOT / name).read_bytes(), name


def test_links_of_runbooks_and_guides_lead_somewhere_in_what_is_written(tmp_path: Path) -> None:
    assert main(["assets", "export", str(tmp_path)]) == 0
    documents = [*(tmp_path / "alerts").rglob("*.md"), *(tmp_path / "docs" / "guides").glob("*.md")]
    assert len(documents) > 100
    # To the code, and to what only its developers read.
    beyond = re.compile(r"(\.\./)*(exporter|tests|CONTRIBUTING|Makefile|deploy/compose|README\.md|dashboards/k)")
    for path in documents:
        lost = [one for one in broken(path, path.read_text(encoding="utf-8")) if not beyond.match(one)]
        assert lost == [], path


def test_one_folder_stands_in_the_folder_that_is_given(tmp_path: Path) -> None:
    assert main(["assets", "export", "--only", "alerts/rules/", str(tmp_path / "keywatch")]) == 0
    names = {path.name for path in (tmp_path / "keywatch").glob("*.yml")}
    assert names == {path.name for path in (ROOT / "alerts" / "rules").iterdir()}


def test_alerts_point_to_your_runbooks(tmp_path: Path) -> None:
    flags = ["--only", "alerts/rules", "--runbooks", "https://wiki.example.org/keywatch/"]
    assert main(["assets", "export", str(tmp_path), *flags]) == 0
    groups = yaml.safe_load((tmp_path / "kafka.yml").read_text(encoding="utf-8"))["groups"]
    urls = [rule["annotations"]["runbook_url"] for rule in groups[0]["rules"] if "alert" in rule]
    assert urls[0] == "https://wiki.example.org/keywatch/KafkaClusterDown.md"
    assert "keywatch.example/" not in (tmp_path / "kafka.yml").read_text(encoding="utf-8")
    assert main(["assets", "export", str(tmp_path), *flags]) == 0


def test_what_was_changed_is_named_and_ends_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["assets", "export", "--only", "alerts/rules", str(tmp_path)]
    assert main(flags) == 0
    (tmp_path / "kafka.yml").write_text("groups: []\n", encoding="utf-8")
    capsys.readouterr()
    assert main(flags) == 1
    out, err = capsys.readouterr()
    assert err == f"{tmp_path}/kafka.yml: was changed here and stays as it is; --force replaces it\n"
    assert out.startswith(f"{tmp_path}: 0 files written, ")
    assert main([*flags, "--force"]) == 0


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--only", "alerts/nothing"], "--only alerts/nothing: there is no such folder; `keywatch assets list` names"),
        (["--only", "../exporter"], "there is no such folder"),
        (["FILE"], "is no folder"),
        (["/proc/nothing"], "/proc/nothing: cannot be written"),
    ],
)
def test_what_cannot_be_is_told(
    flags: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.touch()
    words = [flag.replace("FILE", str(file)) for flag in flags]
    where = [] if len(words) == 1 else [str(tmp_path / "new")]
    assert main(["assets", "export", *words, *where]) == 2
    assert says in capsys.readouterr().err


def test_folders_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["assets", "list"]) == 0
    listed = set(capsys.readouterr().out.split())
    assert {"alerts/rules", "alerts/runbooks", "dashboards/json", "logstash/pipeline"} <= listed
