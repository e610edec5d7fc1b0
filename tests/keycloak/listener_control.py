"""Speaks to the event listener inside a running Keycloak: orders to mistreat events, and what it did so far."""

from __future__ import annotations

import http.client
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass

from tests.kafka.waiting import wait_until

_TIMEOUT = 60.0


@dataclass(frozen=True)
class Counts:
    """What the listener did since Keycloak started. `sent` were handed to the producer, copies included.

    `acked` and `failed` are what became of them, which the listeners of the field do not count.
    """

    seen: int
    dropped: int
    duplicated: int
    garbled: int
    delayed: int
    sent: int
    acked: int
    failed: int


class ListenerControl:
    """The control port of the listener; listens while Keycloak runs."""

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port

    def order(self, **orders: str | int) -> None:
        """Replace all orders by these; without any, events go through unharmed.

        `drop_next=2` and `drop_every=3`, the same with `duplicate` and `garble`; `delay_ms=500` hands records over
        later; `only="LOGIN,LOGIN_ERROR"` concerns these types alone; `profile="snuk87"` changes the form, and stays.
        They are in force when this returns. Raises `ValueError` for what the listener does not know.
        """
        status, text = self._ask("POST", f"/orders?{urllib.parse.urlencode(orders)}")
        if status != 200:
            raise ValueError(f"the listener refused {orders}: {text}")

    def counts(self) -> Counts:
        """Return what was counted so far."""
        _, text = self._ask("GET", "/counts")
        pairs = (line.split() for line in text.splitlines())
        return Counts(**{name: int(value) for name, value in pairs})

    def until(self, condition: Callable[[Counts], bool], deadline: float, what: str) -> Counts:
        """Wait until the counts fulfil `condition`, `deadline` seconds at most, and give them."""
        found = [self.counts()]

        def look() -> bool:
            found[0] = self.counts()
            return condition(found[0])

        wait_until(look, deadline, what)
        return found[0]

    def _ask(self, method: str, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=_TIMEOUT)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()
