"""The dictionaries know every event of Keycloak, speak ECS, and name only fields that Elasticsearch is told of."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml

from keywatch.listeners.event_types import USER_EVENTS
from keywatch.logstash.language import parse
from keywatch.logstash.tree import Plugin, Table, Text
from tests.logstash.ours import FILES, FOLDER

DICTIONARIES = FOLDER / "dictionaries"
# What ECS 8.17 allows for these two.
_CATEGORIES = {"authentication", "configuration", "database", "iam", "process", "session"}
_TYPES = {
    "authentication": {"allowed", "denied", "end", "info", "start"},
    "configuration": {"access", "change", "creation", "deletion", "info"},
    "iam": {"admin", "change", "creation", "deletion", "group", "info", "user"},
    "session": {"end", "info", "start"},
}
# What scripts make of other fields.
_MADE = {"user.hash", "keycloak.source.ip_hash", "keycloak.event.details_dropped"}


def _read(name: str) -> dict[str, str]:
    found: dict[str, str] = yaml.safe_load((DICTIONARIES / f"{name}.yml").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("name", ["keycloak_event_action", "keycloak_event_category", "keycloak_event_type"])
def test_every_event_of_keycloak_has_a_row(name: str) -> None:
    assert set(_read(name)) == {event.upper() for event in USER_EVENTS}


def test_categories_and_types_are_those_of_ecs() -> None:
    types = _read("keycloak_event_type")
    for event, said in _read("keycloak_event_category").items():
        categories = said.split(",")
        assert set(categories) <= _CATEGORIES
        allowed = set.union(*(_TYPES[category] for category in categories))
        assert set(types[event].split(",")) <= allowed, event


def test_actions_are_in_kebab_case() -> None:
    for event, action in _read("keycloak_event_action").items():
        assert action == event.lower().replace("_", "-")


def test_a_kind_is_one_that_the_script_knows() -> None:
    script = (FOLDER / "scripts" / "redact.rb").read_text(encoding="utf-8")
    kinds = set(re.findall(r"def kind_(\w+)", script))
    assert set(_read("fields").values()) == kinds
    for field in _read("fields"):
        assert re.fullmatch(r"(\[[a-z_]+\])+", field)


def test_every_field_that_a_stage_sets_may_leave() -> None:
    # What is not in the list is removed again, without a word.
    written: set[str] = set()
    for file in FILES:
        for _, plugin in parse(file.read_text(encoding="utf-8")).plugins("filter"):
            written |= _written(plugin)
    fields = {field.strip("[]") if field.count("[") == 1 else field for field in _read("fields")}
    assert {field for field in written if not field.startswith("[@metadata]")} <= fields


def _written(plugin: Plugin) -> set[str]:
    found: set[str] = set()
    for setting in plugin.settings:
        if setting.name == "target" and isinstance(setting.value, Text):
            found.add(setting.value.raw)
        elif isinstance(setting.value, Table) and setting.name in {"copy", "rename"}:
            found |= {value.raw for _, value in setting.value.entries if isinstance(value, Text)}
        elif isinstance(setting.value, Table) and setting.name == "replace":
            found |= {key.raw for key, _ in setting.value.entries}
    return found


def test_every_dataset_has_its_template() -> None:
    folder = FOLDER / "elasticsearch" / "index_templates"
    if not folder.is_dir():
        pytest.skip("logstash/elasticsearch is not there")
    patterns = [
        pattern
        for path in folder.glob("*.json")
        for pattern in json.loads(path.read_text(encoding="utf-8"))["index_patterns"]
    ]
    named = {
        dataset
        for file in FILES
        for dataset in re.findall(r'"\[data_stream\]\[dataset\]" => "(\w+\.\w+)"', file.read_text(encoding="utf-8"))
    }
    assert len(named) == 7
    for dataset in named:
        assert sum(fnmatchcase(f"logs-{dataset}-default", pattern) for pattern in patterns) == 1, dataset


def test_elasticsearch_has_a_place_for_every_field() -> None:
    folder = FOLDER / "elasticsearch" / "component_templates"
    if not folder.is_dir():
        pytest.skip("logstash/elasticsearch is not there")
    known: dict[str, str] = {}
    for path in folder.glob("*.json"):
        known |= _mapped(path)
    ours = {".".join(re.findall(r"\[([^\]]+)\]", field)) for field in _read("fields")} | _MADE
    assert not {field for field in ours if not any(field == one or field.startswith(f"{one}.") for one in known)}


def _mapped(path: Path) -> dict[str, str]:
    def walk(properties: dict[str, Any], above: tuple[str, ...]) -> None:
        for name, said in properties.items():
            if "properties" in said:
                walk(said["properties"], (*above, name))
            else:
                found[".".join((*above, name))] = said["type"]

    found: dict[str, str] = {}
    walk(json.loads(path.read_text(encoding="utf-8"))["template"].get("mappings", {}).get("properties", {}), ())
    return found
