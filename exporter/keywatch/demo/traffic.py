"""The demonstration's traffic: login events as a listener writes them, and a consumer that falls behind on cue."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import json
import random
import threading
import time
import uuid
from collections import Counter
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, Producer

from keywatch.demo.bed import EVENTS, GROUP

_PER_SECOND = 40
_TIRED_PER_SECOND = 5
_TYPES = ("LOGIN", "LOGIN", "LOGIN", "CODE_TO_TOKEN", "REFRESH_TOKEN", "LOGOUT", "LOGIN_ERROR")
_ERROR = "invalid_user_credentials"
_QUIET = {"log_level": 0, "socket.timeout.ms": 3000, "reconnect.backoff.max.ms": 500}

REALM = "demo"


def event(number: int) -> dict[str, object]:
    """Make one event as Keycloak's listeners write it; every person in it is invented."""
    kind = random.choice(_TYPES)  # noqa: S311 - no secret depends on it
    return {
        "id": str(uuid.uuid4()),
        "time": int(time.time() * 1000),
        "type": kind,
        "realmId": REALM,
        "realmName": REALM,
        "clientId": "account-console",
        "userId": str(uuid.uuid5(uuid.NAMESPACE_OID, str(number % 50))),
        "sessionId": None,
        "ipAddress": f"192.0.2.{number % 250}",
        "error": _ERROR if kind == "LOGIN_ERROR" else None,
        "details": {"auth_method": "openid-connect", "username": f"user-{number % 50}"},
    }


class Traffic:
    """A producer and a consumer, each on a thread of its own, until `stop`."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._ended = threading.Event()
        self.tired = threading.Event()
        self.swallow = 0
        """How many of the next events the listener loses, though Keycloak counts them."""
        self._counted: Counter[tuple[str, str, str]] = Counter()
        self._counting = threading.Lock()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._produce, self._consume)]

    def start(self) -> None:
        """Begin to produce and consume."""
        for thread in self._threads:
            thread.start()

    def counted(self) -> list[tuple[tuple[str, str, str], int]]:
        """Return what Keycloak has counted: realm, event and error, and how many."""
        with self._counting:
            return list(self._counted.items())

    def bury(self, folder: Path) -> None:
        """Have the listener put an event that it could not send into a file, as scriptonbasestar's does."""
        made, now = event(0), time.time()
        letter = {
            "id": f"dlq-{int(now * 1000)}",
            "timestamp": dt.datetime.fromtimestamp(now, dt.UTC).isoformat(),
            "eventType": made["type"],
            "eventData": json.dumps(made),
            "realm": REALM,
            "destination": EVENTS,
            "failureReason": "Topic keycloak-events not present in metadata after 5000 ms.",
            "attemptCount": 3,
            "metadata": {"errorClass": "TimeoutException"},
        }
        path = folder / f"dlq-{int(now * 1000)}-{time.monotonic_ns()}.json"
        path.write_text(json.dumps(letter, indent=2), encoding="utf-8")

    def stop(self) -> None:
        """End both; waits two seconds at most."""
        self._ended.set()
        for thread in self._threads:
            thread.join(1.0)

    def _produce(self) -> None:
        producer = Producer({**_QUIET, "bootstrap.servers": self._bootstrap, "linger.ms": 5})
        for number in itertools.count():
            if self._ended.wait(1 / _PER_SECOND):
                break
            made = event(number)
            kind = str(made["type"])
            with self._counting:
                self._counted[REALM, kind.lower().removesuffix("_error"), str(made["error"] or "")] += 1
            if self.swallow:
                self.swallow -= 1
                continue
            with contextlib.suppress(BufferError, KafkaException):
                producer.produce(EVENTS, key=str(made["userId"]), value=json.dumps(made))
            producer.poll(0)
        producer.purge()

    def _consume(self) -> None:
        settings = {
            **_QUIET,
            "bootstrap.servers": self._bootstrap,
            "group.id": GROUP,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 50,
        }
        consumer = Consumer(settings)
        consumer.subscribe([EVENTS])
        committed = time.monotonic()
        while not self._ended.is_set():
            message = consumer.poll(0.2)
            if message is not None and message.error() is None and self.tired.is_set():
                self._ended.wait(1 / _TIRED_PER_SECOND)
            if time.monotonic() - committed > 0.5:
                committed = time.monotonic()
                with contextlib.suppress(KafkaException):  # nothing read since, or no coordinator right now
                    consumer.commit(asynchronous=True)
        # Not closed: leaving the group would wait for a broker that may be the stopped one.
