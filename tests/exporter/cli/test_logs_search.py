"""`keywatch logs search` asks for what is wanted, shows it safely, and names what it cannot show."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import pytest

from keywatch.cli import tables
from keywatch.cli.command import main
from keywatch.elastic.event_search import Follower, Wanted
from keywatch.elastic.server import ElasticServer
from keywatch.net.http_peer import HttpPeer
from tests.exporter.fakes.fake_elasticsearch import Reply, Stub, serving

AT = "POST logs-keycloak"


@pytest.fixture
def stub() -> Iterator[Stub]:
    with serving(Stub()) as one:
        yield one


def hit(number: int, **event: Any) -> dict[str, Any]:
    source = {
        "@timestamp": f"2026-11-25T10:00:{number:02}.000Z",
        "event": {"id": f"e{number}", "ingested": f"2026-11-25T10:00:{number:02}.123456789Z", "outcome": "failure"},
        "keycloak": {"realm": {"id": "r1"}, "client": {"id": "app"}, "event": {"type": "LOGIN_ERROR", **event}},
        "user": {"hash": "abc"},
        "source": {"ip": "10.0.0.0"},
    }
    return {"_index": "x", "_id": f"e{number}", "_source": source, "sort": [number, f"e{number}"]}


def found(*hits: dict[str, Any], **more: Any) -> Reply:
    return Reply(200, {"_shards": {"total": 1, "failed": 0}, "hits": {"hits": list(hits)}, **more})


def search(stub: Stub, *flags: str) -> int:
    return main(["logs", "search", "--url", stub.url, *flags])


def query(stub: Stub) -> Any:
    return stub.asked[-1][3]


def test_filters_become_terms_and_times_a_range(stub: Stub, capsys: pytest.CaptureFixture[str]) -> None:
    stub.replies[AT] = found()
    flags = "--realm r1 --type LOGIN --type LOGOUT --client app --user-hash abc --user-id u --outcome failure"
    times = "--since 2026-11-25T08:00 --until 2026-11-25T10:00:00+01:00"
    assert search(stub, *flags.split(), *times.split(), "--limit", "7", "--kind", "user") == 0
    assert capsys.readouterr().out == "0 events\n"
    filters = query(stub)["query"]["bool"]["filter"]
    assert {"term": {"keycloak.client.id": "app"}} in filters
    assert {"term": {"user.hash": "abc"}} in filters
    assert {"term": {"user.id": "u"}} in filters
    assert {"term": {"event.outcome": "failure"}} in filters
    assert {"range": {"@timestamp": {"gte": "2026-11-25T08:00:00.000Z", "lte": "2026-11-25T09:00:00.000Z"}}} in filters
    assert "LOGOUT" in json.dumps(filters)
    assert query(stub)["size"] == 7
    assert stub.asked[-1][1].startswith("logs-keycloak.user_event-*/_search?")
    assert "ignore_unavailable=true" in stub.asked[-1][1]
    assert "r1" not in stub.asked[-1][1], "what is searched for is in no address, which logs would keep"


def test_marked_events_of_keywatchs_own_are_found_only_where_their_realm_is_asked_for(stub: Stub) -> None:
    stub.replies[AT] = found()
    assert search(stub) == 0
    marks = [{"term": {"keycloak.client.id": "keywatch"}}, {"term": {"keycloak.event.type": "CLIENT_INFO"}}]
    assert query(stub)["query"]["bool"]["must_not"] == [{"bool": {"filter": marks}}]
    assert search(stub, "--realm", "keywatch-canary") == 0
    assert "must_not" not in query(stub)["query"]["bool"]


def test_a_table_shows_an_events_columns(stub: Stub, capsys: pytest.CaptureFixture[str]) -> None:
    stub.replies[AT] = found(hit(1, error="invalid_user_credentials"))
    assert search(stub) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert out.startswith("time realm event outcome client user address detail")
    for cell in ("r1", "LOGIN_ERROR", "failure", "app", "abc", "10.0.0.0", "1 event"):
        assert cell in out


def test_a_row_is_a_line_and_ids_are_whole_where_a_program_reads(
    stub: Stub, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    digest, path = "6f1c" * 16, "users/0b8c2d1e-7a64-4a3c-9c0e-0f6f3a1d2b4c/" + "role-mappings/" * 12
    told = hit(1, error="invalid_user_credentials")
    told["_source"]["user"]["hash"] = digest
    told["_source"]["keycloak"]["admin"] = {"resource": {"path": path}}
    stub.replies[AT] = found(told)
    monkeypatch.setenv("COLUMNS", "60")
    assert search(stub) == 0
    heading, row, count = capsys.readouterr().out.splitlines()
    assert digest in row
    assert f"{path} invalid_user_credentials" in row
    assert (heading, row) == (heading.rstrip(), row.rstrip())
    assert count == "1 event"
    monkeypatch.setattr(tables, "on_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "160")
    assert search(stub) == 0
    shown = capsys.readouterr().out
    assert "6f1c6f1c… " in shown
    assert digest not in shown
    assert search(stub, "--json") == 0
    assert json.loads(capsys.readouterr().out)["user"]["hash"] == digest


def test_a_server_without_our_streams_is_told_as_such(stub: Stub, capsys: pytest.CaptureFixture[str]) -> None:
    stub.replies[AT] = found(_shards={"total": 0, "failed": 0})
    for flags in ([], ["--follow"], ["--json"]):
        assert search(stub, *flags) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith(
            f"{stub.url} has no data stream logs-keycloak.user_event-*, logs-keycloak.admin_event-* that"
        )
        assert "logs check" in err
    assert search(stub, "--kind", "user", "--namespace", "test") == 1
    assert "has no data stream logs-keycloak.user_event-test that may be read" in capsys.readouterr().err


def test_json_gives_each_document_as_a_line(stub: Stub, capsys: pytest.CaptureFixture[str]) -> None:
    stub.replies[AT] = found(hit(2), hit(1))
    assert search(stub, "--json") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["event"]["id"] for line in lines] == ["e2", "e1"]


def test_what_a_terminal_would_obey_is_not_obeyed(stub: Stub, capsys: pytest.CaptureFixture[str]) -> None:
    stub.replies[AT] = found(hit(1, error="\x1b]0;owned\x07\x1b[2J[red]x\u202e"))
    assert search(stub) == 0
    out = capsys.readouterr().out
    assert all(sign.isprintable() or sign == "\n" for sign in out)
    assert "[red]x" in "".join(out.split()).replace("�", "") or "[red]" in out


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (found(_shards={"total": 3, "failed": 1}), "1 of 3 shards did not answer, so events may be missing"),
        (found(timed_out=True), "the search was cut short"),
        (Reply(200, {"hits": []}), "a search is answered without what each Elasticsearch gives"),
        (Reply(403, {"error": {"type": "security_exception"}}), "status 403; a right is missing"),
    ],
)
def test_an_answer_that_is_not_whole_ends_with_1(
    reply: Reply, says: str, stub: Stub, capsys: pytest.CaptureFixture[str]
) -> None:
    stub.replies[AT] = reply
    assert search(stub) == 1
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ("--since yesterday", "'yesterday' is no time; allowed: 30s, 15m, 24h, 7d"),
        ("--since 999999d", "is no time"),
        ("--limit 0", "allowed: 1 to 10000"),
        ("--limit 10001", "allowed: 1 to 10000"),
        ("--limit many", "allowed: 1 to 10000"),
        ("--limit ²", "allowed: 1 to 10000"),
        ("--namespace a,*", "is no namespace"),
        ("--namespace ../_all", "is no namespace"),
        ("--outcome maybe", "invalid choice"),
        ("--timeout nan", "is out of range"),
        ("--timeout -1", "is out of range"),
    ],
)
def test_bad_input_ends_with_2(flags: str, says: str, stub: Stub, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        search(stub, *flags.split())
    assert ended.value.code == 2
    assert says in capsys.readouterr().err
    assert stub.asked == []


async def test_following_gives_each_event_once_also_one_that_becomes_visible_late() -> None:
    with serving(Stub()) as stub:
        server = ElasticServer(HttpPeer(stub.url))
        try:
            follower = Follower(server, Wanted(), dt.datetime(2026, 11, 25, 10, tzinfo=dt.UTC))
            given = []
            for hits in ([hit(1), hit(3)], [hit(1), hit(3)], [hit(1), hit(2), hit(3), hit(4)]):
                stub.replies[AT] = found(*hits)
                given.append([event.id for event in await follower.more(5.0)])
        finally:
            await server.close()
    assert given == [["x/e1", "x/e3"], [], ["x/e2", "x/e4"]]
    newer = query(stub)["query"]["bool"]["filter"][-1]["range"]["event.ingested"]["gt"]
    assert newer == "2026-11-25T09:59:48.123Z", "a while before the newest one is asked for again"


async def test_following_reads_page_by_page_until_there_is_no_more() -> None:
    pages = [[hit(1)] * 1000, [hit(2)] * 3]
    with serving(Stub()) as stub:
        server = ElasticServer(HttpPeer(stub.url))
        stub.replies[AT] = found(*pages[1])
        stub.replies[f"{AT}.user"] = Reply(200, found(*pages[0]).body, times=1)
        try:
            follower = Follower(server, Wanted(), dt.datetime(2026, 11, 25, 10, tzinfo=dt.UTC))
            events = await follower.more(5.0)
        finally:
            await server.close()
    assert {event.id for event in events} == {"x/e1", "x/e2"}
    assert query(stub)["search_after"] == [1, "e1"]
