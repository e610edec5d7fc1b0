"""Dashboards come into a Grafana whole or not at all, and whatever is in the way is named."""

from __future__ import annotations

import copy
import json
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from keywatch_dashboards import cli, render
from tests.dashboards import fake_grafana
from tests.dashboards.fake_grafana import FakeGrafana
from tests.kafka.certificates import CertificateAuthority

WANTED = {name.removesuffix(".json"): json.loads(text) for name, text in render.texts().items()}


@pytest.fixture
def grafana(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGrafana]:
    monkeypatch.setenv(cli.TOKEN, fake_grafana.TOKEN)
    with fake_grafana.running() as fake:
        yield fake


def there(grafana: FakeGrafana) -> dict[str, object]:
    """Return what Grafana has, without the numbers that are its own."""
    return {
        uid: {key: value for key, value in data.items() if key not in {"id", "version"}}
        for uid, (data, _) in grafana.dashboards.items()
    }


def test_every_dashboard_comes_and_a_second_time_writes_nothing(
    grafana: FakeGrafana, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["--grafana", grafana.url]) == cli.OK
    assert there(grafana) == WANTED
    assert capsys.readouterr().err.count("is new") == len(WANTED)
    grafana.writes.clear()
    assert cli.main(["--grafana", grafana.url + "/"]) == cli.OK
    assert grafana.writes == []
    assert capsys.readouterr().err.count("stays as it is") == len(WANTED)


def test_a_dry_run_shows_the_difference_and_writes_nothing(
    grafana: FakeGrafana, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["--grafana", grafana.url]) == cli.OK
    changed = copy.deepcopy(grafana.dashboards["keywatch-kafka"][0])
    changed["refresh"] = "1m"
    grafana.dashboards["keywatch-kafka"] = (changed, "")
    del grafana.dashboards["keywatch-events"]
    grafana.writes.clear()
    capsys.readouterr()
    assert cli.main(["--grafana", grafana.url, "--dry-run", "--folder", "Path"]) == cli.STALE
    told = capsys.readouterr()
    assert grafana.writes == []
    assert '-  "refresh": "1m",\n+  "refresh": "10s",' in told.out
    assert "--- keywatch-events in Grafana" in told.out
    assert "keywatch-kafka: changes and moves to another folder" in told.err
    assert "folder Path: is new" in told.err
    assert "keywatch-events: is new" in told.err


