"""The command writes all or nothing, and says what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from keywatch.metrics import cluster
from keywatch_dashboards import cli


def test_it_writes_every_dashboard(tmp_path: Path) -> None:
    assert cli.main(["--out", str(tmp_path / "new")]) == cli.OK
    assert "keywatch-overview.json" in {path.name for path in (tmp_path / "new").iterdir()}
    assert cli.main(["--out", str(tmp_path / "new"), "--check"]) == cli.OK


def test_drift_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["--out", str(tmp_path)])
    (tmp_path / "keywatch-kafka.json").write_text("{}", encoding="utf-8")
    (tmp_path / "keywatch-events.json").unlink()
    (tmp_path / "old.json").write_text("{}", encoding="utf-8")
    assert cli.main(["--out", str(tmp_path), "--check"]) == cli.STALE
    told = capsys.readouterr().err
    assert "keywatch-kafka.json: differs" in told
    assert "keywatch-events.json: is missing" in told
    assert "old.json: belongs to no dashboard" in told


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert cli.main(["--out", str(tmp_path / "file")]) == cli.BAD_USAGE
    assert "cannot be written" in capsys.readouterr().err


def test_a_uid_that_is_none_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--out", str(tmp_path), "--datasource", "my prometheus"]) == cli.BAD_USAGE
    assert "letters, digits" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_metric_that_was_renamed_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(cluster, "BROKER_FAILURES_TOTAL")
    assert cli.main(["--out", str(tmp_path)]) == cli.BAD_USAGE
    told = capsys.readouterr().err
    assert told.startswith("kafka.py:")
    assert "keywatch.metrics.cluster has no metric BROKER_FAILURES_TOTAL" in told
    assert list(tmp_path.iterdir()) == []


def test_config_maps_hold_the_same_json(tmp_path: Path) -> None:
    assert cli.main(["--out", str(tmp_path / "json")]) == cli.OK
    assert cli.main(["--out", str(tmp_path / "maps"), "--config-maps", "--folder", "Path: events"]) == cli.OK
    for path in (tmp_path / "json").iterdir():
        manifest = yaml.safe_load((tmp_path / "maps" / f"{path.stem}.yml").read_text(encoding="utf-8"))
        assert manifest["metadata"]["annotations"] == {"grafana_folder": "Path: events"}
        assert json.loads(manifest["data"][path.name]) == json.loads(path.read_text(encoding="utf-8"))


def test_a_folder_without_config_maps_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--out", str(tmp_path), "--folder", "keywatch"]) == cli.BAD_USAGE
    assert "--config-maps" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
