"""What `make logs-proof` checks holds on real servers with a stand-in for Logstash, and it can fail."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from keywatch.cli.command import main
from tests.elastic.distribution import OPENSEARCH
from tests.elastic.server import ElasticProcess
from tests.kafka.cluster import KafkaCluster
from tests.logpath.carrier import Carrier
from tests.logpath.log_path import required
from tests.logproof.__main__ import KAFKA, compared, count, distinct, wait_counted
from tests.logproof.compose import FILE, LOGS
from tests.logproof.documents import Ask, NotYetError, comparable, differences, expected
from tests.logproof.records import create_topics, write_events, write_samples
from tests.logstash import ours
from tests.logstash.ruby import Ruby

# The stand-in runs the pipelines of events alone.
CARRIED = ("user-events", "admin-events", "unparsed-records")
_SECONDS = 60.0
_EVENTS = 300


def logstash() -> dict[str, Any]:
    """Return the service of the compose file."""
    found: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))["services"]["logstash"]
    return found


@pytest.fixture(scope="module")
def path() -> Iterator[tuple[KafkaCluster, Ask]]:
    """Return Kafka and a way to ask OpenSearch, with the stand-in between them, as the compose file sets it up."""
    required()
    with ExitStack() as stack:
        kafka = stack.enter_context(KafkaCluster(1))
        opensearch = stack.enter_context(ElasticProcess(OPENSEARCH))
        assert main(["logs", "bootstrap", "--url", opensearch.url, "--without-lifecycle"]) == 0
        ruby = Ruby()
        stack.callback(ruby.close)
        create_topics(kafka.bootstrap, KAFKA)
        topics = {name: value for name, value in logstash()["environment"].items() if name.endswith("_TOPICS")}
        carrier = Carrier(kafka.bootstrap, f"127.0.0.1:{opensearch.port}", ruby, environment=topics)
        stack.enter_context(carrier)

        def ask(method: str, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
            status, found = opensearch.ask(method, path, body)
            if status == 503:
                raise NotYetError(path)
            assert status == 200, found
            return dict(found)

        yield kafka, ask


@pytest.mark.kafka
@pytest.mark.elastic
def test_golden_documents_come_out_and_each_event_once(path: tuple[KafkaCluster, Ask]) -> None:
    kafka, ask = path
    began = f"{dt.datetime.now(dt.UTC):%Y-%m-%dT%H:%M:%S.000Z}"
    write_samples(kafka.bootstrap, CARRIED)
    assert compared(ask, CARRIED, began, _SECONDS) == []
    known = count(ask), distinct(ask)
    assert known[0] == known[1] == len(ours.samples("user-events"))
    assert compared(ask, [*CARRIED, "dead-letters"], began, 0.0), "what does not come is told"
    write_events(kafka.bootstrap, _EVENTS)
    wanted = known[0] + _EVENTS
    wait_counted(ask, wanted, _SECONDS)
    assert (count(ask), distinct(ask)) == (wanted, wanted)


@pytest.mark.parametrize("field", ["user", "source", "data_stream", "@timestamp"])
def test_a_document_that_differs_is_told(field: str) -> None:
    wanted = expected(["user-events"])
    assert wanted.total() == len(ours.samples("user-events"))
    other = next(iter(wanted))
    changed = comparable(_without(other, field))
    found = wanted.copy()
    found[other] -= 1
    found[changed] += 1
    told = differences(wanted, +found)
    assert told == [f"missing: {other}", f"too many: {changed}"]


def test_what_depends_on_the_run_makes_no_difference() -> None:
    def document(**more: Any) -> dict[str, Any]:
        kafka = {"topic": "t", "partition": more.get("partition", 0), "offset": more.get("offset", 1), "timestamp": 5}
        return {"@timestamp": more["at"], "event": {"id": more["id"], "kind": "event"}, "kafka": kafka}

    golden = document(at="2026-11-25T12:00:00.000Z", id="a" * 64)
    real = document(at="2027-01-01T10:00:00.000Z", id="b" * 64, partition=2, offset=700)
    assert comparable(golden) == comparable(real, began="2027-01-01T09:59:00.000Z")
    assert comparable(golden) != comparable({**real, "event": {"id": "u1"}}, began="2027-01-01T09:59:00.000Z")


def test_the_compose_file_gives_logstash_all_that_its_pipelines_ask_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment = logstash()["environment"]
    lines = "".join(f"{name}={value}\n" for name, value in environment.items() if not str(value).startswith("-X"))
    file = tmp_path / "logstash.env"
    file.write_text(lines, encoding="utf-8")
    monkeypatch.setenv("KEYWATCH_LOGSTASH", str(ours.FOLDER))
    command = ["logs", "lint", str(ours.PIPELINES), "--environment", str(file)]
    assert main(command) == 0, capsys.readouterr().err
    lines = "".join(line for line in lines.splitlines(keepends=True) if "CA_FILE" not in line)
    file.write_text(lines, encoding="utf-8")
    assert main(command) != 0
    assert "ELASTICSEARCH_CA_FILE" in "".join(capsys.readouterr())


def test_the_compose_file_listens_on_loopback_and_holds_no_secret() -> None:
    services = yaml.safe_load(FILE.read_text(encoding="utf-8"))["services"]
    for name, service in services.items():
        assert all(port.startswith("127.0.0.1:") for port in service["ports"]), name
        secrets = {k: v for k, v in service["environment"].items() if k.endswith(("PASSWORD", "API_KEY", "HASH_KEY"))}
        assert all(str(value).startswith("${") for value in secrets.values()), name
    mounted = {volume.rsplit(":", 2)[0] for volume in services["logstash"]["volumes"] if volume.startswith("../")}
    assert all((FILE.parent / source).exists() for source in mounted)
    assert set(LOGS) == {"keycloak", "keywatch"}


def _without(text: str, field: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(text)
    return {**document, field: {"changed": 1} if field != "@timestamp" else "2001-01-01T00:00:00.000Z"}
