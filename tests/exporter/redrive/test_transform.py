"""Rules change the fields that they name and nothing else, and mistakes in them get a message."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from keywatch.config.yaml_file import ConfigError
from keywatch.redrive.transform import TransformError, difference, load


def applied(tmp_path: Path, rules: str, value: Any) -> Any:
    file = tmp_path / "rules.yml"
    file.write_text(rules, encoding="utf-8")
    return json.loads(load(file).apply(json.dumps(value).encode()))


@pytest.mark.parametrize(
    ("rules", "before", "after"),
    [
        ("rename: {a: b}", {"a": 1, "c": 2}, {"b": 1, "c": 2}),
        ("rename: {a: b, b: a}", {"a": 1, "b": 2}, {"a": 2, "b": 1}),
        ("rename: {a.b: c}", {"a": {"b": 1, "x": 2}}, {"a": {"x": 2}, "c": 1}),
        ("rename: {none: b}", {"b": 1}, {"b": 1}),
        ("drop: [a, x.y]", {"a": 1, "b": 2}, {"b": 2}),
        ("set: {a.b: [1, null]}", {}, {"a": {"b": [1, None]}}),
        ("default: {a: 1, b: 1}", {"a": None}, {"a": None, "b": 1}),
        ("drop: [a]\nset: {a: 2}", {"a": 1}, {"a": 2}),
    ],
)
def test_a_rule_does_what_it_says(tmp_path: Path, rules: str, before: Any, after: Any) -> None:
    assert applied(tmp_path, rules, before) == after


@pytest.mark.parametrize("value", [b"", b"[]", b"not json", b"\xff", b"[" * 100_000, b'{"a": 1}'])
def test_what_it_cannot_be_done_to_is_told(tmp_path: Path, value: bytes) -> None:
    file = tmp_path / "rules.yml"
    file.write_text("set: {a.b: 1}", encoding="utf-8")
    with pytest.raises(TransformError):
        load(file).apply(value)


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ("", "is empty"),
        ("drop: []", "has no rule"),
        ("run: rm", "run"),
        ("drop: [a..b]", "not a field's name"),
        ("set: !!python/object/apply:os.system [true]", "rules.yml"),
        ("rename: {a: ''}", "rename"),
    ],
)
def test_a_mistake_gets_a_message(tmp_path: Path, rules: str, words: str) -> None:
    file = tmp_path / "rules.yml"
    file.write_text(rules, encoding="utf-8")
    with pytest.raises(ConfigError, match=words):
        load(file)


def test_the_difference_names_fields() -> None:
    assert difference(b'{"a": {"b": 1}, "c": 2}', b'{"a": {"b": 3}, "c": 2, "d": "x"}') == [
        "- a.b: 1",
        "+ a.b: 3",
        '+ d: "x"',
    ]
