"""Writes what a Keycloak writes: recorded events again and again, and now and then what is no event."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from tests.kafka.event_source import EventSource, Sent
from tests.logpath.log_path import USER, recorded

_ODD_EVERY = 50


class Traffic:
    """Some events a second, each with an id and a time of its own, on a thread; a context manager."""

    def __init__(self, bootstrap: str, rate: float, **topics: str) -> None:
        """Take events a second; `topics` are others for those of users, each of which gets every event of users."""
        self._bootstrap = bootstrap
        self._rate = rate
        self._more = list(topics.values())
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join(30)

    def _write(self) -> None:
        with EventSource(self._bootstrap) as source:
            for event in _events():
                if self._ended.wait(1 / self._rate):
                    return
                source.write([event])
                if event.topic == USER:
                    source.write([event._replace(topic=topic) for topic in self._more])


def _events() -> Iterator[Sent]:
    known = [event for event in recorded() if isinstance(_body(event), dict)]
    for number, event in enumerate(itertools.cycle(known)):
        body = json.loads(event.value or b"{}")
        body |= {"id": f"t-{number}", "time": int(1000 * time.time())}
        yield event._replace(value=json.dumps(body).encode())
        if number % _ODD_EVERY == 0:
            yield Sent(USER, b"no event")


def _body(event: Sent) -> object:
    try:
        return json.loads(event.value or b"")
    except ValueError:
        return None
