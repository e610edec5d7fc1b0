"""Puts the objects into the words of OpenSearch.

What differs: policies belong to Index State Management, which takes an index up by its pattern and not by a setting;
`flattened` is called `flat_object` and takes no options; `constant_keyword` would need a value beforehand; a component
template that may be missing cannot be named; pipelines and policies hold no `_meta`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from keywatch.elastic.objects import ElasticObject, ObjectKind

_TYPES: Mapping[str, Mapping[str, Any]] = {
    "flattened": {"type": "flat_object"},
    "constant_keyword": {"type": "keyword"},
}
_ROLLOVER = {
    "max_age": "min_index_age",
    "max_primary_shard_size": "min_primary_shard_size",
    "max_docs": "min_doc_count",
}


def translate(objects: Sequence[ElasticObject]) -> list[ElasticObject]:
    """Return the objects as OpenSearch takes them, in the same order."""
    return [ElasticObject(one.kind, one.name, _body(one, objects)) for one in objects]


def _body(one: ElasticObject, objects: Sequence[ElasticObject]) -> dict[str, Any]:
    if one.kind is ObjectKind.LIFECYCLE:
        return _policy(one, objects)
    body = dict(one.body)
    if one.kind is ObjectKind.INGEST:
        body.pop("_meta", None)
    if one.kind is ObjectKind.COMPONENT:
        template = dict(body.get("template", {}))
        if "settings" in template:
            index = {key: value for key, value in template["settings"].get("index", {}).items() if key != "lifecycle"}
            template["settings"] = {**template["settings"], "index": index}
        if "mappings" in template:
            template["mappings"] = _mappings(template["mappings"])
        body["template"] = template
    if one.kind is ObjectKind.INDEX:
        optional = body.pop("ignore_missing_component_templates", [])
        body["composed_of"] = [name for name in body.get("composed_of", []) if name not in optional]
    return body


def _mappings(mappings: Mapping[str, Any]) -> dict[str, Any]:
    made = dict(mappings)
    properties = made.get("properties", {})
    made["properties"] = {
        name: _mappings(spec) if "properties" in spec else dict(_TYPES.get(spec["type"], spec))
        for name, spec in properties.items()
    }
    return made


def _policy(one: ElasticObject, objects: Sequence[ElasticObject]) -> dict[str, Any]:
    policy = one.body["policy"]
    states, phases = [], list(policy["phases"].items())
    for (name, phase), (following, next_phase) in zip(phases, [*phases[1:], ("", {})], strict=True):
        state: dict[str, Any] = {"name": name, "actions": list(_actions(phase["actions"])), "transitions": []}
        if following:
            # As with ILM, ages count from the rollover; an index that was never rolled over stays where it is.
            age = {"min_rollover_age": next_phase["min_age"]}
            state["transitions"] = [{"state_name": following, "conditions": age}]
        states.append(state)
    patterns = [
        {"index_patterns": list(template.body["index_patterns"]), "priority": priority}
        for template in objects
        if template.kind is ObjectKind.INDEX
        and _lifecycle_of(template, objects) == one.name
        and (priority := template.body["priority"])
    ]
    return {
        "policy": {
            "description": policy["_meta"]["description"],
            "default_state": phases[0][0],
            "states": states,
            "ism_template": patterns,
        }
    }


def _actions(actions: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name, options in actions.items():
        if name == "rollover":
            yield {"rollover": {_ROLLOVER[key]: value for key, value in options.items()}}
        elif name == "set_priority":
            yield {"index_priority": {"priority": options["priority"]}}
        elif name == "readonly":
            yield {"read_only": {}}
        elif name == "forcemerge":
            yield {"force_merge": {"max_num_segments": options["max_num_segments"]}}
        elif name == "delete":
            yield {"delete": {}}
        else:
            raise ValueError(f"the action {name} has no counterpart in OpenSearch")


def _lifecycle_of(template: ElasticObject, objects: Sequence[ElasticObject]) -> str | None:
    """Name the policy of a template's indices: that of the last component which names one."""
    components = {one.name: one.body for one in objects if one.kind is ObjectKind.COMPONENT}
    found = None
    for name in template.body.get("composed_of", []):
        index = components.get(name, {}).get("template", {}).get("settings", {}).get("index", {})
        found = index.get("lifecycle", {}).get("name", found)
    return found
