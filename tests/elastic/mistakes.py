"""Seeds one mistake at a time into the objects that are shipped."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from keywatch.elastic.objects import ElasticObject, ObjectKind, load, shipped

Change = Callable[[dict[str, Any]], object]
_Where = tuple[ObjectKind, str]

POLICY: _Where = (ObjectKind.LIFECYCLE, "logs-keycloak")
PIPELINE: _Where = (ObjectKind.INGEST, "logs-keycloak")
ECS: _Where = (ObjectKind.COMPONENT, "logs-keycloak-ecs")
EVENT: _Where = (ObjectKind.COMPONENT, "logs-keycloak-event")
SETTINGS: _Where = (ObjectKind.COMPONENT, "logs-keycloak-settings")
AUDIT: _Where = (ObjectKind.INDEX, "logs-keycloak-audit")


@dataclass(frozen=True)
class Mistake:
    """One mistake: in which object, and how it is made."""

    name: str
    where: _Where
    make: Change


def seeded(mistake: Mistake) -> list[ElasticObject]:
    """Return all objects with the mistake in one of them."""
    made = []
    for one in load(shipped()):
        if (one.kind, one.name) == mistake.where:
            body = copy.deepcopy(dict(one.body))
            mistake.make(body)
            one = ElasticObject(one.kind, one.name, body)  # noqa: PLW2901 - the changed one takes its place
        made.append(one)
    return made


def _hot(body: dict[str, Any]) -> Any:
    return body["policy"]["phases"]["hot"]["actions"]


def _properties(body: dict[str, Any]) -> Any:
    return body["template"]["mappings"]["properties"]


def _index(body: dict[str, Any]) -> Any:
    return body["template"]["settings"]["index"]


# The 17 that were tried with the types alone, which found 14 of them.
TYPED = (
    Mistake("phase misspelt", POLICY, lambda b: b["policy"]["phases"].update(warn=b["policy"]["phases"].pop("warm"))),
    Mistake("action misspelt", POLICY, lambda b: _hot(b).update(rolover=_hot(b).pop("rollover"))),
    Mistake("rollover option misspelt", POLICY, lambda b: _hot(b)["rollover"].update(max_ages="1d")),
    Mistake("priority as a list", POLICY, lambda b: _hot(b)["set_priority"].update(priority=[100])),
    Mistake("action in the wrong phase", POLICY,
            lambda b: b["policy"]["phases"]["warm"]["actions"].update(rollover={})),
    Mistake("forcemerge without segments", POLICY,
            lambda b: b["policy"]["phases"]["warm"]["actions"].update(forcemerge={})),
    Mistake("processor misspelt", PIPELINE, lambda b: b["processors"].append({"sett": {"tag": "x", "field": "a"}})),
    Mistake("set without field", PIPELINE, lambda b: b["processors"][0]["set"].pop("field")),
    Mistake("processor option misspelt", PIPELINE, lambda b: b["processors"][3]["geoip"].update(propertys=[])),
    Mistake("allow_duplicates as text", PIPELINE, lambda b: b["processors"][4]["append"].update(allow_duplicates="no")),
    Mistake("type misspelt", ECS, lambda b: _properties(b)["ecs"]["properties"]["version"].update(type="keywrd")),
    Mistake("option of another type", ECS, lambda b: _properties(b)["@timestamp"].update(ignore_above=1024)),
    Mistake("dynamic misspelt", ECS, lambda b: b["template"]["mappings"].update(dynamic="flase")),
    Mistake("ignore_above as text", ECS, lambda b: _properties(b)["tags"].update(ignore_above="1024")),
    Mistake("unknown index setting", SETTINGS, lambda b: _index(b).update(number_of_shard="1")),
    Mistake("patterns in the wrong key", AUDIT, lambda b: b.update(index_pattern=b.pop("index_patterns"))),
    Mistake("priority as text", AUDIT, lambda b: b.update(priority="high")),
)  # fmt: skip

# What a compiler cannot know: rules of ours.
OWN = (
    Mistake("lifecycle that is not there", SETTINGS, lambda b: _index(b)["lifecycle"].update(name="logs-kc")),
    Mistake("pipeline that is not there", SETTINGS, lambda b: _index(b).update(default_pipeline="logs-kc")),
    Mistake("component that is not there", AUDIT, lambda b: b["composed_of"].append("logs-kc")),
    Mistake("no lifecycle at all", SETTINGS, lambda b: _index(b).pop("lifecycle")),
    Mistake("no default pipeline", SETTINGS, lambda b: _index(b).pop("default_pipeline")),
    Mistake("no data stream", AUDIT, lambda b: b.pop("data_stream")),
    Mistake("priority below Elastic's own", AUDIT, lambda b: b.update(priority=100)),
    Mistake("dataset without a template", AUDIT, lambda b: b["index_patterns"].pop()),
    Mistake("dataset of two templates", AUDIT, lambda b: b["index_patterns"].append("logs-keycloak.*-*")),
    Mistake("pattern of nothing", AUDIT, lambda b: b["index_patterns"].append("logs-keycloack.user_event-*")),
    Mistake("age that is no time", POLICY, lambda b: b["policy"]["phases"]["delete"].update(min_age="30 days")),
    Mistake("size that is no size", POLICY, lambda b: _hot(b)["rollover"].update(max_primary_shard_size="ten")),
    Mistake("nothing rolls over", POLICY, lambda b: _hot(b).pop("rollover")),
    Mistake("no phases", POLICY, lambda b: b["policy"].pop("phases")),
    Mistake("no processors", PIPELINE, lambda b: b.pop("processors")),
    Mistake("processor without a tag", PIPELINE, lambda b: b["processors"][0]["set"].pop("tag")),
    Mistake("two processors of one tag", PIPELINE, lambda b: b["processors"][1]["remove"].update(tag="ingested")),
    Mistake("two names in a processor", PIPELINE, lambda b: b["processors"][0].update(remove={"tag": "z"})),
    Mistake("failures cost the event", PIPELINE, lambda b: b.pop("on_failure")),
    Mistake("ECS field of another type", ECS, lambda b: _properties(b)["message"].update(type="keyword")),
    Mistake("field that ECS does not know", EVENT,
            lambda b: _properties(b)["group"]["properties"].update(ids={"type": "keyword"})),
)  # fmt: skip
