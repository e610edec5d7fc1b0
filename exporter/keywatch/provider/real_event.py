"""Proves a listener by an event of its own: a login that must fail, and the record of it that must come to Kafka.

The name of the user who tries is one that nobody has, so the record is known again whatever listener wrote it, and no
account is touched. Brute-force protection counts per user, so it locks nobody out.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlencode

from confluent_kafka import Consumer, KafkaException, TopicPartition

from keywatch.engine.probe import ProbeError
from keywatch.kafka.client import Clients
from keywatch.net.http_peer import HttpPeer
from keywatch.provider.journal import ChangeError
from keywatch.surfaces import url

_FORM: Final = "application/x-www-form-urlencoded"
_CLIENT: Final = "admin-cli"
"""A public client that each realm has, with direct grants."""
_MOST_BYTES: Final = 65_536
_MOST_RECORDS: Final = 500
_ASK_EVERY: Final = 0.25
_ANSWER_SECONDS: Final = 30.0
_REFUSED: Final = frozenset({400, 401})


async def ready(peer: HttpPeer, seconds: float) -> None:
    """Wait until `/health/ready` answers 200; raises `ChangeError` after `seconds`."""
    deadline = time.monotonic() + seconds
    said = "no answer"
    while (left := deadline - time.monotonic()) > 0:
        try:
            answer = await peer.ask("GET", "health/ready", min(left, 5.0), _MOST_BYTES, last=True)
            if answer.status == 200:
                return
            said = f"status {answer.status}"
        except ProbeError as error:
            said = str(error.reason)
        await asyncio.sleep(_ASK_EVERY)
    raise ChangeError(f"Keycloak was not ready within {seconds:g} s: {peer.url}/health/ready: {said}")


async def failed_login(peer: HttpPeer, realm: str, user: str) -> None:
    """Have a user who does not exist log in; raises `ChangeError` unless Keycloak refuses that as it should."""
    form = {"grant_type": "password", "client_id": _CLIENT, "username": user, "password": secrets.token_hex(8)}
    path = f"realms/{url(realm)}/protocol/openid-connect/token"
    try:
        answer = await peer.ask(
            "POST", path, _ANSWER_SECONDS, _MOST_BYTES, json=urlencode(form).encode(), headers={"Content-Type": _FORM}
        )
    except ProbeError as error:
        raise ChangeError(f"a login cannot be tried: {error.detail}") from None
    if answer.status >= 500:
        raise ChangeError(f"logins in realm {realm} fail: HTTP {answer.status} in place of a refusal")
    if answer.status not in _REFUSED or not _refusal(answer.body):
        raise ChangeError(f"a login in realm {realm} cannot be tried: HTTP {answer.status}; is there such a realm?")


def _refusal(body: bytes) -> bool:
    try:
        found = json.loads(body)
    except ValueError:
        return False
    return isinstance(found, dict) and "error" in found


def new_user() -> str:
    """Return a name that no user has."""
    return f"keywatch-{secrets.token_hex(12)}"


class Topics:
    """The ends of some topics at this moment, and what is written from then on."""

    def __init__(self, consumer: Consumer, places: Sequence[TopicPartition]) -> None:
        self._consumer = consumer
        consumer.assign(list(places))

    def holds(self, words: bytes, seconds: float) -> bool:
        """Return whether a record with `words` in it comes within `seconds`; raises `ChangeError`."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                for message in self._consumer.consume(_MOST_RECORDS, min(left, 0.1)):
                    value = message.value() if message.error() is None else None
                    if isinstance(value, bytes) and words in value:
                        return True
            except KafkaException as error:
                raise ChangeError(f"Kafka cannot be read: {error.args[0].str()}") from None
        return False


@contextmanager
def from_now(clients: Clients, names: Sequence[str], seconds: float) -> Iterator[Topics]:
    """Look at topics from their ends on. Raises `ChangeError` where one is not there or cannot be read."""
    consumer = clients.stretch()
    try:
        places = []
        for name in names:
            found = consumer.list_topics(name, timeout=seconds).topics[name]
            if found.error is not None or not found.partitions:
                raise ChangeError(f"topic {name} cannot be read: {found.error or 'it has no partitions'}")
            for partition in found.partitions:
                place = TopicPartition(name, partition)
                place.offset = consumer.get_watermark_offsets(place, timeout=seconds)[1]
                places.append(place)
        yield Topics(consumer, places)
    except KafkaException as error:
        raise ChangeError(f"Kafka cannot be read: {error.args[0].str()}") from None
    finally:
        consumer.close()
