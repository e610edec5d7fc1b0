"""Fills dead-letter queues for a test, runs `keywatch dlq` on them, kills it, and counts what arrived, in order."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition

from tests.kafka import admin

KEYS = 40
_DONE_SECONDS = 120.0


def fill_topic(
    bootstrap: str, topic: str, destination: str, letters: int, *, partitions: int = 3, replicas: int = 1
) -> None:
    """Make a dead-letter topic as Kafka Connect leaves it, with so many letters for `destination`; both are made."""
    admin.create_topic(bootstrap, topic, partitions=partitions, replicas=replicas)
    admin.create_topic(bootstrap, destination, partitions=partitions, replicas=replicas)
    producer = Producer(admin.client_settings(bootstrap, {"linger.ms": 20, "queue.buffering.max.messages": 1_000_000}))
    headers: list[tuple[str, str | bytes | None]] = [
        ("__connect.errors.topic", destination.encode()),
        ("__connect.errors.exception.class.name", b"org.apache.kafka.connect.errors.DataException"),
    ]
    for number in range(letters):
        key = b"key-%d" % (number % KEYS)
        producer.produce(topic, b'{"number":%d,"type":"LOGIN"}' % number, key, headers=headers)
        if number % 1000 == 0:
            producer.poll(0)
    assert producer.flush(admin.SETUP_SECONDS) == 0


def fill_folder(folder: Path, destination: str, letters: int, first: int = 0) -> None:
    """Write files as the listener does, which belong to `destination`."""
    folder.mkdir(exist_ok=True)
    for number in range(first, first + letters):
        event = {"number": number, "type": "LOGIN", "realmId": "shop"}
        envelope = {
            "id": f"dlq-{number}",
            "eventType": "LOGIN",
            "eventData": json.dumps(event),
            "realm": "shop",
            "destination": destination,
            "failureReason": "Circuit breaker is OPEN",
            "metadata": {"key": f"key-{number % KEYS}", "errorClass": "CircuitBreakerOpenException"},
        }
        path = folder / f"dlq-{1_767_000_000_000 + number}-{number}.json"
        path.write_text(json.dumps(envelope, indent=2), encoding="utf-8")


class Redriver:
    """Runs the command as people do, with a state folder of its own."""

    def __init__(self, bootstrap: str, state: Path) -> None:
        self.bootstrap = bootstrap
        self.state = state

    def command(self, *arguments: str) -> list[str]:
        """Return the whole command."""
        verb, *rest = arguments
        return [sys.executable, "-m", "keywatch", "dlq", verb, "--kafka", self.bootstrap, *rest]

    def run(self, *arguments: str, expect: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        done = subprocess.run(
            self.command(*arguments),
            capture_output=True,
            text=True,
            check=False,
            timeout=_DONE_SECONDS,
            env=self.environment(),
        )
        assert expect in {None, done.returncode}, f"exit {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start it."""
        return subprocess.Popen(
            self.command(*arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment(),
        )

    def killed(self, after: float, *arguments: str) -> bool:
        """Start it and kill it by SIGKILL so many seconds later; returns whether it had not ended by then."""
        process = self.start(*arguments)
        try:
            process.wait(after)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return True
        out, err = process.communicate()
        assert process.returncode == 0, f"exit {process.returncode}:\n{out}\n{err}"
        return False

    def audit(self) -> list[dict[str, Any]]:
        """Return the audit trail."""
        lines = (self.state / "keywatch" / "dlq-audit.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    def environment(self) -> dict[str, str]:
        """Return what the command runs in."""
        return {**os.environ, "XDG_STATE_HOME": str(self.state)}


def kill_moments(kills: int, first: float, last: float, seed: int | None = None) -> list[float]:
    """Return random moments, in seconds after a start; printed, so that a failure can be looked into."""
    chosen = seed if seed is not None else random.SystemRandom().randrange(2**32)
    print(f"seed {chosen}", flush=True)
    source = random.Random(chosen)  # noqa: S311 - moments, no secrets
    return [source.uniform(first, last) for _ in range(kills)]


def committed(
    bootstrap: str, topic: str, *, seconds: float = 90.0
) -> list[tuple[bytes | None, bytes | None, dict[str, Any]]]:
    """Return key, value and headers of all records that whoever reads committed ones gets, by partition and offset."""
    settings = admin.client_settings(bootstrap)
    reader = Consumer(
        settings
        | {
            "group.id": "counting",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
        }
    )
    loose = Consumer(settings | {"group.id": "counting", "isolation.level": "read_uncommitted"})
    try:
        partitions = list(reader.list_topics(topic, timeout=30).topics[topic].partitions)
        ends = {p: loose.get_watermark_offsets(TopicPartition(topic, p), 30)[1] for p in partitions}
        reader.assign([TopicPartition(topic, p, 0) for p in partitions])
        found: dict[int, list[tuple[bytes | None, bytes | None, dict[str, Any]]]] = defaultdict(list)
        left, deadline = {p for p in partitions if ends[p]}, time.monotonic() + seconds
        while left:
            assert time.monotonic() < deadline, f"{topic}: a transaction stays open"
            message = reader.poll(0.5)
            if message is None:
                continue
            partition, offset = message.partition() or 0, message.offset() or 0
            if message.error() is not None:
                if offset >= ends[partition]:
                    left.discard(partition)
                continue
            found[partition].append((message.key(), message.value(), dict(message.headers() or ())))
        return [record for p in partitions for record in found[p]]
    finally:
        reader.close()
        loose.close()


def faults(records: Sequence[tuple[bytes | None, bytes | None, dict[str, Any]]], letters: int) -> list[str]:
    """Say what is lost, doubled, or out of order within its key; nothing when all is well."""
    numbers = [json.loads(value or b"")["number"] for _, value, _ in records]
    wrong = []
    if lost := set(range(letters)) - set(numbers):
        wrong.append(f"{len(lost)} lost, such as {min(lost)}")
    if len(numbers) != len(set(numbers)):
        wrong.append(f"{len(numbers) - len(set(numbers))} doubled")
    last: dict[bytes | None, int] = {}
    for (key, _, _), number in zip(records, numbers, strict=True):
        if number < last.get(key, -1):
            wrong.append(f"{number} after {last[key]} of {key!r}")
        last[key] = number
    return wrong[:5]
