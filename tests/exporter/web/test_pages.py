"""The HTTP port of an exporter on an embedded cluster: formats, filters, health; no secret, no script."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest
from aiohttp import web
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from keywatch.demo.embedded import EmbeddedCluster
from keywatch.engine.probe import Sample
from keywatch.engine.store import Key
from keywatch.metrics import cluster as cluster_metrics
from keywatch.metrics import groups
from keywatch.service.config_file import from_data
from keywatch.service.own_metrics import OwnMetrics
from keywatch.service.watch import Watch
from keywatch.web.pages import application
from tests.exporter.fakes.scripted import Scripted, fails
from tests.exporter.waiting import until

SECRET = "hunter2-of-the-broker"  # noqa: S105 - what must not be found


@pytest.fixture(scope="module")
def cluster() -> Iterator[EmbeddedCluster]:
    with EmbeddedCluster(1) as made:
        made.create_topic("keycloak-events", 3, 1)
        yield made


@pytest.fixture
async def watch(cluster: EmbeddedCluster) -> AsyncIterator[Watch]:
    client = {"ssl.key.pem": SECRET}
    section = {"name": "kafka", "bootstrap": [cluster.bootstrap], "client": client, "canary": {"enabled": False}}
    made = Watch(from_data({"clusters": [section]}, "test"))
    made.start()
    yield made
    await made.stop()


@pytest.fixture
async def session(watch: Watch) -> AsyncIterator[aiohttp.ClientSession]:
    runner = web.AppRunner(application(watch, OwnMetrics(watch.store)), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}", auto_decompress=False) as made:
        await until(
            lambda: not watch.scheduler.not_yet_run() and watch.store.values(cluster_metrics.CLUSTER_UP), "all has run"
        )
        yield made
    await runner.cleanup()


async def get(session: aiohttp.ClientSession, path: str, **headers: str) -> tuple[aiohttp.ClientResponse, bytes]:
    async with session.get(path, headers={"Accept-Encoding": "identity", **headers}) as answer:
        return answer, await answer.read()


async def test_both_formats_are_what_their_own_parsers_take(session: aiohttp.ClientSession) -> None:
    await get(session, "/metrics")  # from the second scrape on it is told how long the first took
    answer, body = await get(session, "/metrics")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    names = {family.name for family in parse_text(body.decode())}
    answer, body = await get(session, "/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert answer.headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert body.endswith(b"# EOF\n")
    families = parse_openmetrics(body.decode())  # type: ignore[no-untyped-call] # the parser has no types
    assert {family.name for family in families} == names
    assert {"keywatch_cluster_up", "keywatch_broker_up", "process_cpu_seconds"} <= names


async def test_gzip_is_given_to_those_that_ask_for_it(session: aiohttp.ClientSession) -> None:
    answer, packed = await get(session, "/metrics", **{"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert b"keywatch_cluster_up" in gzip.decompress(packed)
    assert len(packed) * 3 < len(gzip.decompress(packed))
    for refused in ("identity", "gzip;q=0", "br"):
        answer, body = await get(session, "/metrics", **{"Accept-Encoding": refused})
        assert "Content-Encoding" not in answer.headers
        assert body.startswith(b"# HELP")


async def test_the_health_set_is_a_small_part_of_everything(session: aiohttp.ClientSession) -> None:
    _, everything = await get(session, "/metrics")
    _, health = await get(session, "/metrics?collect[]=health")
    _, broker = await get(session, "/metrics?collect[]=broker")
    lines = {line.split(b" ")[0] for line in everything.splitlines() if not line.startswith(b"#")}
    for part in (health, broker):
        found = {line.split(b" ")[0] for line in part.splitlines() if not line.startswith(b"#")}
        assert found
        assert found < lines
    assert b"keywatch_broker_up" in health
    assert b"keywatch_partition_end_offset" not in health
    assert b"keywatch_topic" not in broker


async def test_a_collector_that_does_not_exist_is_refused_with_those_that_do(session: aiohttp.ClientSession) -> None:
    answer, body = await get(session, "/metrics?collect[]=brokers")
    assert answer.status == 400
    assert body.startswith(b"collect[]: no collector is called 'brokers'; allowed: health, ")


async def test_health_and_readiness_speak_of_keywatch(session: aiohttp.ClientSession, watch: Watch) -> None:
    assert (await get(session, "/-/healthy"))[0].status == 200
    assert (await get(session, "/-/ready"))[0].status == 200
    watch.scheduler.add(Scripted("groups", fails(OSError()), period=3600.0, target="new"))
    answer, body = await get(session, "/-/ready")
    assert (answer.status, body) == (503, b"probes that have not run yet: kafka/groups/new\n")
    await until(lambda: not watch.scheduler.not_yet_run(), "it has run")
    lane = next(lane for key, lane in watch.scheduler._lanes.items() if key.target == "new")
    lane.beat -= 20_000
    answer, body = await get(session, "/-/healthy")
    assert (answer.status, body) == (503, b"probes that stand still: kafka/groups/new\n")


async def test_the_configuration_is_shown_without_its_secrets(session: aiohttp.ClientSession) -> None:
    _, body = await get(session, "/-/config")
    shown = json.loads(body)["clusters"][0]
    assert shown["broker"]["period"] == 0.5
    assert shown["client"] == {"ssl.key.pem": "**********"}
    for path in ("/-/config", "/metrics", "/"):
        assert SECRET.encode() not in (await get(session, path))[1]


async def test_what_kafka_calls_things_is_text_and_never_markup(session: aiohttp.ClientSession, watch: Watch) -> None:
    evil = "<script>alert(1)</script>"
    samples = [
        Sample(cluster_metrics.TOPIC_PARTITIONS, ("kafka", evil), 3.0),
        Sample(groups.GROUP_LAG_RECORDS, ("kafka", evil, evil), 3.0, f"lag of {evil}"),
    ]
    key = Key("kafka", "topics", "evil")
    watch.store.replace(key, samples, 0.0, float("inf"))
    watch.incidents.observe(key, samples, 0.0)
    answer, body = await get(session, "/")
    assert evil.encode() not in body
    assert b"&lt;script&gt;" in body
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    _, text = await get(session, "/metrics")
    assert list(parse_text(text.decode()))


async def test_there_is_nothing_else(session: aiohttp.ClientSession) -> None:
    assert (await get(session, "/etc/passwd"))[0].status == 404
    async with session.post("/metrics") as answer:
        assert answer.status == 405


async def test_a_defect_is_a_plain_500_and_a_line_in_the_log(
    session: aiohttp.ClientSession, watch: Watch, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watch.store, "frames", None)
    answer, body = await get(session, "/metrics")
    assert (answer.status, body) == (500, b"internal: see the log\n")
    assert "answering /metrics failed" in caplog.text
