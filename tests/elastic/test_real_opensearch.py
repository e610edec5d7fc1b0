"""On a real OpenSearch all is prepared once, documents go where they should, and keywatch finds and measures them.

OpenSearch as it is on Maven Central has data streams, templates and ingest processors, and neither Index State
Management nor security: those parts are tested against a stand-in.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar

import pytest

from keywatch.cli.command import main
from keywatch.elastic.errors import error_of
from keywatch.elastic.event_search import Follower, Wanted
from keywatch.elastic.lint import DATASETS
from keywatch.elastic.newest import Newest, older, recent
from keywatch.elastic.server import ElasticServer
from keywatch.elastic.stored_as import stored_as
from keywatch.engine.probe import ProbeError, Reason, Schedule
from keywatch.kafka.records.search import Position
from keywatch.kafka.wire.requests import TopicPartition
from keywatch.metrics import logs as cat
from keywatch.net.http_peer import Answer, HttpPeer
from keywatch.probes.logs.elasticsearch import ElasticsearchProbe
from tests.elastic.distribution import OPENSEARCH
from tests.elastic.documents import admin_event, bulk, moment, others, user_event
from tests.elastic.fixtures import required
from tests.elastic.server import ElasticProcess
from tests.slowness import Stopwatch

pytestmark = pytest.mark.elastic
_T = TypeVar("_T")
AT = TopicPartition("keycloak-events", 0)


@pytest.fixture(scope="module")
def bare() -> Iterator[ElasticProcess]:
    required(OPENSEARCH)
    with ElasticProcess(OPENSEARCH) as server:
        yield server


@pytest.fixture
def opensearch(bare: ElasticProcess) -> ElasticProcess:
    """Return it prepared and without documents."""
    assert bare.ask("DELETE", "_data_stream/logs-*")[0] in {200, 404}
    assert run(bare, "bootstrap", "--without-lifecycle") == 0
    return bare


def run(server: ElasticProcess, verb: str, *flags: str) -> int:
    return main(["logs", verb, "--url", server.url, *flags])


def asked(server: ElasticProcess, ask: Callable[[ElasticServer], Awaitable[_T]]) -> _T:
    async def once() -> _T:
        peer = ElasticServer(HttpPeer(server.url))
        try:
            return await ask(peer)
        finally:
            await peer.close()

    return asyncio.run(once())


def stored(server: ElasticProcess, documents: list[dict[str, Any]]) -> list[int]:
    """Create documents, make them visible, and give each one's status."""
    status, answer = server.ask("POST", "_bulk?refresh=true", bulk(documents))
    assert status == 200
    return [item["create"]["status"] for item in answer["items"]]


def test_bootstrap_is_done_once_within_ten_seconds(bare: ElasticProcess, capsys: pytest.CaptureFixture[str]) -> None:
    watch = Stopwatch()
    assert run(bare, "bootstrap", "--without-lifecycle") == 0
    assert watch.excuse("the bootstrap", 10)
    assert "OpenSearch 3.8.0" in capsys.readouterr().out
    assert run(bare, "bootstrap", "--without-lifecycle") == 0
    assert "nothing to do" in capsys.readouterr().out, "what the server gives back is what was put"
    assert run(bare, "check", "--without-lifecycle") == 0


