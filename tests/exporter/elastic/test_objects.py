"""The objects for Elasticsearch are right by our rules and by the types of its client; seeded mistakes show."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from keywatch.documents.opensearch import write
from keywatch.elastic import opensearch
from keywatch.elastic.lint import fields, lint
from keywatch.elastic.objects import ElasticObject, ObjectKind, load, shipped
from keywatch.service.config_file import ConfigError
from tests.elastic.mistakes import OWN, TYPED, Mistake, seeded
from tests.elastic.typed import typed_errors

LOGSTASH = Path(__file__).parents[3] / "logstash"
ROLES = sorted((LOGSTASH / "elasticsearch" / "roles").glob("*.json"))
# Those of the seventeen that neither a compiler nor a rule may be expected to see.
LEAST_FOUND = 15


def of(kind: ObjectKind, name: str) -> ElasticObject:
    return next(one for one in load(shipped()) if (one.kind, one.name) == (kind, name))


def test_the_objects_that_are_shipped_break_no_rule() -> None:
    assert lint(load(shipped())) == []


@pytest.mark.parametrize("mistake", OWN, ids=lambda mistake: mistake.name)
def test_what_no_compiler_can_know_is_found_by_a_rule(mistake: Mistake) -> None:
    assert lint(seeded(mistake)), mistake.name


def test_the_objects_and_roles_have_the_types_of_the_official_client(tmp_path: Path) -> None:
    named = {f"{one.kind}-{one.name}": one for one in load(shipped())}
    roles = {f"role-{path.stem}": json.loads(path.read_text(encoding="utf-8")) for path in ROLES}
    found = typed_errors({**named, **roles}, tmp_path)
    assert len(found) == len(named) + 4
    assert {name: words for name, words in found.items() if words} == {}


def test_of_seventeen_seeded_mistakes_the_types_and_our_rules_find_fifteen_at_least(tmp_path: Path) -> None:
    assert len(TYPED) == 17
    named = {
        f"m{number}": next(one for one in seeded(mistake) if (one.kind, one.name) == mistake.where)
        for number, mistake in enumerate(TYPED)
    }
    typed = typed_errors(named, tmp_path)
    by_types = {mistake.name for number, mistake in enumerate(TYPED) if typed[f"m{number}"]}
    by_rules = {mistake.name for mistake in TYPED if _linted(mistake)}
    missed = {mistake.name for mistake in TYPED} - by_types - by_rules
    print(f"types: {len(by_types)} of 17, rules: {len(by_rules)} of 17, missed: {sorted(missed)}")
    assert len(by_types) >= 10, sorted(by_types)
    assert len(TYPED) - len(missed) >= LEAST_FOUND, sorted(missed)


def _linted(mistake: Mistake) -> bool:
    try:
        return bool(lint(seeded(mistake)))
    except (TypeError, AttributeError):  # a value of another kind than the rules can read is the compiler's to find
        return False


def test_retention_and_sizes_are_those_that_the_guide_promises() -> None:
    logs, audit = (
        of(ObjectKind.LIFECYCLE, name).body["policy"]["phases"] for name in ("logs-keycloak", "logs-keycloak-audit")
    )
    assert [logs[phase]["min_age"] for phase in ("warm", "delete")] == ["2d", "30d"]
    assert [audit[phase]["min_age"] for phase in ("warm", "delete")] == ["8d", "180d"]
    assert "readonly" in audit["warm"]["actions"]
    assert "readonly" not in logs["warm"]["actions"]


def test_the_mapping_takes_no_field_by_itself() -> None:
    mappings = of(ObjectKind.COMPONENT, "logs-keycloak-ecs").body["template"]["mappings"]
    assert mappings["dynamic"] is False
    assert mappings["date_detection"] is False


def test_a_role_can_do_what_its_holder_does_and_no_more() -> None:
    roles = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in ROLES}
    granted = {
        name: {right for entry in role["indices"] for right in entry["privileges"]} | set(role["cluster"])
        for name, role in roles.items()
    }
    everything = {"all", "manage", "manage_security", "write", "delete", "index", "delete_index", "create"}
    assert all(not rights & everything for rights in granted.values())
    assert "read" not in granted["keywatch-logstash"], "who writes audit events need not read them"
    assert "create_doc" not in granted["keywatch-reader"]
    assert "read" not in granted["keywatch-bootstrap"]
    names = {name for role in roles.values() for entry in role["indices"] for name in entry["names"]}
    assert all(name.startswith(("logs-keycloak.", "logs-keycloak_exporter.")) for name in names)


def test_the_variant_for_opensearch_is_fresh_and_holds_nothing_that_it_does_not_know() -> None:
    assert write(LOGSTASH, check=True) == []
    variant = opensearch.translate(load(shipped()))
    text = json.dumps([one.body for one in variant])
    for word in ("flattened", "constant_keyword", '"lifecycle"', "ignore_missing_component_templates"):
        assert word not in text
    assert not any("_meta" in one.body for one in variant if one.kind is ObjectKind.INGEST)


def test_the_policies_of_opensearch_keep_logs_as_long_and_take_up_every_stream() -> None:
    variant = {one.name: one.body["policy"] for one in opensearch.translate(load(shipped())) if "policy" in one.body}
    ages = {
        name: [s["transitions"][0]["conditions"]["min_rollover_age"] for s in policy["states"] if s["transitions"]]
        for name, policy in variant.items()
    }
    assert ages == {"logs-keycloak": ["2d", "30d"], "logs-keycloak-audit": ["8d", "180d"]}
    taken = [pattern for policy in variant.values() for pattern in policy["ism_template"][0]["index_patterns"]]
    given = [pattern for one in load(shipped()) for pattern in one.body.get("index_patterns", [])]
    assert sorted(taken) == sorted(given)


def test_both_variants_map_the_same_fields() -> None:
    ours = [one for one in load(shipped()) if one.kind is ObjectKind.COMPONENT]
    theirs = opensearch.translate(ours)
    for one, other in zip(ours, theirs, strict=True):
        assert (
            fields(one.body["template"].get("mappings", {})).keys()
            == fields(other.body["template"].get("mappings", {})).keys()
        )


def test_what_kibana_imports_is_whole() -> None:
    lines = (LOGSTASH / "kibana" / "keywatch.ndjson").read_text(encoding="utf-8").splitlines()
    objects = [json.loads(line) for line in lines]
    views = {one["id"] for one in objects if one["type"] == "index-pattern"}
    searches = [one for one in objects if one["type"] == "search"]
    assert len(views) == 4
    assert len(searches) == 3
    known = {name for one in load(shipped()) for name in _fields(one)}
    for search in searches:
        assert [reference["id"] for reference in search["references"] if reference["id"] not in views] == []
        assert set(search["attributes"]["columns"]) <= known
        source = json.loads(search["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])
        assert source["indexRefName"] == search["references"][0]["name"]


def _fields(one: ElasticObject) -> set[str]:
    return set(fields(one.body.get("template", {}).get("mappings", {})))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"{", "x.json:1: is not JSON: "),
        (b'{"a": 1, "a": 2}', "x.json: is not JSON: the key 'a' is there twice"),
        (b'{"a": NaN}', "x.json: is not JSON: NaN is no number of JSON"),
        (b"[]", "x.json: must be a mapping"),
        (b'{"a": "\xff"}', "x.json: is not UTF-8 text"),
        (b"[" * 100_000, "x.json: is nested too deeply"),
        (b" " * (1024 * 1024 + 1), "x.json: is larger than 1048576 bytes"),
    ],
    ids=["broken", "twice", "NaN", "list", "no UTF-8", "a bomb", "huge"],
)
def test_an_object_that_cannot_be_read_is_named(content: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "ilm" / "x.json"
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(ConfigError) as refused:
        load(tmp_path)
    assert says in str(refused.value)


def test_a_folder_without_objects_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no"):
        load(tmp_path)


def test_a_digest_does_not_depend_on_the_order_of_keys() -> None:
    one = ElasticObject(ObjectKind.INGEST, "a", {"x": 1, "y": {"b": 1, "c": 2}})
    other = ElasticObject(ObjectKind.INGEST, "a", {"y": {"c": 2, "b": 1}, "x": 1})
    assert one.digest == other.digest
    assert one.digest != ElasticObject(ObjectKind.INGEST, "a", {"x": 2}).digest
