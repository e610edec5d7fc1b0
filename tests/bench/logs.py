"""How fast a million events are prepared for, searched and measured on a real OpenSearch; needs no Kafka."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from keywatch.elastic.event_search import Follower, Wanted, search
from keywatch.elastic.newest import recent
from keywatch.elastic.server import ElasticServer
from keywatch.engine.probe import ProbeError, Schedule
from keywatch.net.http_peer import HttpPeer
from keywatch.probes.logs.elasticsearch import ElasticsearchProbe
from tests.bench.figures import Figure, spread
from tests.elastic.distribution import OPENSEARCH
from tests.elastic.documents import bulk, user_event
from tests.elastic.server import ElasticProcess
from tests.kafka.waiting import wait_until

_T = TypeVar("_T")
_AT_ONCE = 5000
_SEARCHES = (
    Wanted(since=datetime(2020, 1, 1, tzinfo=UTC)),
    Wanted(since=datetime(2020, 1, 1, tzinfo=UTC), realm="r1"),
    Wanted(since=datetime(2020, 1, 1, tzinfo=UTC), types=("LOGIN_ERROR",), user_hash="hash-2"),
)


def measure(documents: int, repetitions: int, say: Callable[[str], None]) -> list[Figure]:
    """Fill a server with `documents` events; then search, ask for the newest offsets, and freeze it."""
    with ElasticProcess(OPENSEARCH) as server:
        begin = time.monotonic()
        _command(server, "bootstrap", "--without-lifecycle")
        put = time.monotonic() - begin
        begin = time.monotonic()
        _command(server, "bootstrap", "--without-lifecycle")
        again = time.monotonic() - begin
        figures = [
            Figure(
                "keywatch logs bootstrap, the whole command, first / again", "≤ 10 s", f"{put:.1f} / {again:.1f} s",
                max(put, again) <= 10,
            )
        ]  # fmt: skip
        _fill(server, documents, say)
        figures.append(_searches(server, documents, repetitions, say))
        figures += _others(server, documents, repetitions, say)
    return figures


def _fill(server: ElasticProcess, documents: int, say: Callable[[str], None]) -> None:
    kinds = ("LOGIN", "LOGIN_ERROR", "LOGOUT", "CODE_TO_TOKEN")
    for first in range(0, documents, _AT_ONCE):
        numbers = range(first, min(first + _AT_ONCE, documents))
        events = [user_event(n, realm=f"r{n % 5}", kind=kinds[n % 4], ago=(documents - n) / 500) for n in numbers]
        body = "".join(json.dumps(line) + "\n" for line in bulk(events)).encode()
        headers = {"Content-Type": "application/x-ndjson"}
        request = urllib.request.Request(f"{server.url}/_bulk", body, headers)  # noqa: S310 - a server of ours
        with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310
            assert not json.loads(answer.read())["errors"]
        if first % 100_000 == 0:
            say(f"{first} of {documents} events")
    server.ask("POST", "logs-*/_refresh")
    begin = time.monotonic()
    wait_until(partial(_merged, server), 120, "the segments of so many events at once are merged")
    say(f"merges ended {time.monotonic() - begin:.1f} s after the last event")


def _merged(server: ElasticProcess) -> bool:
    """Return whether no merge runs: what is put in at once keeps a server busy for a while, and refreshes late."""
    return bool(server.ask("GET", "_stats/merge")[1]["_all"]["total"]["merges"]["current"] == 0)


def _searches(server: ElasticProcess, documents: int, repetitions: int, say: Callable[[str], None]) -> Figure:
    async def once(asked: ElasticServer) -> list[float]:
        took = []
        for wanted in _SEARCHES * repetitions:
            begin = time.monotonic()
            assert len(await search(asked, wanted, 100, 30)) == 100
            took.append(time.monotonic() - begin)
        return took

    took = _asked(server, once)
    begin = time.monotonic()
    _command(server, "search", "--realm", "r1", "--since", "7d")
    whole = time.monotonic() - begin
    say(f"searches {spread(took)}, the whole command {whole:.2f} s")
    what = f"the newest 100 of {documents:,} events, all / by realm / by type and user ({len(took)} searches)"
    measured = f"{spread(took, digits=3)}, the first {took[0]:.3f} s; the whole command {whole:.2f} s"
    return Figure(what, "≤ 0.3 s", measured, max(took) <= 0.3)


def _others(server: ElasticProcess, documents: int, repetitions: int, say: Callable[[str], None]) -> list[Figure]:
    async def offsets(asked: ElasticServer) -> list[float]:
        took = []
        for _ in range(repetitions):
            begin = time.monotonic()
            found = await recent(asked, ["keycloak-events"], "default", 10)
            took.append(time.monotonic() - begin)
            assert next(iter(found.newest.values())).offset >= documents - 1
        return took

    async def visible(asked: ElasticServer) -> list[float]:
        took = []
        follower = Follower(asked, Wanted(client="bench"), datetime.now(UTC))
        for number in range(repetitions):
            event = user_event(documents + number, ago=0)
            event["keycloak"]["client"]["id"] = "bench"
            await asyncio.to_thread(server.ask, "POST", "_bulk", bulk([event]))
            begin = time.monotonic()
            while not await follower.more(10):  # noqa: ASYNC110 - it becomes visible by itself
                await asyncio.sleep(0.05)
            took.append(time.monotonic() - begin)
        return took

    async def frozen(asked: ElasticServer) -> list[float]:
        probe = ElasticsearchProbe("bench", asked, Schedule(10, 5))
        await probe.run(5)
        server.freeze_all()
        took = []
        try:
            for _ in range(3):
                begin = time.monotonic()
                try:
                    await probe.run(2)
                except ProbeError:
                    took.append(time.monotonic() - begin)
        finally:
            server.thaw_all()
        assert len(took) == 3
        return took

    asked, seen, held = _asked(server, offsets), _asked(server, visible), _asked(server, frozen)
    say(f"offsets {spread(asked)}, visible {spread(seen)}, frozen {spread(held)}")
    return [
        Figure(
            f"newest searchable offset of each partition, {documents:,} events ({repetitions} times)", "≤ 1 s",
            spread(asked, digits=3), max(asked) <= 1,
        ),
        Figure(
            f"event stored → found by --follow ({repetitions} events)", "≤ 2 s, as it refreshes once a second",
            spread(seen), max(seen) <= 2,
        ),
        Figure("probe with 2 s, the server frozen (3 runs)", "≤ 2.1 s", spread(held), max(held) <= 2.1),
    ]  # fmt: skip


def _asked(server: ElasticProcess, ask: Callable[[ElasticServer], Awaitable[_T]]) -> _T:
    async def once() -> _T:
        peer = ElasticServer(HttpPeer(server.url))
        try:
            return await ask(peer)
        finally:
            await peer.close()

    return asyncio.run(once())


def _command(server: ElasticProcess, *arguments: str) -> None:
    verb, *flags = arguments
    command = [sys.executable, "-m", "keywatch", "logs", verb, "--url", server.url, *flags]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=60)