def test_what_grafana_adds_is_no_difference(grafana: FakeGrafana, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--grafana", grafana.url]) == cli.OK
    for data, _ in grafana.dashboards.values():
        data.update(schemaVersion=42, fiscalYearStartMonth=0, preload=False, weekStart="", iteration=7)
        del data["timepicker"]
        data["panels"][1]["transparent"] = False
    assert cli.main(["--grafana", grafana.url, "--check"]) == cli.OK
    assert capsys.readouterr().out == ""


def test_a_folder_is_made_or_found_by_its_title(grafana: FakeGrafana) -> None:
    assert cli.main(["--grafana", grafana.url, "--folder", "Operations"]) == cli.OK
    assert {folder for _, folder in grafana.dashboards.values()} == {"general-ops"}
    assert cli.main(["--grafana", grafana.url]) == cli.OK
    assert {folder for _, folder in grafana.dashboards.values()} == {"general-ops"}, "without a folder, all stays"
    assert cli.main(["--grafana", grafana.url, "--folder", "Path: events"]) == cli.OK
    assert grafana.folders["made-1"] == "Path: events"
    assert {folder for _, folder in grafana.dashboards.values()} == {"made-1"}


def test_a_datasource_that_does_not_exist_is_refused(grafana: FakeGrafana, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--grafana", grafana.url, "--datasource", "prom-2"]) == cli.BAD_USAGE
    assert "--datasource prom-2: there is no datasource with this uid" in capsys.readouterr().err
    assert cli.main(["--grafana", grafana.url, "--datasource", "loki-1"]) == cli.BAD_USAGE
    assert "is of type loki, not prometheus" in capsys.readouterr().err
    assert grafana.writes == []
    assert cli.main(["--grafana", grafana.url, "--datasource", "prom-1"]) == cli.OK
    chosen = grafana.dashboards["keywatch-kafka"][0]["templating"]["list"][0]["current"]
    assert chosen == {"text": "prom-1", "value": "prom-1"}


def test_a_datasource_that_may_not_be_read_is_said_to_be_unchecked(
    grafana: FakeGrafana, capsys: pytest.CaptureFixture[str]
) -> None:
    grafana.answers["GET", "/api/datasources/uid/prom-2"] = (403, '{"message": "Permission denied"}')
    assert cli.main(["--grafana", grafana.url, "--datasource", "prom-2"]) == cli.OK
    assert "not checked, since the token may not read datasources" in capsys.readouterr().err


@pytest.mark.parametrize("answered", [True, False])
def test_when_one_cannot_be_written_all_is_put_back(
    grafana: FakeGrafana, capsys: pytest.CaptureFixture[str], answered: bool
) -> None:
    assert cli.main(["--grafana", grafana.url]) == cli.OK
    old, _ = grafana.dashboards["keywatch-overview"]
    old["title"] = "as somebody left it"
    del grafana.dashboards["keywatch-kafka"]
    before = there(grafana)
    if answered:
        grafana.refused.add("keywatch-kafka")
    else:
        grafana.silent.add("keywatch-kafka")
    capsys.readouterr()
    assert cli.main(["--grafana", grafana.url, "--folder", "New"]) == cli.BAD_USAGE
    told = capsys.readouterr().err
    assert ("Grafana answers 412: The dashboard has been changed by someone else" in told) is answered
    assert told.endswith("; nothing was changed\n")
    assert there(grafana) == before
    assert {folder for _, folder in grafana.dashboards.values()} == {""}
    assert "made-1" not in grafana.folders


def test_what_cannot_be_put_back_is_named(grafana: FakeGrafana, capsys: pytest.CaptureFixture[str]) -> None:
    grafana.refused.add("keywatch-kafka")
    grafana.answers["DELETE", "/api/dashboards/uid/keywatch-overview"] = (500, '{"message": "database is locked"}')
    assert cli.main(["--grafana", grafana.url]) == cli.BAD_USAGE
    assert "these could not be put back: keywatch-overview" in capsys.readouterr().err


def test_provisioned_dashboards_are_refused_before_anything_is_written(
    grafana: FakeGrafana, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["--grafana", grafana.url]) == cli.OK
    grafana.provisioned.add("keywatch-runtime")
    grafana.writes.clear()
    capsys.readouterr()
    assert cli.main(["--grafana", grafana.url]) == cli.BAD_USAGE
    assert "keywatch-runtime: is provisioned from files" in capsys.readouterr().err
    assert grafana.writes == []


FAILURES: dict[str, tuple[tuple[int, str] | None, str]] = {
    "a wrong token": ((401, '{"message": "Invalid API key"}'), "the token is not accepted: Invalid API key"),
    "a token without the right": (
        (403, '{"message": "Access denied"}'),
        "the token lacks the right (it needs the role",
    ),
    "an address that leads elsewhere": ((302, "https://sso.example/login"), "leads to https://sso.example/login; give"),
    "no Grafana": ((404, "<html>"), "there is no Grafana at this address"),
    "a web page": ((200, "<html>"), "the answer is no JSON; is this a Grafana?"),
    "another JSON": ((200, "[1]"), "what Grafana has there is no dashboard"),
    "an error of Grafana": ((500, '{"message": "database is locked"}'), "Grafana answers 500: database is locked"),
    "a connection that ends": (None, "what answers there does not speak HTTP as Grafana does"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_failures_are_named(grafana: FakeGrafana, capsys: pytest.CaptureFixture[str], name: str) -> None:
    answer, words = FAILURES[name]
    grafana.answers["GET", "/api/dashboards/uid/keywatch-consumers"] = answer
    assert cli.main(["--grafana", grafana.url]) == cli.BAD_USAGE
    told = capsys.readouterr()
    assert words in told.err
    assert told.err.startswith(f"--grafana {grafana.url}: ")
    assert fake_grafana.TOKEN not in told.err + told.out
    assert grafana.dashboards == {}


REFUSALS = [
    (["--grafana", "grafana.example"], "is no address of a Grafana"),
    (["--grafana", "ftp://grafana.example"], "is no address of a Grafana"),
    (["--grafana", "http://[::1"], "is no address of a Grafana"),
    (["--grafana", "https://admin:secret@grafana.example"], "must be a plain address"),
    (["--grafana", "https://grafana.example", "--ca-file", "/nowhere"], "--ca-file /nowhere: cannot be used"),
    (["--grafana", "https://grafana.example", "--token-file", "/nowhere"], "cannot be read: No such file"),
    (["--grafana", "https://grafana.example", "--config-maps"], "--config-maps: goes with --out"),
    (["--out", "/nowhere", "--ca-file", "/nowhere"], "--token-file and --ca-file: go with --grafana"),
]


@pytest.mark.parametrize(("arguments", "words"), REFUSALS)
def test_what_cannot_be_used_is_refused(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(cli.TOKEN, fake_grafana.TOKEN)
    assert cli.main(arguments) == cli.BAD_USAGE
    told = capsys.readouterr().err
    assert words in told
    assert "secret" not in told


def test_without_a_token_nobody_is_asked(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(cli.TOKEN, raising=False)
    assert cli.main(["--grafana", "http://127.0.0.1:1"]) == cli.BAD_USAGE
    assert "needs the token of a service account" in capsys.readouterr().err


def test_a_grafana_that_does_not_listen_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(cli.TOKEN, fake_grafana.TOKEN)
    assert cli.main(["--grafana", "http://127.0.0.1:1"]) == cli.BAD_USAGE
    assert capsys.readouterr().err == "--grafana http://127.0.0.1:1: the connection is refused\n"


def test_tls_is_checked_and_the_token_can_lie_in_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(cli.TOKEN, raising=False)
    (tmp_path / "token").write_text(f"{fake_grafana.TOKEN}\n", encoding="utf-8")
    authority = CertificateAuthority(tmp_path)
    own = authority.server("grafana", ["127.0.0.1"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own.certificate, own.key)
    with fake_grafana.running(context) as fake:
        asked = ["--grafana", fake.url, "--token-file", str(tmp_path / "token")]
        assert cli.main(asked) == cli.BAD_USAGE
        assert "its certificate is not trusted" in capsys.readouterr().err
        assert cli.main([*asked, "--ca-file", str(authority.certificate)]) == cli.OK
        assert there(fake) == WANTED
