"""The model does what Logstash's documentation and sources say of each filter, and refuses what it does not know."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from typing import Any

import pytest

from keywatch.logstash.variables import UndefinedError
from tests.logstash.model.pipeline import Pipeline
from tests.logstash.ruby import NoRuby

_OUTPUT = 'output { elasticsearch { id => "out" } }'


def _run(
    tmp_path: Path, filters: str, data: dict[str, Any], **environment: str
) -> tuple[Pipeline, list[dict[str, Any]]]:
    path = tmp_path / "model.conf"
    path.write_text(f"filter {{ {filters} }} {_OUTPUT}", encoding="utf-8")
    ran = Pipeline([path], environment, NoRuby())
    return ran, ran.run(data)


def _document(tmp_path: Path, filters: str, data: dict[str, Any], **environment: str) -> dict[str, Any]:
    [document] = _run(tmp_path, filters, data, **environment)[1]
    return document


def test_mutate_works_in_its_own_order(tmp_path: Path) -> None:
    filters = """mutate { id => "m" remove_field => ["x"] copy => { "b" => "c" } lowercase => ["b"]
        replace => { "b" => "B-%{[n]}-%{[missing]}" } rename => { "a" => "x" } }"""
    found = _document(tmp_path, filters, {"a": 1, "n": 2})
    assert found == {"n": 2, "b": "b-2-%{[missing]}", "c": "b-2-%{[missing]}"}


def test_rename_moves_a_null_and_copy_does_not(tmp_path: Path) -> None:
    filters = 'mutate { id => "m" rename => { "a" => "[x][a]" } copy => { "b" => "[x][b]" "c" => "[x][c]" } }'
    found = _document(tmp_path, filters, {"a": None, "b": None, "c": {"d": 1}})
    assert found["x"] == {"a": None, "c": {"d": 1}}
    assert found["x"]["c"] is not found["c"]


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("[missing]", False),
        ("![missing]", True),
        ("[zero]", True),
        ("[false]", False),
        ("[null]", False),
        ('[missing] != "x"', True),
        ("[missing] =~ /x/", False),
        ("[zero] =~ /0/", False),
        ("[text] =~ /\\Aline\\z/", False),
        ("[text] =~ /^two$/", True),
        ('"b" in [list]', True),
        ('"b" not in [list]', False),
        ('"lin" in [text]', True),
        ('"x" in [missing]', False),
        ('[zero] in ["0", "1"]', False),
        ("[zero] == 0", True),
        ('"${MODE:keep}" == "keep"', True),
        ("[deep][list][1] == 5", True),
        # By rank alone this would be (no and yes and yes) or yes.
        ("[missing] and [zero] and [zero] or [zero]", False),
        ("[zero] or [missing] and [missing]", True),
        ("([missing] and [zero]) or [zero]", True),
    ],
)
def test_conditions_hold_as_logstash_has_them(condition: str, holds: bool, tmp_path: Path) -> None:
    data = {"zero": 0, "false": False, "null": None, "text": "line\ntwo", "list": ["a", "b"], "deep": {"list": [4, 5]}}
    filters = f'if {condition} {{ mutate {{ id => "yes" add_tag => ["yes"] }} }} else {{ drop {{ id => "no" }} }}'
    ran, found = _run(tmp_path, filters, data)
    assert bool(found) is holds
    assert ran.ran == ({"yes", "out"} if holds else {"no"})


@pytest.mark.parametrize(
    ("form", "value", "moment"),
    [
        ("UNIX_MS", 1795443900084, "2026-11-23T14:25:00.084Z"),
        ("UNIX_MS", "1795443900084", "2026-11-23T14:25:00.084Z"),
        ("UNIX_MS", "soon", None),
        ("UNIX_MS", True, None),
        ("UNIX_MS", 1e300, None),
        ("ISO8601", "2026-11-23T15:18:22.740255801Z", "2026-11-23T15:18:22.740Z"),
        ("ISO8601", "2026-11-23T16:18:22+01:00", "2026-11-23T15:18:22.000Z"),
        ("ISO8601", "yesterday", None),
        ("ISO8601", ["2026-11-23T15:18:22Z"], None),
    ],
)
def test_dates_are_read_or_tagged(form: str, value: Any, moment: str | None, tmp_path: Path) -> None:
    filters = f'date {{ id => "d" match => ["t", "{form}"] }}'
    found = _document(tmp_path, filters, {"@timestamp": "then", "t": value})
    assert found["@timestamp"] == (moment or "then")
    assert found.get("tags") == (None if moment else ["_dateparsefailure"])


def test_hashes_are_those_of_the_plugin(tmp_path: Path) -> None:
    keyed = 'fingerprint { id => "f" source => ["a"] target => "h" method => "SHA256" key => "${KEY}" }'
    found = _document(tmp_path, keyed, {"a": "ä"}, KEY="k")
    assert found["h"] == hmac.new(b"k", "ä".encode(), "sha256").hexdigest()
    joined = """fingerprint { id => "f" source => ["[k][t]", "[k][o]"] target => "h" method => "SHA256"
        concatenate_sources => true }"""
    found = _document(tmp_path, joined, {"k": {"t": "topic", "o": 7}})
    assert found["h"] == hashlib.sha256(b"|[k][o]|7|[k][t]|topic|").hexdigest()


def test_json_that_cannot_be_read_is_quoted_in_the_log_unless_it_is_skipped(tmp_path: Path) -> None:
    noisy = 'json { id => "j" source => "m" target => "o" }'
    ran, [found] = _run(tmp_path, noisy, {"m": '{"a": hunter2'})
    assert ran.log == ['Error parsing json: {"a": hunter2']
    assert found["tags"] == ["_jsonparsefailure"]
    ran, _ = _run(tmp_path, noisy.replace('"o" }', '"o" skip_on_invalid_json => true }'), {"m": "NaN"})
    assert ran.log == []


def test_a_dictionary_has_a_fallback_and_takes_the_first_of_a_list(tmp_path: Path) -> None:
    (tmp_path / "words.yml").write_text("LOGIN: login\n", encoding="utf-8")
    words = f'dictionary_path => "{tmp_path}/words.yml"'
    filters = f'translate {{ id => "t" source => "a" target => "b" fallback => "x" {words} }}'
    assert _document(tmp_path, filters, {"a": "LOGIN"})["b"] == "login"
    assert _document(tmp_path, filters, {"a": ["LOGIN", "LOGOUT"]})["b"] == "login"
    assert _document(tmp_path, filters, {"a": "LOGOUT"})["b"] == "x"
    assert "b" not in _document(tmp_path, filters, {})


@pytest.mark.parametrize(
    "filters",
    [
        'grok { id => "g" }',
        'mutate { id => "m" convert => { "a" => "integer" } }',
        'date { id => "d" match => ["t", "UNIX_MS"] target => "x" }',
        'fingerprint { id => "f" source => ["a"] target => "b" method => "MD5" }',
        'if now(1) { drop { id => "d" } }',
        'if [a] xor [b] { drop { id => "d" } }',
        'if [a] > 1 { drop { id => "d" } }',
    ],
)
def test_what_it_does_not_know_it_does_not_pass_over(filters: str, tmp_path: Path) -> None:
    with pytest.raises(NotImplementedError):
        _run(tmp_path, filters, {})


def test_a_variable_without_value_keeps_it_from_starting(tmp_path: Path) -> None:
    with pytest.raises(UndefinedError, match="NOBODY"):
        _run(tmp_path, 'mutate { id => "m" replace => { "a" => "${NOBODY}" } }', {})


def test_what_no_output_takes_is_written_nowhere(tmp_path: Path) -> None:
    path = tmp_path / "guarded.conf"
    path.write_text('output { if [ok] { elasticsearch { id => "out" } } }', encoding="utf-8")
    ran = Pipeline([path], {}, NoRuby())
    assert ran.run({"a": 1}) == []
    assert ran.run({"ok": True}) == [{"ok": True}]
