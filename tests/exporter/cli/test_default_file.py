"""Without a flag the configuration is the file that the environment names, or else the usual one."""

from __future__ import annotations

from pathlib import Path

import pytest

from keywatch.cli import default_file
from keywatch.cli.command import main

GOOD = "clusters: [{name: NAME, bootstrap: ['127.0.0.1:1']}]\n"


@pytest.fixture
def usual(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have the usual place in a folder of the test, where nothing stands yet, and nothing in the environment."""
    place = tmp_path / "etc" / "keywatch" / "keywatch.yml"
    monkeypatch.setattr(default_file, "PLACE", str(place))
    monkeypatch.delenv(default_file.VARIABLE, raising=False)
    return place


def _good(place: Path, name: str) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(GOOD.replace("NAME", name), encoding="utf-8")
    return place


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("serve", "give --config.file FILE or --kafka HOST:PORT"),
        ("check", "give --config.file FILE or --kafka HOST:PORT"),
        ("config check", "give a FILE to check, or --web FILE"),
        ("logs search", "give --config.file FILE or --url URL"),
        ("logs check", "give --config.file FILE or --url URL"),
        ("logs bootstrap", "give --config.file FILE or --url URL"),
    ],
)
def test_where_there_is_none_the_message_says_where_it_may_stand(
    command: str, says: str, usual: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not usual.exists()
    assert main(command.split()) == 2
    assert capsys.readouterr() == ("", f"{says}; without them {default_file.WORDS}\n")


@pytest.mark.parametrize("command", ["serve", "check", "config check", "logs search", "logs check", "logs bootstrap"])
def test_each_command_reads_the_usual_file(command: str, usual: Path, capsys: pytest.CaptureFixture[str]) -> None:
    usual.parent.mkdir(parents=True)
    usual.write_text("clusters: 7\n", encoding="utf-8")
    assert main(command.split()) == 2
    assert capsys.readouterr().err.startswith(f"{usual}:1: clusters: ")


def test_what_the_environment_names_goes_before_the_usual_file(
    usual: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _good(usual, "usual")
    assert main(["config", "check"]) == 0
    assert capsys.readouterr().out == f"{usual}: good; clusters: usual\n"
    named = _good(tmp_path / "named.yml", "named")
    monkeypatch.setenv(default_file.VARIABLE, str(named))
    assert main(["config", "check"]) == 0
    assert capsys.readouterr().out == f"{named}: good; clusters: named\n"
    monkeypatch.setenv(default_file.VARIABLE, "/nowhere/k.yml")
    assert main(["check"]) == 2
    assert capsys.readouterr().err.startswith("/nowhere/k.yml: cannot be read")
    monkeypatch.setenv(default_file.VARIABLE, "")
    assert main(["config", "check"]) == 0
    assert capsys.readouterr().out == f"{usual}: good; clusters: usual\n"


def test_a_flag_goes_before_both(usual: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    usual.parent.mkdir(parents=True)
    usual.write_text("clusters: 7\n", encoding="utf-8")
    given = _good(tmp_path / "given.yml", "given")
    assert main(["config", "check", str(given)]) == 0
    assert main(["check", "--kafka", "127.0.0.1:1", "--within", "1"]) == 1, "the address is watched, not the file"
    out, err = capsys.readouterr()
    assert str(usual) not in out + err


def test_a_place_that_may_not_be_looked_into_is_named(
    usual: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # A name longer than any may be: nobody can look there, root included.
    place = usual.with_name("x" * 300)
    place.parent.mkdir(parents=True)
    monkeypatch.setattr(default_file, "PLACE", str(place))
    assert main(["check"]) == 2
    assert capsys.readouterr().err.startswith(f"{place}: cannot be read: ")