def test_without_its_plugin_for_policies_the_refusal_is_named(
    bare: ElasticProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(bare, "bootstrap") == 1
    assert "_plugins/_ism/policies" in capsys.readouterr().err


def test_each_data_stream_would_be_made_from_our_templates(opensearch: ElasticProcess) -> None:
    for dataset in DATASETS:
        stream = f"logs-{dataset}-default"
        status, found = opensearch.ask("POST", f"_index_template/_simulate_index/{stream}")
        assert status == 200
        index = found["template"]["settings"]["index"]
        assert index["default_pipeline"] == "logs-keycloak"
        audited = dataset in {"keycloak.user_event", "keycloak.admin_event"}
        assert index["mapping"]["ignore_malformed"] == ("false" if audited else "true")
        assert found["template"]["mappings"]["properties"]["keycloak"]["properties"]["event"]["properties"]["details"]
        assert found["overlapping"] == []


def test_a_document_of_each_kind_is_stored_and_a_redelivery_is_refused(opensearch: ElasticProcess) -> None:
    documents = [user_event(1), admin_event(1), *others(1)]
    assert stored(opensearch, documents) == [201] * len(documents)
    assert stored(opensearch, documents[:3]) == [409, 409, 201], "an event's id is its document's; a log line has none"
    status, found = opensearch.ask("GET", "logs-keycloak.*/_search?size=100")
    assert status == 200
    ids = [hit["_source"]["event"]["id"] for hit in found["hits"]["hits"] if "id" in hit["_source"].get("event", {})]
    assert sorted(ids) == ["a1", "dlq-1", "u1"]


def test_the_ingest_pipeline_adds_what_is_related_and_takes_out_the_original(opensearch: ElasticProcess) -> None:
    event = user_event(2)
    event["event"]["original"] = "the whole"
    event["@version"] = "1"
    event["related"] = {"user": ["id-2"]}
    body = {"docs": [{"_index": "x", "_source": event}]}
    status, found = opensearch.ask("POST", "_ingest/pipeline/logs-keycloak/_simulate", body)
    assert status == 200
    source = found["docs"][0]["doc"]["_source"]
    assert "original" not in source["event"]
    assert "@version" not in source
    assert source["event"]["ingested"].startswith(moment()[:13])
    assert source["related"] == {"user": ["id-2"], "ip": ["203.0.113.0"]}, "what is there is not there twice"
    event["source"] = {}
    _, found = opensearch.ask("POST", "_ingest/pipeline/logs-keycloak/_simulate", body)
    assert "ip" not in found["docs"][0]["doc"]["_source"]["related"]


def test_a_wrong_type_is_refused_in_audit_streams_and_kept_aside_in_logs(opensearch: ElasticProcess) -> None:
    wrong = user_event(3)
    wrong["source"]["ip"] = "nowhere"
    log = next(others(3))
    log["process"]["pid"] = "none"
    assert stored(opensearch, [wrong, log]) == [400, 201]
    _, found = opensearch.ask("GET", "logs-keycloak.server-default/_search")
    assert found["hits"]["hits"][0]["_ignored"] == ["process.pid"]


def test_what_is_not_mapped_is_stored_and_not_indexed(opensearch: ElasticProcess) -> None:
    assert stored(opensearch, [user_event(4, surprise={"field": "x"})]) == [201]
    _, found = opensearch.ask("GET", "logs-keycloak.user_event-default/_mapping")
    (mappings,) = (index["mappings"] for index in found.values())
    assert "surprise" not in mappings["properties"]
    _, found = opensearch.ask("GET", "logs-keycloak.user_event-default/_search?q=surprise.field:x")
    assert found["hits"]["total"]["value"] == 0


def test_events_are_found_by_what_they_are(opensearch: ElasticProcess, capsys: pytest.CaptureFixture[str]) -> None:
    kinds = ["LOGIN", "LOGIN_ERROR", "LOGOUT"]
    events = [user_event(n, realm=f"r{n % 2}", kind=kinds[n % 3], ago=n) for n in range(12)]
    stored(opensearch, [*events, admin_event(99)])
    capsys.readouterr()

    def found(*flags: str) -> list[str]:
        assert run(opensearch, "search", "--json", *flags) == 0
        return [json.loads(line)["event"]["id"] for line in capsys.readouterr().out.splitlines()]

    assert found("--kind", "user") == [f"u{n}" for n in range(12)], "the newest first"
    assert found("--realm", "r1", "--kind", "user") == ["u1", "u3", "u5", "u7", "u9", "u11"]
    assert found("--type", "LOGIN_ERROR") == ["u1", "u4", "u7", "u10"]
    assert found("--outcome", "failure") == ["u1", "u4", "u7", "u10"]
    assert found("--type", "LOGIN_ERROR", "--type", "LOGOUT", "--limit", "3") == ["u1", "u2", "u4"]
    assert found("--user-hash", "hash-2") == ["u2", "u5", "u8", "u11"]
    assert found("--since", "4s", "--kind", "user")[:1] == ["u0"]
    assert len(found("--since", "4s", "--kind", "user")) < 6
    assert found("--until", "1h") == []
    assert found("--type", "update-user") == ["a99"]
    assert run(opensearch, "search", "--namespace", "elsewhere") == 1
    assert "logs-keycloak.user_event-elsewhere" in capsys.readouterr().err


def test_following_shows_what_becomes_visible_once(opensearch: ElasticProcess) -> None:
    stored(opensearch, [user_event(1)])

    async def follow(server: ElasticServer) -> list[list[str]]:
        follower = Follower(server, Wanted(), dt.datetime.now(dt.UTC))
        given = [[event.source["event"]["id"] for event in await follower.more(10)]]
        for number in (2, 3):
            await asyncio.to_thread(stored, opensearch, [user_event(number)])
            given.append([event.source["event"]["id"] for event in await follower.more(10)])
        given.append([event.source["event"]["id"] for event in await follower.more(10)])
        return given

    assert asked(opensearch, follow) == [["u1"], ["u2"], ["u3"], []]


def test_the_newest_offset_of_each_partition_is_found_whatever_became_of_the_record(opensearch: ElasticProcess) -> None:
    stored(opensearch, [*(user_event(n) for n in range(7)), *others(40)])
    found = asked(opensearch, lambda server: recent(server, ["keycloak-events"], "default", 10))
    assert found.newest == {
        AT: Newest(6, 1_764_000_000.006),
        TopicPartition("keycloak-events", 1): Newest(40, 1_764_000_000.0),  # the one that could not be parsed
    }
    assert found.redaction_failed == 0
    looked_up = asked(opensearch, lambda server: older(server, [AT, TopicPartition("x", 0)], "default", 10))
    assert looked_up == {AT: Newest(6, 1_764_000_000.006)}


def test_as_what_a_record_is_stored_is_told(opensearch: ElasticProcess) -> None:
    def datasets(partition: int, offset: int) -> list[str]:
        position = Position(TopicPartition("keycloak-events", partition), offset)
        return asked(opensearch, lambda server: stored_as(server, position, "default", 10))

    assert datasets(0, 6) == [], "there is no stream yet"
    stored(opensearch, [user_event(6), *others(40)])
    assert datasets(0, 6) == ["keycloak.user_event"]
    assert datasets(1, 40) == ["keycloak.unparsed"]
    assert datasets(1, 41) == []


def test_a_document_whose_redaction_failed_is_counted(opensearch: ElasticProcess) -> None:
    stored(opensearch, [user_event(1), user_event(2, tags=["_redaction_failed"])])
    found = asked(opensearch, lambda server: recent(server, ["keycloak-events"], "default", 10))
    assert found.redaction_failed == 1


def test_before_any_document_nothing_is_the_newest_and_a_search_says_that_nothing_is_there(
    opensearch: ElasticProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    found = asked(opensearch, lambda server: recent(server, ["keycloak-events"], "default", 10))
    assert found.newest == {}
    capsys.readouterr()
    assert run(opensearch, "search") == 1
    assert "has no data stream logs-keycloak.user_event-*" in capsys.readouterr().err


def test_the_probe_tells_health_sizes_and_the_newest_event(opensearch: ElasticProcess) -> None:
    stored(opensearch, [user_event(1), *others(1)])
    samples = asked(opensearch, lambda server: ElasticsearchProbe("c", server, Schedule(10, 5)).run(5))
    values = {(sample.metric, sample.labels[1:]): sample.value for sample in samples}
    assert values[cat.ELASTICSEARCH_UP, ()] == 1
    assert values[cat.ELASTICSEARCH_INFO, ("opensearch", "3.8.0")] == 1
    assert values[cat.ELASTICSEARCH_STATUS, ("red",)] == 0
    assert 0 < values[cat.ELASTICSEARCH_DISK_AVAILABLE_RATIO, ()] < 1
    assert values[cat.ELASTICSEARCH_DATA_STREAM_BYTES, ("keycloak.user_event",)] > 0
    assert values[cat.ELASTICSEARCH_BACKING_INDICES, ("keycloak.user_event",)] == 1
    newest = values[cat.ELASTICSEARCH_NEWEST_EVENT_TIMESTAMP_SECONDS, ("keycloak.user_event",)]
    assert abs(newest - time.time()) < 60
    assert values[cat.ELASTICSEARCH_BLOCKED_INDICES, ()] == 0
    assert values[cat.ELASTICSEARCH_INGEST_FAILED_TOTAL, ("logs-keycloak",)] == 0


def test_a_frozen_server_costs_the_probe_its_deadline_and_no_more(opensearch: ElasticProcess) -> None:
    async def frozen(server: ElasticServer) -> ProbeError:
        probe = ElasticsearchProbe("c", server, Schedule(10, 2))
        await probe.run(5)
        opensearch.freeze_all()
        watch = Stopwatch()
        try:
            with pytest.raises(ProbeError) as failed:
                await probe.run(2)
            assert watch.excuse("the probe gives up", 2.5)
            return failed.value
        finally:
            opensearch.thaw_all()

    failure = asked(opensearch, frozen)
    assert failure.reason is Reason.TIMEOUT_RESPONSE


def test_a_full_disk_is_named_by_check_probe_and_a_refused_write(
    opensearch: ElasticProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    stored(opensearch, [user_event(1)])
    stream = "logs-keycloak.user_event-default"
    setting = "index.blocks.read_only_allow_delete"
    assert opensearch.ask("PUT", f"{stream}/_settings", {setting: True})[0] == 200
    try:
        assert run(opensearch, "check", "--without-lifecycle") == 1
        assert "takes no documents (read_only_allow_delete: a disk passed" in capsys.readouterr().out
        samples = asked(opensearch, lambda server: ElasticsearchProbe("c", server, Schedule(10, 5)).run(5))
        assert [sample.value for sample in samples if sample.metric is cat.ELASTICSEARCH_BLOCKED_INDICES] == [1]
        status, body = opensearch.ask("POST", f"{stream}/_doc", user_event(2))
        refused = error_of(Answer(status, "", json.dumps(body).encode(), 0.0), "POST")
        assert refused.reason in {Reason.STORAGE, Reason.REJECTED}
        assert refused.blocked
        assert "block" in refused.detail or "flood-stage" in refused.detail
    finally:
        assert opensearch.ask("PUT", f"{stream}/_settings", {setting: None})[0] == 200


def test_what_somebody_changed_is_drift(opensearch: ElasticProcess, capsys: pytest.CaptureFixture[str]) -> None:
    path = "_component_template/logs-keycloak-event"
    _, held = opensearch.ask("GET", path)
    body = held["component_templates"][0]["component_template"]
    body["template"]["mappings"]["properties"]["kafka"]["properties"]["offset"]["type"] = "integer"
    assert opensearch.ask("PUT", path, body)[0] == 200
    assert run(opensearch, "check", "--without-lifecycle") == 3
    out = capsys.readouterr().out
    assert "kafka.properties.offset.type: integer → long" in out
    assert run(opensearch, "bootstrap", "--without-lifecycle") == 0
    assert run(opensearch, "check", "--without-lifecycle") == 0


def test_a_template_of_somebody_else_with_our_priority_is_named_before_the_server_refuses(
    opensearch: ElasticProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    assert opensearch.ask("DELETE", "_index_template/logs-keycloak-audit")[0] == 200
    rival = {"index_patterns": ["logs-keycloak.user*"], "priority": 511, "template": {}}
    assert opensearch.ask("PUT", "_index_template/rival", rival)[0] == 200
    try:
        assert run(opensearch, "bootstrap", "--without-lifecycle") == 1
        err = capsys.readouterr().err
        assert "the index template rival of somebody else has the same priority (511)" in err
    finally:
        assert opensearch.ask("DELETE", "_index_template/rival")[0] == 200
    assert run(opensearch, "bootstrap", "--without-lifecycle") == 0


def test_an_alias_in_a_streams_place_is_named(opensearch: ElasticProcess, capsys: pytest.CaptureFixture[str]) -> None:
    body: dict[str, Any] = {"aliases": {"logs-keycloak.dlq-default": {}}}
    assert opensearch.ask("PUT", "somebodys-index", body)[0] == 200
    try:
        assert run(opensearch, "bootstrap", "--without-lifecycle") == 1
        assert "logs-keycloak.dlq-default is an alias and not a data stream" in capsys.readouterr().err
    finally:
        assert opensearch.ask("DELETE", "somebodys-index")[0] == 200


def test_a_rollover_has_streams_take_up_what_changed(
    opensearch: ElasticProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    stored(opensearch, [user_event(1)])
    capsys.readouterr()
    assert run(opensearch, "bootstrap", "--without-lifecycle", "--rollover") == 0
    assert "1 data stream rolls over" in capsys.readouterr().out
    _, found = opensearch.ask("GET", "_data_stream/logs-keycloak.user_event-default")
    assert len(found["data_streams"][0]["indices"]) == 2
    assert stored(opensearch, [user_event(1)]) == [201], "ids are distinct within one backing index only"
