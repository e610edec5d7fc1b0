"""The running keywatch is asked for what one look cannot know, and whatever answers there breaks nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from keywatch.cli.report import report
from keywatch.cli.running import running
from keywatch.config.model import Config
from keywatch.service.config_file import from_data
from keywatch.service.watch import Watch
from tests.exporter.fakes.http_server import reply, serving

MISSING = {
    "metric": "keywatch_events_missing",
    "labels": {"cluster": "c", "listener": "l"},
    "what": "missing: 3 login (success) of realm shop did not arrive",
    "since_seconds": 60.0,
    "follows_from": None,
}


def config(port: int, **web: Any) -> Config:
    listening = {"listen_address": f"127.0.0.1:{port}", **web}
    return from_data({"clusters": [{"name": "c", "bootstrap": ["k:1"]}], "web": listening}, "test", code=False)


async def asked(body: bytes, status: str = "200 OK") -> dict[str, Any]:
    async with serving({"/-/incidents": reply(body.decode(), status)}) as server:
        return await running(config(server.number), None)


async def test_what_it_knows_is_taken_from_where_the_configuration_has_it_listen() -> None:
    found = await asked(json.dumps({"incidents": [MISSING]}).encode())
    assert found["incidents"] == [MISSING]
    assert found["answer"].startswith("The keywatch that runs at http://127.0.0.1:")


@pytest.mark.parametrize(
    "body",
    ["no JSON", "[]", "{}", '{"incidents": 7}', '{"incidents": [{"metric": "m"}]}', '{"incidents": [[]]}', "[" * 5000],
)
async def test_what_is_no_answer_of_keywatch_is_told_and_taken_for_nothing(body: str) -> None:
    found = await asked(body.encode())
    assert found["incidents"] == []
    assert "it is another program, or an older keywatch" in found["answer"]
    assert "events missing since yesterday, is not told" in found["answer"]


async def test_an_incident_of_another_form_is_left_to_the_others() -> None:
    strange = [{**MISSING, "labels": "cluster=c"}, {**MISSING, "follows_from": {"metric": "m", "labels": 7}}]
    assert (await asked(json.dumps({"incidents": [*strange, MISSING]}).encode()))["incidents"] == [MISSING]


async def test_where_nobody_listens_that_is_said_and_no_secret_of_the_address() -> None:
    found = await running(config(1), "http://me:hunter2@127.0.0.1:1")
    assert "connection refused" in found["answer"]
    assert "hunter2" not in json.dumps(found)


async def test_a_port_with_users_is_not_asked(tmp_path: Any) -> None:
    web = tmp_path / "web.yml"
    web.write_text("basic_auth_users: {}\n", encoding="utf-8")
    found = await running(config(1, config_file=str(web)), None)
    assert "give --exporter URL" in found["answer"]


def problem(metric: str, cause: dict[str, Any] | None = None, **labels: str) -> dict[str, Any]:
    return {**MISSING, "metric": metric, "labels": labels, "follows_from": cause}


async def test_what_it_adds_stands_behind_its_cause_and_other_clusters_are_left_out() -> None:
    broker = problem("keywatch_broker_up", cluster="c", broker="2")
    cause = {"metric": broker["metric"], "labels": broker["labels"]}
    follower = problem("keywatch_topic_partitions_electing", cause, cluster="c", topic="t")
    orphan = problem("keywatch_group_up", {"metric": "gone", "labels": {}}, cluster="c", group="g")
    own = problem("keywatch_config_reload_successful")
    other = problem("keywatch_broker_up", cluster="elsewhere", broker="1")
    given = {"url": "http://k:9877", "answer": "asked", "incidents": [broker, MISSING, own, orphan, other, follower]}
    found = report(Watch(config(1)), given)
    assert [one["metric"] for one in found["problems"]] == [
        "keywatch_broker_up",
        "keywatch_topic_partitions_electing",
        "keywatch_events_missing",
        "keywatch_config_reload_successful",
        "keywatch_group_up",
    ]
    assert found["summary"] == "4 things are wrong, 1 follows from them."
    assert {one["seen_by"] for one in found["problems"]} == {"http://k:9877"}
