"""A node of Keycloak lives, is ready, or is down for a reason; what it answers wrongly is named."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from keywatch.engine.probe import Reason, Sample, Schedule
from keywatch.metrics import keycloak as cat
from keywatch.metrics.metric import Metric
from keywatch.net.http_peer import HttpPeer
from keywatch.probes.keycloak.probe import KeycloakProbe
from tests.exporter.fakes.http_server import HttpServer, reply, serving

RECORDED = Path(__file__).parents[2] / "recorded" / "health"
READY = (RECORDED / "26.7.3-health-ready.json").read_bytes()
LIVE = (RECORDED / "26.7.3-health-live.json").read_bytes()
DOWN = READY.replace(b'checks",\n', b"").replace(b'"UP"', b'"DOWN"', 2)
ENOUGH = 10.0
"""Seconds for an answer that must come, whatever else the machine has to do."""


def pages(**changes: bytes | None) -> dict[str, bytes | None]:
    answers = {"live": reply(LIVE), "started": reply(LIVE), "ready": reply(READY), **changes}
    return {f"/health/{name}": page for name, page in answers.items()}


def probe_of(server: HttpServer, timeout: float = 1.0) -> KeycloakProbe:
    return KeycloakProbe("kafka", "kc", HttpPeer(server.url), Schedule(0.5, timeout))


def values(samples: Sequence[Sample], metric: Metric) -> dict[tuple[str, ...], float]:
    return {sample.labels[2:]: sample.value for sample in samples if sample.metric is metric}


async def test_a_node_that_is_well_is_up_ready_and_started_with_each_check() -> None:
    async with serving(pages()) as server:
        probe = probe_of(server)
        samples = await probe.run(ENOUGH)
        await probe.close()
    assert values(samples, cat.KEYCLOAK_UP) == {(): 1}
    assert values(samples, cat.KEYCLOAK_READY) == {(): 1}
    assert values(samples, cat.KEYCLOAK_STARTED) == {(): 1}
    assert values(samples, cat.KEYCLOAK_CHECK) == {
        ("graceful_shutdown",): 1,
        ("keycloak_database_connections_async_health_check",): 1,
        ("keycloak_initialized",): 1,
    }
    assert 0 < values(samples, cat.KEYCLOAK_RESPONSE_SECONDS)[()] < 1
    assert not [sample for sample in samples if sample.note]


async def test_a_node_that_is_not_ready_is_up_and_names_the_checks() -> None:
    async with serving(pages(ready=reply(DOWN, "503 Service Unavailable"))) as server:
        probe = probe_of(server)
        samples = await probe.run(ENOUGH)
        assert values(samples, cat.KEYCLOAK_UP) == {(): 1}
        assert values(samples, cat.KEYCLOAK_READY) == {(): 0}
        assert values(samples, cat.KEYCLOAK_CHECK)[("graceful_shutdown",)] == 0
        notes = [sample.note for sample in samples if sample.note]
        assert notes == ["not ready: Graceful Shutdown"]
        asked = len([path for path, _ in server.asked if path.endswith("ready")])
        await probe.run(ENOUGH)
        assert len([path for path, _ in server.asked if path.endswith("ready")]) == asked, "each answer is a log line"
        server.pages["/health/ready"] = reply(READY)
        probe._ready_asked -= 2
        assert values(await probe.run(ENOUGH), cat.KEYCLOAK_READY) == {(): 1}
        await probe.close()


def asked_ready(server: HttpServer) -> int:
    return len([path for path, _ in server.asked if path.endswith("ready")])


async def test_a_node_that_does_not_say_whether_it_is_ready_is_asked_once_and_its_late_answer_counts() -> None:
    async with serving(pages(ready=None)) as server:
        probe = probe_of(server, 0.2)
        assert not values(await probe.run(0.2), cat.KEYCLOAK_READY)[()], "unknown is not ready"
        for _ in range(5):
            samples = await probe.run(0.2)
        assert values(samples, cat.KEYCLOAK_UP) == {(): 1}
        assert values(samples, cat.KEYCLOAK_READY) == {(): 0}
        assert [sample.note for sample in samples if sample.note] == ["not ready: no answer to health/ready in 0.2 s"]
        assert asked_ready(server) == 1, "each question holds one of its threads"
        server.pages["/health/ready"] = reply(READY)
        server.thaw.set()
        async with asyncio.timeout(10):
            while values(samples, cat.KEYCLOAK_READY) != {(): 1}:
                samples = await probe.run(0.2)
                await asyncio.sleep(0.01)
        assert asked_ready(server) == 1, "the answer came late, and came"
        await probe.close()


async def test_a_second_question_is_asked_beside_one_that_hangs_and_no_third() -> None:
    now = 0.0
    async with serving(pages(ready=None)) as server:
        probe = KeycloakProbe("kafka", "kc", HttpPeer(server.url), Schedule(0.5, 0.2), clock=lambda: now)
        for _ in range(3):
            await probe.run(0.2)
        assert asked_ready(server) == 1
        now += 2.0
        server.pages["/health/ready"] = reply(DOWN, "503 Service Unavailable")
        samples = await probe.run(0.2)
        assert asked_ready(server) == 2
        assert values(samples, cat.KEYCLOAK_CHECK)[("graceful_shutdown",)] == 0, "the second said why"
        server.pages["/health/ready"] = None
        for _ in range(6):
            now += 2.0
            samples = await probe.run(0.2)
        assert asked_ready(server) == 4, "two may hang"
        assert values(samples, cat.KEYCLOAK_CHECK)[("graceful_shutdown",)] == 0, "what it said holds while it is silent"
        await probe.close()


async def test_a_question_that_is_open_when_the_probe_ends_is_given_up() -> None:
    async with serving(pages(ready=None)) as server:
        probe = probe_of(server, 0.1)
        await probe.run(0.1)
        before = asyncio.all_tasks()
        await probe.close()
        assert len(asyncio.all_tasks()) < len(before)


async def test_one_late_answer_is_no_fault_and_two_questions_in_vain_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keywatch.probes.keycloak.probe._OPEN_FOR", 0.3)
    async with serving(pages()) as server:
        probe = probe_of(server, 0.1)
        assert values(await probe.run(0.1), cat.KEYCLOAK_READY) == {(): 1}
        server.pages["/health/ready"] = None
        assert values(await probe.run(0.1), cat.KEYCLOAK_READY) == {(): 1}, "one miss is no verdict"
        async with asyncio.timeout(10):
            while asked_ready(server) < 4:
                samples = await probe.run(0.1)
                probe._ready_asked -= 2
                await asyncio.sleep(0.01)
        assert values(samples, cat.KEYCLOAK_READY) == {(): 0}
        await probe.close()


async def test_two_misses_in_a_row_mean_down_and_one_answer_up_again() -> None:
    async with serving(pages(live=None)) as server:
        probe = probe_of(server, 0.2)
        first = await probe.run(0.2)
        assert not values(first, cat.KEYCLOAK_UP), "one miss is no verdict"
        second = await probe.run(0.2)
        assert values(second, cat.KEYCLOAK_UP) == {(): 0}
        assert values(second, cat.KEYCLOAK_READY) == {(): 0}
        assert values(second, cat.KEYCLOAK_DOWN_REASON) == {("timeout_response",): 1}
        (note,) = (sample.note for sample in second if sample.metric is cat.KEYCLOAK_UP)
        assert str(note).startswith("down, timeout_response: ")
        server.pages["/health/live"] = reply(LIVE)
        third = await probe.run(0.2)
        assert values(third, cat.KEYCLOAK_UP) == {(): 1}
        assert values(third, cat.KEYCLOAK_DOWN_REASON) == {("timeout_response",): 0}
        await probe.close()


async def test_an_answer_that_takes_most_of_the_deadline_is_no_failure() -> None:
    async with serving(pages()) as server:
        server.delay = 0.4
        probe = probe_of(server, 0.6)
        for _ in range(3):
            assert values(await probe.run(0.6), cat.KEYCLOAK_UP) == {(): 1}
        await probe.close()


@pytest.mark.parametrize(
    ("page", "reason", "words"),
    [
        (reply("", "404 Not Found"), Reason.UNSUPPORTED, "lacks health-enabled=true"),
        (reply("oops", "500 Internal Server Error"), Reason.PROTOCOL, "status 500"),
        (reply("<html>hello</html>", kind="text/html"), Reason.PROTOCOL, "something else than health"),
        (reply(b"\xff\xfe"), Reason.PROTOCOL, "something else than health"),
        (reply("[]"), Reason.PROTOCOL, "something else than health"),
        (reply('{"status": "MAYBE"}'), Reason.PROTOCOL, "something else than health"),
        (reply('{"status": "UP", "checks": [1]}'), Reason.PROTOCOL, "something else than health"),
        (reply("[" * 50_000), Reason.PROTOCOL, "something else than health"),
        (reply('{"status": "DOWN", "checks": []}', "503 Service Unavailable"), Reason.REJECTED, "does not live"),
        (reply("x" * 70_000), Reason.PROTOCOL, "more than 65536 bytes"),
    ],
    ids=[
        "404",
        "500",
        "html",
        "no UTF-8",
        "a list",
        "maybe",
        "no checks",
        "a bomb",
        "dead by its own word",
        "too large",
    ],
)
async def test_what_a_node_answers_wrongly_is_named(page: bytes, reason: Reason, words: str) -> None:
    async with serving(pages(live=page)) as server:
        probe = probe_of(server)
        await probe.run(ENOUGH)
        samples = await probe.run(ENOUGH)
        await probe.close()
    assert values(samples, cat.KEYCLOAK_UP) == {(): 0}
    assert values(samples, cat.KEYCLOAK_DOWN_REASON) == {(reason,): 1}
    assert any(words in (sample.note or "") for sample in samples)


async def test_checks_without_end_and_with_odd_names_are_bounded() -> None:
    names = [f"Check {number}" for number in range(40)] + ["¡!", 'a"b\\n', "x" * 500]
    body = '{"status": "UP", "checks": [' + ",".join(f'{{"name": {name!r}, "status": "UP"}}' for name in names) + "]}"
    body = body.replace("'", '"').replace('a"b\\\\n', "a b")
    async with serving(pages(ready=reply(body))) as server:
        probe = probe_of(server)
        checks = values(await probe.run(ENOUGH), cat.KEYCLOAK_CHECK)
        await probe.close()
    assert len(checks) == 21
    assert ("other",) in checks
    assert all(len(label) <= 60 for (label,) in checks)


async def test_a_check_that_failed_itself_is_told_by_the_name_of_its_class() -> None:
    name = "org.keycloak.quarkus.runtime.services.health.KeycloakReadyHealthCheck"
    body = f'{{"status": "DOWN", "checks": [{{"name": "{name}", "status": "DOWN"}}]}}'
    async with serving(pages(ready=reply(body.encode(), "503 Service Unavailable"))) as server:
        probe = probe_of(server)
        checks = values(await probe.run(ENOUGH), cat.KEYCLOAK_CHECK)
        await probe.close()
    assert checks == {("keycloakreadyhealthcheck",): 0}


async def test_a_new_connection_is_opened_now_and_then() -> None:
    now = 0.0
    async with serving(pages()) as server:
        probe = KeycloakProbe("kafka", "kc", HttpPeer(server.url), Schedule(0.5, 1.0), clock=lambda: now)
        await probe.run(ENOUGH)
        kept = server.connections
        for _ in range(3):
            now += 0.5
            await probe.run(ENOUGH)
        assert server.connections == kept
        now += 2.0
        await probe.run(ENOUGH)
        await probe.run(ENOUGH)
        assert server.connections > kept
        await probe.close()
