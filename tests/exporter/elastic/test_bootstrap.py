"""`keywatch logs bootstrap` and `check` put what is due in order, nothing twice, and never keep logs for less."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from keywatch.cli.command import main
from keywatch.elastic.objects import ObjectKind, shipped
from tests.exporter.fakes.fake_elasticsearch import Reply, Stub, serving

SECRET = "planted-secret"  # noqa: S105 - planted to be looked for
PRODUCTS = [("Elasticsearch", "8.19.21"), ("Elasticsearch", "9.3.0"), ("OpenSearch", "2.19.1"), ("OpenSearch", "3.8.0")]
ILM = "_ilm/policy/logs-keycloak"


@pytest.fixture(params=PRODUCTS, ids=[" ".join(product) for product in PRODUCTS])
def stub(request: pytest.FixtureRequest) -> Iterator[Stub]:
    with serving(Stub(*request.param)) as one:
        yield one


@pytest.fixture
def elastic() -> Iterator[Stub]:
    with serving(Stub()) as one:
        yield one


def run(stub: Stub, verb: str, *flags: str) -> int:
    return main(["logs", verb, "--url", stub.url, "--timeout", "5", *flags])


def lifecycle(stub: Stub) -> dict[str, Any]:
    held = stub.objects[f"{'_plugins/_ism/policies' if stub.open else '_ilm/policy'}/logs-keycloak"]
    policy: dict[str, Any] = held["policy"] if stub.open else held["logs-keycloak"]["policy"]
    return policy


def test_everything_is_put_once_each_kind_after_what_it_builds_on(
    stub: Stub, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(stub, "bootstrap") == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.endswith("\n9 objects put\n")
    roots = [path.partition("?")[0].rpartition("/")[0] for path in stub.put]
    first = "_plugins/_ism/policies" if stub.open else "_ilm/policy"
    assert roots == [first] * 2 + ["_ingest/pipeline"] + ["_component_template"] * 4 + ["_index_template"] * 2
    put = len(stub.put)
    for _ in range(3):
        assert run(stub, "bootstrap") == 0
        assert capsys.readouterr().out.endswith("nothing to do: all is there as it should be\n")
    assert len(stub.put) == put, "what is there already is not put again"
    assert run(stub, "check") == 0
    assert capsys.readouterr().out == f"{stub.product} {stub.version}: good; 0 data streams\n"


def test_a_dry_run_tells_what_is_due_and_changes_nothing(stub: Stub, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(stub, "bootstrap", "--dry-run") == 3
    out = capsys.readouterr().out
    assert "+ ilm/logs-keycloak: missing" in out
    assert out.endswith("\n9 of 9 objects to put; nothing was changed\n")
    assert stub.put == []
    assert all(method in {"GET", "HEAD"} for method, *_ in stub.asked)
    assert run(stub, "bootstrap") == 0
    assert run(stub, "bootstrap", "--dry-run") == 0


def test_what_somebody_edited_is_drift_and_is_put_again(stub: Stub, capsys: pytest.CaptureFixture[str]) -> None:
    run(stub, "bootstrap")
    held = stub.objects["_component_template/logs-keycloak-ecs"]["component_templates"][0]["component_template"]
    held["template"]["mappings"]["properties"]["message"]["type"] = "keyword"
    held["template"]["mappings"]["properties"]["password"] = {"type": "keyword"}
    capsys.readouterr()
    assert run(stub, "check") == 3
    lines = capsys.readouterr().out.splitlines()
    where = "component_templates/logs-keycloak-ecs: template.mappings.properties"
    assert "drift: component_templates/logs-keycloak-ecs: edited" in lines
    assert f"drift: {where}.message.type: keyword → match_only_text" in lines
    assert f"drift: {where}.password: {{'type': 'keyword'}} → nothing" in lines
    before = len(stub.put)
    assert run(stub, "bootstrap") == 0
    assert stub.put[before:] == ["_component_template/logs-keycloak-ecs"]
    assert run(stub, "check") == 0


def test_an_older_version_of_ours_is_replaced_and_its_diff_shown(
    elastic: Stub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    older = tmp_path / "objects"
    shutil.copytree(shipped(), older)
    path = older / ObjectKind.INGEST / "logs-keycloak.json"
    body = json.loads(path.read_text(encoding="utf-8"))
    body["processors"].pop(1)
    path.write_text(json.dumps(body), encoding="utf-8")
    assert run(elastic, "bootstrap", "--objects", str(older)) == 0
    capsys.readouterr()
    assert run(elastic, "bootstrap") == 0
    out = capsys.readouterr().out
    assert "~ ingest/logs-keycloak: changed" in out
    assert "    processors" in out
    assert out.endswith("\n1 object put\n")


@pytest.mark.parametrize("age", ["365d", "720h", "never"])
def test_logs_are_not_kept_for_less_without_leave(stub: Stub, age: str, capsys: pytest.CaptureFixture[str]) -> None:
    run(stub, "bootstrap")
    policy = lifecycle(stub)
    if stub.open and age == "never":
        policy["states"][-1]["actions"] = []
    elif stub.open:
        policy["states"][1]["transitions"][0]["conditions"]["min_rollover_age"] = age
    elif age == "never":
        del policy["phases"]["delete"]
    else:
        policy["phases"]["delete"]["min_age"] = age
    before = len(stub.put)
    capsys.readouterr()
    shorter = age != "720h"  # which is 30 days in other words
    assert run(stub, "bootstrap") == (1 if shorter else 0)
    if not shorter:
        return
    err = capsys.readouterr().err
    was = "for ever" if age == "never" else "365 days"
    assert err == f"ilm/logs-keycloak: keeps logs 30 days in place of {was}; --allow-shorter-retention does it\n"
    assert len(stub.put) == before, "nothing at all is put"
    assert run(stub, "bootstrap", "--allow-shorter-retention") == 0
    assert len(stub.put) == before + 1


def test_another_policy_that_keeps_for_less_needs_leave_too(elastic: Stub, capsys: pytest.CaptureFixture[str]) -> None:
    run(elastic, "bootstrap")
    held = elastic.objects["_component_template/logs-keycloak-settings"]["component_templates"][0]["component_template"]
    held["template"]["settings"]["index"]["lifecycle"]["name"] = "logs-keycloak-audit"
    assert run(elastic, "bootstrap") == 1
    assert "logs-keycloak-audit → logs-keycloak: keeps logs 30 days in place of 180 days" in capsys.readouterr().err


def test_an_object_of_somebody_else_under_our_name_is_not_replaced(
    stub: Stub, capsys: pytest.CaptureFixture[str]
) -> None:
    stub.objects["_component_template/logs-keycloak-ecs"] = {
        "component_templates": [{"name": "logs-keycloak-ecs", "component_template": {"template": {"mappings": {}}}}]
    }
    assert run(stub, "bootstrap") == 1
    assert "component_templates/logs-keycloak-ecs: was made by somebody else; --take-over" in capsys.readouterr().err
    assert stub.put == []
    assert run(stub, "bootstrap", "--take-over") == 0


@pytest.mark.parametrize(("priority", "how"), [(511, "the same priority"), (900, "a higher priority")])
def test_a_template_of_somebody_else_that_wins_or_ties_is_named(
    priority: int, how: str, stub: Stub, capsys: pytest.CaptureFixture[str]
) -> None:
    template = {"index_patterns": ["logs-keycloak*"], "priority": priority, "composed_of": []}
    entry = {"index_templates": [{"name": "theirs", "index_template": template}]}
    stub.objects["_index_template/theirs"] = entry
    assert run(stub, "bootstrap") == 1
    err = capsys.readouterr().err
    assert f"index_templates/logs-keycloak-audit: the index template theirs of somebody else has {how}" in err
    assert stub.put == []
    template["priority"] = 200
    assert run(stub, "bootstrap") == 0
    template["priority"] = priority
    assert run(stub, "check") == 1


@pytest.mark.parametrize(
    ("kind", "entry", "words"),
    [
        ("aliases", {"name": "logs-keycloak.dlq-default", "indices": ["x"]}, "is an alias and not a data stream"),
        ("indices", {"name": "logs-keycloak.dlq-default", "attributes": ["open"]}, "is an index and not a data stream"),
    ],
)
def test_what_stands_in_a_data_streams_place_is_named(
    kind: str, entry: dict[str, Any], words: str, stub: Stub, capsys: pytest.CaptureFixture[str]
) -> None:
    stub.resolved[kind] = [entry]
    assert run(stub, "bootstrap") == 1
    assert f"logs-keycloak.dlq-default {words}" in capsys.readouterr().err
    assert stub.put == []


def test_streams_take_up_changes_at_their_next_rollover_or_at_once(
    stub: Stub, capsys: pytest.CaptureFixture[str]
) -> None:
    stub.resolved["data_streams"] = [{"name": "logs-keycloak.dlq-default"}]
    # What real ones answer when an index of a stream that is there is simulated.
    failure = {"error": {"type": "illegal_state_exception"}}
    stub.replies["POST _index_template/_simulate_index/logs-keycloak.dlq-default"] = Reply(500, failure)
    assert run(stub, "bootstrap") == 0
    assert "1 data stream: changed mappings hold from the next rollover on; --rollover" in capsys.readouterr().out
    assert run(stub, "bootstrap", "--rollover") == 0
    rolled = [path for method, path, _, _ in stub.asked if method == "POST" and "_rollover" in path]
    lazy = "" if stub.open else "?lazy=true"
    assert rolled == [f"logs-keycloak.dlq-default/_rollover{lazy}"]


def test_policies_that_stand_still_are_trouble(stub: Stub, capsys: pytest.CaptureFixture[str]) -> None:
    run(stub, "bootstrap")
    index = ".ds-logs-keycloak.dlq-default-2026.11.25-000001"
    if stub.open:
        state = {"step": {"name": "attempt_rollover", "step_status": "failed"}, "retry_info": {"failed": True}}
        stub.replies["GET _plugins/_ism/explain"] = Reply(200, {index: state, "total_managed_indices": 1})
    else:
        state = {"step": "ERROR", "failed_step": "check-rollover-ready", "step_info": {"reason": SECRET}}
        stub.replies["GET logs-keycloak.*-*,logs-keycloak_exporter.*-*/_ilm"] = Reply(200, {"indices": {index: state}})
    capsys.readouterr()
    assert run(stub, "check", "--json") == 1
    found = json.loads(capsys.readouterr().out)
    step = "attempt_rollover" if stub.open else "check-rollover-ready"
    assert found["trouble"] == [f"{index}: its policy stands still in the step {step}"]


def test_a_server_without_policies_is_told_and_can_do_without(stub: Stub, capsys: pytest.CaptureFixture[str]) -> None:
    name = "GET _plugins/_ism/explain" if stub.open else "GET logs-keycloak.*-*,logs-keycloak_exporter.*-*/_ilm"
    stub.replies[name] = Reply(400, {"error": "no handler found for uri"})
    run(stub, "bootstrap")
    assert run(stub, "check") == 1
    assert "has no lifecycle policies here; --without-lifecycle does without" in capsys.readouterr().out
    stub.objects.clear()
    assert run(stub, "bootstrap", "--without-lifecycle") == 0
    assert not any("policy" in path or "policies" in path for path in stub.objects)
    assert "lifecycle" not in json.dumps(stub.objects)
    stub.replies["POST _index_template/_simulate_index"] = Reply(
        200, {"template": {"settings": {"index": {"default_pipeline": "logs-keycloak"}}}}
    )
    assert run(stub, "check", "--without-lifecycle") == 0


@pytest.mark.parametrize(
    ("blocks", "words"),
    [
        ({"index.blocks.read_only_allow_delete": "true"}, "a disk passed the flood-stage watermark"),
        ({"index.blocks.write": "true"}, "takes no documents (write)"),
    ],
)
def test_indices_that_take_no_documents_are_trouble(
    blocks: dict[str, str], words: str, elastic: Stub, capsys: pytest.CaptureFixture[str]
) -> None:
    run(elastic, "bootstrap")
    streams = ".ds-logs-keycloak.user_event-default-2026.11."
    elastic.replies["GET logs-keycloak.*-*,logs-keycloak_exporter.*-*/_settings"] = Reply(
        200,
        {
            f"{streams}01-000001": {"settings": {"index.blocks.write": "true"}},
            f"{streams}08-000002": {"settings": blocks},
        },
    )
    assert run(elastic, "check") == 1
    assert words in capsys.readouterr().out


def test_settings_that_are_not_in_force_afterwards_are_trouble(
    elastic: Stub, capsys: pytest.CaptureFixture[str]
) -> None:
    elastic.replies["POST _index_template/_simulate_index"] = Reply(200, {"template": {"settings": {"index": {}}}})
    assert run(elastic, "bootstrap") == 1
    assert "would be made without the ingest pipeline logs-keycloak" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "authentication: "),
        (403, "authorization: "),
        (409, "rejected: "),
        (500, "protocol: "),
    ],
)
def test_a_refused_put_ends_with_1_and_its_reason(
    status: int, words: str, stub: Stub, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", SECRET)
    stub.replies["PUT _ingest"] = Reply(status, {"error": {"type": "x_exception", "reason": "words of its own"}})
    assert run(stub, "bootstrap", "--api-key-env", "KEY") == 1
    out, err = capsys.readouterr()
    assert err.startswith(words)
    assert "words of its own" in err
    assert SECRET not in out + err


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--config.file", "CONFIG", "--url", "http://es"], "give either --config.file FILE or --url URL"),
        (["--url", "es:9200"], "flags: url: must be http://… or https://…, without a user in it"),
        (["--url", f"http://u:{SECRET}@es:9200"], "flags: url: must be http://… or https://…, without a user in it"),
        (["--url", "http://es", "--cluster", "c"], "--cluster goes with --config.file"),
        (["--url", "http://es", "--ca-file", "/nowhere"], "--ca-file goes with an https:// URL"),
        (["--url", "http://es", "--username", "u"], "flags: basic_auth: password is missing"),
        (["--url", "http://es", "--api-key-file", "/nowhere"], "flags: api_key: /nowhere cannot be read"),
        (["--url", "http://es", "--api-key-env", "NOWHERE"], "flags: api_key: the environment has no variable NOWHERE"),
        (["--url", "http://es", "--api-key-env", "A", "--api-key-file", "b"], "only one may be"),
        (["--url", "http://es", "--objects", "/nowhere"], "/nowhere: holds no *.json"),
        (["--config.file", "/nowhere"], "/nowhere: cannot be read"),
        (["--config.file", "CONFIG"], "no logs.elasticsearch of any cluster"),
        (["--config.file", "CONFIG", "--api-key-env", "A"], "--api-key-env goes with --url"),
    ],
)
@pytest.mark.parametrize("verb", ["bootstrap", "check"])
def test_bad_input_ends_with_2_and_one_message(
    verb: str, flags: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "k.yml"
    config.write_text("clusters: [{bootstrap: ['k:1']}]\n", encoding="utf-8")
    assert main(["logs", verb, *[flag.replace("CONFIG", str(config)) for flag in flags]]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err
    assert SECRET not in err


def test_objects_that_break_a_rule_are_refused_before_anything_is_sent(
    elastic: Stub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "objects"
    shutil.copytree(shipped(), folder)
    path = folder / ObjectKind.INDEX / "logs-keycloak.json"
    body = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**body, "priority": 100}), encoding="utf-8")
    assert run(elastic, "bootstrap", "--objects", str(folder)) == 2
    assert "index_templates/logs-keycloak: priority 100 is below 501" in capsys.readouterr().err
    assert elastic.asked == []


def test_the_server_comes_from_the_configuration_where_it_is(elastic: Stub, tmp_path: Path) -> None:
    config = tmp_path / "k.yml"
    key = tmp_path / "key"
    key.write_text("YWJj\n", encoding="utf-8")
    logs = f"logs: {{elasticsearch: {{url: '{elastic.url}', api_key_file: '{key}'}}}}"
    config.write_text(
        f"clusters: [{{name: a, bootstrap: ['k:1'], {logs}}}, {{name: b, bootstrap: ['k:2']}}]\n", encoding="utf-8"
    )
    assert main(["logs", "bootstrap", "--config.file", str(config)]) == 0
    assert {headers["Authorization"] for _, _, headers, _ in elastic.asked} == {"ApiKey YWJj"}
    assert main(["logs", "check", "--config.file", str(config), "--cluster", "b"]) == 2


def test_what_is_put_carries_its_digest_and_nothing_of_who_put_it(stub: Stub) -> None:
    run(stub, "bootstrap")
    bodies = [copy.deepcopy(body) for method, _, _, body in stub.asked if method == "PUT"]
    assert len(bodies) == 9
    assert all("sha256" in json.dumps(body) for body in bodies)
    assert stub.url not in json.dumps(bodies)
