"""Says what is wrong with objects before a server sees them, and what none would refuse although it is wrong."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from keywatch.elastic.ecs_types import ECS_ROOTS, ECS_TYPES
from keywatch.elastic.objects import ElasticObject, ObjectKind

DATASETS = (
    "keycloak.user_event",
    "keycloak.admin_event",
    "keycloak.server",
    "keycloak.dlq",
    "keycloak.unparsed",
    "keycloak.rejected",
    "keycloak_exporter.app",
)
"""What the pipelines of Logstash write, each into a data stream of its own in every namespace."""
# Elastic's own templates for logs-*-* have 100, those of its integrations 200.
_LEAST_PRIORITY = 501
_DURATION = re.compile(r"-1|0|\d+(?:nanos|micros|ms|s|m|h|d)")
_SIZE = re.compile(r"\d+(?:b|kb|mb|gb|tb|pb)")
# https://www.elastic.co/docs/manage-data/lifecycle/index-lifecycle-management/index-lifecycle: actions by phase.
_ACTIONS = {
    "hot": {
        "set_priority", "unfollow", "rollover", "readonly", "downsample", "shrink", "forcemerge", "searchable_snapshot"
    },
    "warm": {
        "set_priority", "unfollow", "readonly", "downsample", "allocate", "migrate", "shrink", "forcemerge"
    },
    "cold": {
        "set_priority", "unfollow", "readonly", "downsample", "searchable_snapshot", "allocate", "migrate", "freeze"
    },
    "frozen": {"unfollow", "searchable_snapshot"},
    "delete": {"wait_for_snapshot", "delete"},
}  # fmt: skip
# Which options a field may have, beside `type`: a server takes an unknown one for an error, a compiler does not see one
# that belongs to another type.
_OPTIONS = {
    "keyword": {"ignore_above", "fields", "doc_values", "index", "null_value", "normalizer", "copy_to", "meta"},
    "flattened": {"ignore_above", "depth_limit", "doc_values", "index", "null_value", "meta"},
    "constant_keyword": {"value", "meta"},
    "wildcard": {"ignore_above", "fields", "null_value", "copy_to", "meta"},
    "match_only_text": {"fields", "copy_to", "meta", "analyzer"},
    "text": {"fields", "analyzer", "search_analyzer", "index", "norms", "copy_to", "meta", "index_options"},
    "date": {"format", "locale", "ignore_malformed", "doc_values", "index", "null_value", "copy_to", "meta"},
    "ip": {"ignore_malformed", "doc_values", "index", "null_value", "copy_to", "meta", "fields"},
    "geo_point": {"ignore_malformed", "ignore_z_value", "doc_values", "index", "null_value", "copy_to", "meta"},
    "boolean": {"doc_values", "index", "null_value", "copy_to", "meta", "ignore_malformed"},
}
_NUMBER = {"coerce", "ignore_malformed", "doc_values", "index", "null_value", "copy_to", "meta", "fields"}
_OPTIONS |= dict.fromkeys(("long", "integer", "short", "byte", "double", "float"), _NUMBER)
_SETTINGS = {
    "lifecycle", "codec", "number_of_shards", "number_of_replicas", "auto_expand_replicas", "default_pipeline",
    "final_pipeline", "mapping", "query", "refresh_interval", "sort", "routing", "hidden", "max_result_window",
    "translog", "merge", "search", "indexing", "priority", "mode", "blocks", "unassigned",
}  # fmt: skip


def lint(objects: Sequence[ElasticObject]) -> list[str]:
    """Name each mistake as `kind/name: what`, in the order of the objects."""
    by_kind = {kind: {one.name: one for one in objects if one.kind is kind} for kind in ObjectKind}
    problems = []
    for one in objects:
        rules = {
            ObjectKind.LIFECYCLE: _lifecycle,
            ObjectKind.INGEST: _ingest,
            ObjectKind.COMPONENT: _component,
            ObjectKind.INDEX: _index,
        }
        problems += [f"{one}: {words}" for words in rules[one.kind](one.body, by_kind)]
    return [*problems, *_coverage(by_kind[ObjectKind.INDEX])]


_Known = Mapping[ObjectKind, Mapping[str, ElasticObject]]


def _lifecycle(body: Mapping[str, Any], _: _Known) -> Iterator[str]:
    phases = body.get("policy", {}).get("phases", {})
    if not phases:
        yield "policy.phases is missing"
    for phase, content in phases.items():
        if phase not in _ACTIONS:
            yield f"no phase is called {phase}"
            continue
        age = content.get("min_age", "0")
        if not _DURATION.fullmatch(str(age)):
            yield f"{phase}.min_age {age!r} is no time; allowed: a number with d, h, m or s"
        for action, options in content.get("actions", {}).items():
            if action not in _ACTIONS[phase]:
                yield f"{phase} has no action {action}"
            for option, value in options.items() if action == "rollover" else ():
                pattern = _SIZE if option.endswith("size") else _DURATION if option.endswith("age") else None
                if pattern and not pattern.fullmatch(str(value)):
                    yield f"{phase}.rollover.{option} {value!r} cannot be read"
    if "hot" in phases and "rollover" not in phases["hot"].get("actions", {}):
        yield "hot rolls nothing over, so an index grows without end and its age never counts"


def _ingest(body: Mapping[str, Any], _: _Known) -> Iterator[str]:
    processors = body.get("processors", [])
    if not processors:
        yield "processors is missing"
    tags = []
    for processor in (*processors, *body.get("on_failure", [])):
        (name, options), *others = processor.items()
        if others:
            yield f"a processor has one name, not {1 + len(others)}"
        tags.append(options.get("tag"))
        if options.get("tag") is None:
            yield f"a processor {name} has no tag, by which its failures are told"
    for tag in {tag for tag in tags if tag is not None and tags.count(tag) > 1}:
        yield f"two processors have the tag {tag}"
    if "on_failure" not in body:
        yield "on_failure is missing, so a failing processor would cost the whole event"


def _component(body: Mapping[str, Any], known: _Known) -> Iterator[str]:
    template = body.get("template", {})
    settings = template.get("settings", {}).get("index", {})
    for name in settings.keys() - _SETTINGS:
        yield f"no setting is called index.{name}"
    lifecycle, pipeline = settings.get("lifecycle", {}).get("name"), settings.get("default_pipeline")
    if lifecycle is not None and lifecycle not in known[ObjectKind.LIFECYCLE]:
        yield f"there is no lifecycle policy {lifecycle}"
    if pipeline is not None and pipeline not in known[ObjectKind.INGEST]:
        yield f"there is no ingest pipeline {pipeline}"
    yield from _mappings(template.get("mappings", {}))


def _mappings(mappings: Mapping[str, Any]) -> Iterator[str]:
    for field, spec in fields(mappings).items():
        kind = spec["type"]
        if kind not in _OPTIONS:
            yield f"{field}: no type is called {kind}"
            continue
        for option in spec.keys() - _OPTIONS[kind] - {"type"}:
            yield f"{field}: a {kind} has no option {option}"
        wanted = ECS_TYPES.get(field)
        if wanted is not None and wanted != kind:
            yield f"{field}: is {kind}; the Elastic Common Schema has {wanted}"
        if wanted is None and field.partition(".")[0] in ECS_ROOTS:
            yield f"{field}: the Elastic Common Schema knows no such field"


def _index(body: Mapping[str, Any], known: _Known) -> Iterator[str]:
    optional = body.get("ignore_missing_component_templates", [])
    composed = body.get("composed_of", [])
    for name in composed:
        if name not in known[ObjectKind.COMPONENT] and name not in optional:
            yield f"there is no component template {name}"
    if "data_stream" not in body:
        yield "data_stream is missing: Logstash would write into a plain index"
    priority = body.get("priority", 0)
    if priority < _LEAST_PRIORITY:
        yield f"priority {priority} is below {_LEAST_PRIORITY}, so a template of Elastic's own may win"
    settings = [known[ObjectKind.COMPONENT][name].body for name in composed if name in known[ObjectKind.COMPONENT]]
    indexes = [body.get("template", {}).get("settings", {}).get("index", {}) for body in settings]
    for setting in ("lifecycle", "default_pipeline"):
        if not any(setting in index for index in indexes):
            yield f"no component sets index.{setting}"


def _coverage(templates: Mapping[str, ElasticObject]) -> Iterator[str]:
    """Each dataset must be matched by exactly one template, and each pattern match a dataset."""
    used: set[str] = set()
    for dataset in DATASETS:
        stream = f"logs-{dataset}-default"
        matches = [
            (one, pattern)
            for one in templates.values()
            for pattern in one.body.get("index_patterns", [])
            if fnmatch.fnmatchcase(stream, pattern)
        ]
        used.update(pattern for _, pattern in matches)
        if len(matches) != 1:
            names = ", ".join(str(one) for one, _ in matches) or "none"
            yield f"{stream}: must be matched by exactly one template, is by {names}"
    for one in templates.values():
        for pattern in one.body.get("index_patterns", []):
            if pattern not in used:
                yield f"{one}: {pattern} matches no data stream of ours"


def fields(mappings: Mapping[str, Any], above: str = "") -> dict[str, Mapping[str, Any]]:
    """Return each field of a mapping that has a type, by its dotted name."""
    found: dict[str, Mapping[str, Any]] = {}
    for name, spec in mappings.get("properties", {}).items():
        if "properties" in spec:
            found |= fields(spec, f"{above}{name}.")
        else:
            found[f"{above}{name}"] = spec
    return found
