"""What `keywatch dlq` does on a real Kafka with all that queues hold: filters, refusals, rivals, loops, bundles."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from tests.kafka import admin, redriving
from tests.kafka.cluster import KafkaCluster
from tests.kafka.fixtures import kafka_required
from tests.kafka.redriving import Redriver
from tests.kafka.waiting import wait_until

pytestmark = pytest.mark.kafka

TIMEOUT = b"org.apache.kafka.common.errors.TimeoutException"
DATA = b"org.apache.kafka.connect.errors.DataException"
Headers = list[tuple[str, bytes | None]]


@pytest.fixture(scope="module")
def cluster() -> Iterator[KafkaCluster]:
    kafka_required()
    with KafkaCluster(1) as made:
        yield made


@pytest.fixture
def redriver(cluster: KafkaCluster, tmp_path: Path) -> Redriver:
    return Redriver(cluster.bootstrap, tmp_path)


def die(
    cluster: KafkaCluster,
    topic: str,
    letters: Sequence[tuple[bytes | None, bytes | None, Headers]],
    *,
    abort: bool = False,
    transactional: bool = False,
) -> None:
    """Write letters into partition 0."""
    more: dict[str, Any] = {"transactional.id": f"writer-{topic}"} if abort or transactional else {}
    producer = Producer(admin.client_settings(cluster.bootstrap, {"message.max.bytes": 20_000_000, **more}))
    if more:
        producer.init_transactions(60)
        producer.begin_transaction()
    for key, value, headers in letters:
        producer.produce(topic, value, key, partition=0, headers=headers)  # type: ignore[arg-type] # bytes or None
    if not more:
        assert producer.flush(admin.SETUP_SECONDS) == 0
    elif abort:
        producer.flush(60)
        producer.abort_transaction(60)
    else:
        producer.commit_transaction(60)


def of(destination: str, why: bytes = DATA, **more: bytes) -> Headers:
    return [
        ("__connect.errors.topic", destination.encode()),
        ("__connect.errors.exception.class.name", why),
        *more.items(),
    ]


def value(number: int, **more: Any) -> bytes:
    return json.dumps({"number": number, **more}).encode()


def numbers(cluster: KafkaCluster, topic: str) -> list[int]:
    return [json.loads(said or b"")["number"] for _, said, _ in redriving.committed(cluster.bootstrap, topic)]


def topics(cluster: KafkaCluster, *names: str, **configs: str) -> None:
    for name in names:
        admin.create_topic(cluster.bootstrap, name, configs=configs)


def result(redriver: Redriver, *arguments: str, expect: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(redriver.run(*arguments, "--json", expect=expect).stdout.splitlines()[-1])
    return found


def test_what_filters_leave_out_comes_later_and_once(cluster: KafkaCluster, redriver: Redriver) -> None:
    topics(cluster, "f-dlq", "f-to")
    die(cluster, "f-dlq", [(b"k", value(n), of("f-to", TIMEOUT if n % 3 == 0 else DATA)) for n in range(300)])
    replay = ("replay", "--topic", "f-dlq", "--yes")
    first = result(redriver, *replay, "--reason", "timeout")
    assert (first["replayed"], first["not_selected"]) == (100, 200)
    again = result(redriver, *replay, "--reason", "timeout")
    assert (again["replayed"], again["settled_before"]) == (0, 99)  # the first one is below the mark
    part = result(redriver, *replay, "--offset", "10-20", "--max", "3")
    assert part["replayed"] == 3
    rest = result(redriver, *replay)
    assert rest["replayed"] == 197
    assert sorted(numbers(cluster, "f-to")) == list(range(300))
    assert result(redriver, *replay)["replayed"] == 0


def test_a_letter_comes_back_as_it_was(cluster: KafkaCluster, redriver: Redriver) -> None:
    topics(cluster, "o-dlq", "o-to")
    die(
        cluster,
        "o-dlq",
        [
            (b"\xff\x00", b"\xfe not text", [("mine", b"\x01"), *of("o-to"), ("mine", None)]),
            (b"gone", None, of("o-to")),
            (None, b"{}", [("kafka_dlt-original-topic", b"o-to"), ("kafka_dlt-original-partition", bytes(4))]),
            (b"s", b"1", [("__streams.errors.topic", b"o-to"), ("__streams.errors.exception", b"X: y")]),
            (b"q", b"2", [("__dlq.errors.topic", b"o-to"), ("__dlq.errors.partition", b"0")]),
        ],
    )
    assert result(redriver, "replay", "--topic", "o-dlq", "--yes")["replayed"] == 5
    records = redriving.committed(cluster.bootstrap, "o-to")
    assert [(key, said) for key, said, _ in records] == [
        *((b"\xff\x00", b"\xfe not text"), (b"gone", None), (None, b"{}"), (b"s", b"1"), (b"q", b"2"))
    ]
    assert [name for name in records[0][2] if not name.startswith("keywatch.")] == ["mine"]
    assert records[1][2]["keywatch.redrive.source"] == b"o-dlq/0/1"
    assert [set(headers) for _, _, headers in records[2:]] == [
        {"keywatch.redrive.source", "keywatch.redrive.run", "keywatch.redrive.count"}
    ] * 3


def test_a_share_groups_letter_without_record_is_fetched(cluster: KafkaCluster, redriver: Redriver) -> None:
    topics(cluster, "h-dlq", "h-from", "h-to")
    die(cluster, "h-from", [(b"k", value(n), [("mine", b"x")]) for n in range(3)])
    pointer = [("__dlq.errors.topic", b"h-from"), ("__dlq.errors.partition", b"0")]
    die(cluster, "h-dlq", [(None, None, [*pointer, ("__dlq.errors.offset", offset)]) for offset in (b"1", b"9")])
    done = result(redriver, "replay", "--topic", "h-dlq", "--to", "h-to", "--yes", expect=1)
    assert (done["replayed"], done["refused"]) == (1, {"no_record": 1})
    ((key, said, headers),) = redriving.committed(cluster.bootstrap, "h-to")
    assert (key, said, headers["mine"]) == (b"k", value(1), b"x")


def test_each_refusal_is_named_and_keeps_no_other_letter(cluster: KafkaCluster, redriver: Redriver) -> None:
    topics(cluster, "r-dlq", "r-to")
    topics(cluster, "r-small", **{"max.message.bytes": "2000"})
    topics(cluster, "r-compact", **{"cleanup.policy": "compact"})
    noise = json.dumps({"number": 1, "x": "".join(chr(33 + n * 7919 % 90) for n in range(5000))}).encode()
    letters = [
        (b"k", value(0), of("r-to")),
        (b"k", value(1), []),
        (b"k", value(2), of("nowhere")),
        (b"k", noise, of("r-small")),
        (b"k", value(4), of("r-small")),
        (None, value(5), of("r-compact")),
        (b"k", value(6), of("r-compact")),
        (b"k", value(7), of("r-dlq")),
        (b"k", value(8), of("bad name!")),
        (b"r-dlq|position|x|0", b"1000", of("keywatch-redrive")),
        (b"k", value(8), of("__consumer_offsets")),
        (b"k", value(9), of("r-to")),
    ]
    die(cluster, "r-dlq", letters)
    done = result(redriver, "replay", "--topic", "r-dlq", "--yes", expect=1)
    assert done["refused"] == {"no_destination": 1, "unknown_topic": 2, "too_large": 1, "rejected": 1, "own_queue": 3}
    assert done["replayed"] == 4
    assert [numbers(cluster, topic) for topic in ("r-to", "r-small", "r-compact")] == [[0, 9], [4], [6]]
    topics(cluster, "nowhere")
    assert result(redriver, "replay", "--topic", "r-dlq", "--yes", expect=1)["replayed"] == 1
    assert result(redriver, "replay", "--topic", "r-dlq", "--to", "r-to", "--yes")["replayed"] == 7
    assert len(redriving.committed(cluster.bootstrap, "r-to")) == 9


def test_records_of_aborted_transactions_are_no_letters(cluster: KafkaCluster, redriver: Redriver) -> None:
    topics(cluster, "a-dlq", "a-to")
    die(cluster, "a-dlq", [(b"k", value(0), of("a-to"))], transactional=True)
    die(cluster, "a-dlq", [(b"k", value(1), of("a-to"))], abort=True)
    die(cluster, "a-dlq", [(b"k", value(2), of("a-to"))], transactional=True)
    assert result(redriver, "replay", "--topic", "a-dlq", "--yes")["replayed"] == 2
    assert numbers(cluster, "a-to") == [0, 2]
    assert "0 letters" in redriver.run("replay", "--topic", "a-dlq", "--yes").stdout


def test_what_died_too_often_is_parked(cluster: KafkaCluster, redriver: Redriver) -> None:
    topics(cluster, "l-dlq", "l-to")
    often: Headers = [*of("l-to"), ("keywatch.redrive.count", b"3")]
    die(cluster, "l-dlq", [(b"k", value(0), often), (b"k", value(1), of("l-to"))])
    done = result(redriver, "replay", "--topic", "l-dlq", "--yes")
    assert (done["replayed"], done["parked"]) == (1, 1)
    ((_, said, headers),) = redriving.committed(cluster.bootstrap, "l-dlq.parked")
    assert said == value(0)
    assert headers["keywatch.parked.reason"] == b"died again after 3 replays"
    assert headers["__connect.errors.topic"] == b"l-to"


def test_a_run_stops_when_its_letters_die_again(cluster: KafkaCluster, redriver: Redriver) -> None:
    topics(cluster, "d-dlq", "d-to")
    die(cluster, "d-dlq", [(b"k", value(n), of("d-to")) for n in range(1000)])
    running = redriver.start("replay", "--topic", "d-dlq", "--yes", "--rate", "50", "--json")
    seen = 0
    # A consumer that cannot read a single one.
    while running.poll() is None:
        records = redriving.committed(cluster.bootstrap, "d-to")
        die(cluster, "d-dlq", [(key, said, [*headers.items(), *of("d-to")]) for key, said, headers in records[seen:]])
        seen = len(records)
    out, err = running.communicate()
    assert running.returncode == 1
    assert "letters died again" in err
    assert json.loads(out.splitlines()[-1])["replayed"] < 1000


def test_a_queue_that_grows_ends_where_it_ended(cluster: KafkaCluster, redriver: Redriver) -> None:
    topics(cluster, "g-dlq", "g-to")
    die(cluster, "g-dlq", [(b"k", value(n), of("g-to")) for n in range(60)])
    running = redriver.start("replay", "--topic", "g-dlq", "--yes", "--rate", "20")
    wait_until(lambda: numbers(cluster, "g-to"), 60, "the first letters")
    die(cluster, "g-dlq", [(b"k", value(n), of("g-to")) for n in range(60, 90)])
    running.communicate()
    assert (running.returncode, len(numbers(cluster, "g-to"))) == (0, 60)
    redriver.run("replay", "--topic", "g-dlq", "--yes")
    assert numbers(cluster, "g-to") == list(range(90))


def test_a_rival_is_told_and_a_run_can_be_cancelled(cluster: KafkaCluster, redriver: Redriver, tmp_path: Path) -> None:
    topics(cluster, "t-dlq", "t-to")
    die(cluster, "t-dlq", [(b"k", value(n), of("t-to")) for n in range(500)])
    running = redriver.start("replay", "--topic", "t-dlq", "--yes", "--rate", "5")
    wait_until(lambda: numbers(cluster, "t-to"), 60, "the first letters")
    beside = redriver.run("replay", "--topic", "t-dlq", "--yes", expect=1)
    assert "another command works at these dead letters: run " in beside.stderr
    elsewhere = Redriver(cluster.bootstrap, tmp_path / "another-machine")
    away = elsewhere.run("replay", "--topic", "t-dlq", "--yes", expect=1)
    assert "another command works at these dead letters: run " in away.stderr
    assert "can do no more" in elsewhere.run("cancel", "--topic", "t-dlq").stdout
    _, err = running.communicate(timeout=60)
    assert running.returncode == 1
    assert "taken over by run " in err
    running = redriver.start("replay", "--topic", "t-dlq", "--yes", "--rate", "5")
    before = len(numbers(cluster, "t-to"))
    wait_until(lambda: len(numbers(cluster, "t-to")) > before, 60, "more letters")
    assert "ends after its batch" in redriver.run("cancel", "--topic", "t-dlq").stdout
    running.communicate(timeout=60)
    assert running.returncode == 130
    redriver.run("replay", "--topic", "t-dlq", "--yes")
    assert numbers(cluster, "t-to") == list(range(500))


def test_the_ledger_remembers_what_kafka_forgot_and_obeys_a_reset(cluster: KafkaCluster, redriver: Redriver) -> None:
    topics(cluster, "e-dlq", "e-to")
    die(cluster, "e-dlq", [(b"k", value(n), of("e-to")) for n in range(10)])
    redriver.run("replay", "--topic", "e-dlq", "--yes")
    group = "keywatch-redrive-e-dlq"
    admin.patiently(
        cluster.bootstrap, lambda client, seconds: client.delete_consumer_groups([group], request_timeout=seconds)
    )
    assert result(redriver, "replay", "--topic", "e-dlq", "--yes")["replayed"] == 0
    admin.commit(cluster.bootstrap, group, {("e-dlq", 0): 7})
    assert result(redriver, "replay", "--topic", "e-dlq", "--yes")["replayed"] == 3
    assert numbers(cluster, "e-to") == [*range(10), 7, 8, 9]
    # What a filter had put back beyond the mark is forgotten with the offset, for later runs too.
    die(cluster, "e-dlq", [(b"k", value(n), of("e-to", TIMEOUT if n > 12 else DATA)) for n in range(10, 16)])
    assert result(redriver, "replay", "--topic", "e-dlq", "--yes", "--reason", "timeout")["replayed"] == 3
    admin.commit(cluster.bootstrap, group, {("e-dlq", 0): 11})
    assert result(redriver, "replay", "--topic", "e-dlq", "--yes", "--max", "1")["replayed"] == 1
    assert result(redriver, "replay", "--topic", "e-dlq", "--yes")["replayed"] == 4
    assert numbers(cluster, "e-to")[13:] == [13, 14, 15, 11, 12, 13, 14, 15]


def test_a_topic_made_anew_begins_anew(cluster: KafkaCluster, redriver: Redriver) -> None:
    topics(cluster, "n-dlq", "n-to")
    die(cluster, "n-dlq", [(b"k", value(n), of("n-to")) for n in range(5)])
    redriver.run("replay", "--topic", "n-dlq", "--yes")
    admin.patiently(cluster.bootstrap, lambda client, seconds: client.delete_topics(["n-dlq"], request_timeout=seconds))
    wait_until(lambda: _made(cluster, "n-dlq"), 60, "the topic made anew")
    die(cluster, "n-dlq", [(b"k", value(5), of("n-to"))])
    assert result(redriver, "replay", "--topic", "n-dlq", "--yes")["replayed"] == 1
    assert numbers(cluster, "n-to") == list(range(6))


def _made(cluster: KafkaCluster, topic: str) -> bool:
    try:
        admin.create_topic(cluster.bootstrap, topic)
    except Exception:  # noqa: BLE001 - it is being deleted
        return False
    return True


def test_purge_empties_the_topic_up_to_what_stays(cluster: KafkaCluster, redriver: Redriver) -> None:
    topics(cluster, "p-dlq", "p-to")
    die(cluster, "p-dlq", [(b"k", value(n), of("p-to" if n != 7 else "p-nowhere")) for n in range(10)])
    redriver.run("replay", "--topic", "p-dlq", "--yes", "--purge", expect=1)
    low = _watermarks(cluster, "p-dlq")[0]
    assert low == 7
    redriver.run("park", "--topic", "p-dlq", "--offset", "7", "--because", "nobody wants it")
    redriver.run("replay", "--topic", "p-dlq", "--yes", "--purge")
    assert _watermarks(cluster, "p-dlq") == (10, 10)
    ((_, _, headers),) = redriving.committed(cluster.bootstrap, "p-dlq.parked")
    assert headers["keywatch.parked.reason"] == b"nobody wants it"
    actions = [one["event"]["action"] for one in redriver.audit()]
    assert actions == ["dlq-replay", "dlq-park"]


def _watermarks(cluster: KafkaCluster, topic: str) -> tuple[int, int]:
    reader = Consumer(admin.client_settings(cluster.bootstrap, {"group.id": "x"}))
    try:
        low, high = reader.get_watermark_offsets(TopicPartition(topic, 0), 30)
        return low, high
    finally:
        reader.close()


def test_a_transformation_is_shown_and_done(cluster: KafkaCluster, redriver: Redriver, tmp_path: Path) -> None:
    topics(cluster, "x-dlq", "x-to")
    die(
        cluster,
        "x-dlq",
        [(b"k", value(0, user="alice", type="LOGIN"), of("x-to")), (b"k", b"not json", of("x-to"))],
    )
    rules = tmp_path / "rules.yml"
    rules.write_text("rename: {user: userId}\nset: {type: LOGOUT, schema.version: 2}\n", encoding="utf-8")
    replay = ("replay", "--topic", "x-dlq", "--transform", str(rules))
    shown = redriver.run(*replay, "--dry-run", expect=1).stdout
    assert '+ type: "LOGOUT"' in shown
    assert '+ userId: "**********"' in shown
    assert "alice" not in shown
    assert numbers(cluster, "x-to") == []
    done = result(redriver, *replay, "--yes", expect=1)
    assert done["refused"] == {"transform": 1}
    ((_, said, _),) = redriving.committed(cluster.bootstrap, "x-to")
    assert json.loads(said or b"") == {"number": 0, "type": "LOGOUT", "userId": "alice", "schema": {"version": 2}}


def test_a_bundle_brings_letters_back_once(cluster: KafkaCluster, redriver: Redriver, tmp_path: Path) -> None:
    topics(cluster, "b-dlq", "b-copy")
    die(cluster, "b-dlq", [(b"k", value(n), of("b-to")) for n in range(20)])
    out = tmp_path / "bundle"
    redriver.run("export", "--topic", "b-dlq", "--out", str(out))
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert (manifest["letters"], manifest["offsets"]) == (20, {"b-dlq/0": [0, 19]})
    back = ("import", "--topic", "b-copy", "--bundle", str(out))
    assert "20 letters brought back" in redriver.run(*back).stdout
    assert "0 letters brought back" in redriver.run(*back).stdout
    assert numbers(cluster, "b-copy") == list(range(20))
    letters = out / "letters.ndjson"
    letters.write_bytes(letters.read_bytes().replace(b'"offset":3', b'"offset":4'))
    assert "its digest is not that of the manifest" in redriver.run(*back, expect=2).stderr


def test_a_reveal_stands_in_the_audit_trail(cluster: KafkaCluster, redriver: Redriver) -> None:
    topics(cluster, "v-dlq")
    die(cluster, "v-dlq", [(b"alice", value(0, username="alice", password="x"), of("v-to"))])  # noqa: S106 - none
    hidden = redriver.run("show", "--topic", "v-dlq").stdout
    assert "alice" not in hidden
    assert "alice" in redriver.run("show", "--topic", "v-dlq", "--reveal").stdout
    (line,) = redriver.audit()
    assert (line["event"]["action"], line["keywatch"]["redrive"]["letter"]) == ("dlq-show", "v-dlq/0/0")


def test_bad_input_gets_a_message(cluster: KafkaCluster, redriver: Redriver, tmp_path: Path) -> None:
    topics(cluster, "m-dlq")
    for arguments, words in (
        (("replay", "--topic", "none-dlq", "--yes"), "there is no topic none-dlq"),
        (("replay", "--folder", str(tmp_path / "none"), "--yes"), "there is no such folder"),
        (("replay", "--yes"), "no dlq is configured"),
        (("replay", "--topic", "m-dlq", "--transform", str(tmp_path / "none.yml")), "none.yml"),
        (("park", "--topic", "m-dlq", "--because", "x"), "say which letters"),
    ):
        done = redriver.run(*arguments, expect=2)
        assert words in done.stderr
        assert "Traceback" not in done.stderr
    die(cluster, "m-dlq", [(b"k", value(0), of("m-to"))])
    assert "nobody can be asked here" in redriver.run("replay", "--topic", "m-dlq", expect=2).stderr
    full = redriver.run("replay", "--topic", "m-dlq", "--yes", "--audit", "/dev/full/x", expect=74)
    assert "the audit trail cannot be written" in full.stderr


def test_a_slow_replay_keeps_its_rate(cluster: KafkaCluster, redriver: Redriver) -> None:
    topics(cluster, "w-dlq", "w-to")
    die(cluster, "w-dlq", [(b"k", value(n), of("w-to")) for n in range(30)])
    began = time.monotonic()
    redriver.run("replay", "--topic", "w-dlq", "--yes", "--rate", "10")
    assert time.monotonic() - began >= 2.0
    assert numbers(cluster, "w-to") == list(range(30))
