"""A real core of Elasticsearch 8.19 with security takes templates, streams and documents, and its refusals are named.

The core as it is on Maven Central lacks lifecycle policies, ingest processors, the interface of data streams, a front
page, and some types of fields: objects are put in the words that it knows, the rest is tested elsewhere.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from pydantic import SecretStr

from keywatch.cli.command import main
from keywatch.config.keycloak import BasicAuthSection
from keywatch.elastic.bootstrap import Consent, apply, plan
from keywatch.elastic.newest import Newest, older, recent
from keywatch.elastic.objects import ElasticObject, ObjectKind, load, shipped, without_lifecycle
from keywatch.elastic.product import Name
from keywatch.elastic.server import ElasticServer
from keywatch.elastic.stored_as import stored_as
from keywatch.engine.probe import ProbeError, Reason, Schedule
from keywatch.kafka.records.search import Position
from keywatch.kafka.wire.requests import TopicPartition
from keywatch.metrics import logs as cat
from keywatch.net.http_peer import HttpPeer
from keywatch.probes.logs.elasticsearch import ElasticsearchProbe
from tests.elastic.distribution import ELASTICSEARCH
from tests.elastic.documents import bulk, user_event
from tests.elastic.fixtures import required
from tests.elastic.server import ElasticProcess

pytestmark = pytest.mark.elastic
_T = TypeVar("_T")
ROLES = Path(__file__).parents[2] / "logstash" / "elasticsearch" / "roles"
SECRET = "planted-password"  # noqa: S105 - planted to be looked for
# What it knows in place of types of modules that it lacks.
_KNOWN = {"constant_keyword": "keyword", "wildcard": "keyword", "match_only_text": "text"}
AT = TopicPartition("keycloak-events", 0)


def roles() -> dict[str, Any]:
    """Return the roles that are shipped, in the words of roles.yml, and one that may do everything."""
    made = {}
    for path in ROLES.glob("*.json"):
        role = json.loads(path.read_text(encoding="utf-8"))
        # The core knows no privileges of modules that it lacks; what it does not know it refuses as a whole.
        made[path.stem] = {"cluster": role["cluster"], "indices": role["indices"]}
    everything = {"cluster": ["all"], "indices": [{"names": ["*"], "privileges": ["all"]}]}
    return {**made, "everything": everything, "nothing": {"cluster": [], "indices": []}}


USERS = {
    "admin": (SECRET, "everything"),
    "bootstrap": (SECRET, "keywatch-bootstrap"),
    "logstash": (SECRET, "keywatch-logstash"),
    "reader": (SECRET, "keywatch-reader"),
    "auditor": (SECRET, "keywatch-auditor"),
    "nobody": (SECRET, "nothing"),
}


@pytest.fixture(scope="module")
def core() -> Iterator[ElasticProcess]:
    required(ELASTICSEARCH)
    with ElasticProcess(ELASTICSEARCH, users=USERS, roles=roles()) as server:
        yield server


@pytest.fixture
def prepared(core: ElasticProcess) -> ElasticProcess:
    asked(core, "bootstrap", put)
    return core


def objects() -> list[ElasticObject]:
    """Return the objects in the words that the core knows."""
    made = []
    for one in without_lifecycle(load(shipped())):
        if one.kind is ObjectKind.INGEST:
            continue
        body = json.loads(json.dumps(one.body))
        body.get("template", {}).get("settings", {}).get("index", {}).pop("default_pipeline", None)
        _plain(body.get("template", {}).get("mappings", {}))
        made.append(ElasticObject(one.kind, one.name, body))
    return made


def _plain(mappings: dict[str, Any]) -> None:
    for spec in mappings.get("properties", {}).values():
        if "properties" in spec:
            _plain(spec)
            continue
        spec["type"] = _KNOWN.get(spec["type"], spec["type"])
        for field in spec.get("fields", {}).values():
            field["type"] = _KNOWN.get(field["type"], field["type"])


async def put(server: ElasticServer) -> int:
    made = await plan(server, objects(), Consent(), 30)
    await apply(server, made, 30)
    return len(made.due)


def asked(server: ElasticProcess, user: str, ask: Callable[[ElasticServer], Awaitable[_T]]) -> _T:
    async def once() -> _T:
        auth = BasicAuthSection(username=user, password=SecretStr(USERS[user][0]))
        peer = ElasticServer(HttpPeer(server.url, auth=auth))
        try:
            return await ask(peer)
        finally:
            await peer.close()

    return asyncio.run(once())


def test_it_is_known_without_its_front_page(core: ElasticProcess) -> None:
    found = asked(core, "reader", lambda server: server.product(10))
    assert (found.name, found.version) == (Name.ELASTICSEARCH, ELASTICSEARCH.version)


def test_what_is_put_is_given_back_as_the_same(core: ElasticProcess) -> None:
    asked(core, "bootstrap", put)
    assert asked(core, "bootstrap", put) == 0


def test_the_role_that_bootstraps_cannot_read_an_event(prepared: ElasticProcess) -> None:
    assert prepared.ask("GET", "logs-keycloak.user_event-default/_search", user="bootstrap")[0] == 403


def test_the_role_of_logstash_adds_documents_and_can_neither_read_nor_change_them(prepared: ElasticProcess) -> None:
    event = user_event(1)
    event["event"]["id"], event["kafka"]["topic"] = "once", "another-topic"
    status, answer = prepared.ask("POST", "_bulk?refresh=true", bulk([event, event]), user="logstash")
    assert status == 200
    assert [item["create"]["status"] for item in answer["items"]] == [201, 409]
    index = answer["items"][0]["create"]["_index"]
    wrong = user_event(3)
    wrong["source"]["ip"] = "nowhere"
    _, refused = prepared.ask("POST", "_bulk", bulk([wrong]), user="logstash")
    assert [item["create"]["status"] for item in refused["items"]] == [400]
    stream = "logs-keycloak.user_event-default"
    assert prepared.ask("GET", f"{stream}/_search", user="logstash")[0] == 403
    stored = {"_index": index, "_id": answer["items"][0]["create"]["_id"]}
    changed = stored | {"if_seq_no": 0, "if_primary_term": 1}
    _, answer = prepared.ask("POST", "_bulk", [{"delete": stored}, {"index": changed}, user_event(1)], user="logstash")
    assert [result["status"] for item in answer["items"] for result in item.values()] == [403, 403]
    assert prepared.ask("DELETE", stream, user="logstash")[0] == 403
    _, elsewhere = prepared.ask("POST", "_bulk", [{"create": {"_index": "other"}}, {"a": 1}], user="logstash")
    assert [item["create"]["status"] for item in elsewhere["items"]] == [403]


def test_events_and_offsets_are_found_by_those_who_may(
    prepared: ElasticProcess, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared.ask("POST", "_bulk?refresh=true", bulk([user_event(n) for n in range(5)]), user="logstash")
    found = asked(prepared, "reader", lambda server: recent(server, ["keycloak-events"], "default", 10))
    assert found.newest == {AT: Newest(4, 1_764_000_000.004)}
    looked_up = asked(prepared, "reader", lambda server: older(server, [AT], "default", 10))
    assert looked_up == {AT: Newest(4, 1_764_000_000.004)}
    datasets = asked(prepared, "reader", lambda server: stored_as(server, Position(AT, 4), "default", 10))
    assert datasets == ["keycloak.user_event"]
    monkeypatch.setenv("PASSWORD", SECRET)
    flags = ["--url", prepared.url, "--username", "auditor", "--password-env", "PASSWORD"]
    assert main(["logs", "search", *flags, "--json", "--limit", "2", "--kind", "user"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


@pytest.mark.parametrize(
    ("user", "password", "reason", "words"),
    [
        ("reader", "wrong", Reason.AUTHENTICATION, "the credentials are refused"),
        ("nobody", SECRET, Reason.AUTHORIZATION, "one of these rights is missing: read"),
        ("logstash", SECRET, Reason.AUTHORIZATION, "one of these rights is missing: read"),
    ],
)
def test_a_refusal_names_the_right_that_is_missing_and_no_secret(
    user: str, password: str, reason: Reason, words: str, prepared: ElasticProcess, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    prepared.ask("POST", "_bulk?refresh=true", bulk([user_event(1)]), user="logstash")
    file = tmp_path / "password"
    file.write_text(password, encoding="utf-8")
    flags = ["--url", prepared.url, "--username", user, "--password-file", str(file)]
    assert main(["logs", "search", *flags]) == 1
    out, err = capsys.readouterr()
    assert err.startswith(f"{reason}: ")
    assert words in err
    assert password not in out + err


def test_a_reader_cannot_bootstrap(prepared: ElasticProcess) -> None:
    with pytest.raises(ProbeError) as refused:
        asked(prepared, "reader", put)
    assert refused.value.reason is Reason.AUTHORIZATION
    assert "manage_index_templates" in refused.value.detail


def test_the_probe_makes_do_with_what_the_core_has(prepared: ElasticProcess) -> None:
    prepared.ask("POST", "_bulk?refresh=true", bulk([user_event(1)]), user="logstash")
    samples = asked(prepared, "reader", lambda server: ElasticsearchProbe("c", server, Schedule(10, 5)).run(10))
    values = {(sample.metric, sample.labels[1:]): sample.value for sample in samples}
    assert values[cat.ELASTICSEARCH_UP, ()] == 1
    assert values[cat.ELASTICSEARCH_INFO, ("elasticsearch", ELASTICSEARCH.version)] == 1
    assert values[cat.ELASTICSEARCH_BLOCKED_INDICES, ()] == 0


def test_a_mapping_that_elasticsearch_refuses_is_told_in_its_own_words(core: ElasticProcess) -> None:
    wrong = ElasticObject(
        ObjectKind.COMPONENT,
        "logs-keycloak-wrong",
        {"template": {"mappings": {"properties": {"a": {"type": "keywrd"}}}}},
    )

    async def send(server: ElasticServer) -> None:
        await apply(server, await plan(server, [wrong], Consent(), 10), 10)

    with pytest.raises(ProbeError) as refused:
        asked(core, "bootstrap", send)
    assert refused.value.reason is Reason.REJECTED
    assert "keywrd" in refused.value.detail
