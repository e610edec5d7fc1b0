"""The queue between inputs and filters of the stand-in for Logstash: bounded by bytes, as the one on disk is."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from typing import Any

Json = dict[str, Any]


class EventQueue:
    """Events in the order in which they came; who puts one into a full queue waits."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.bytes = 0
        self.held = False
        """While it is set nothing is given out, and what comes in stays."""
        self.waited = 0.0
        """Seconds that inputs spent on putting events in."""
        self._events: deque[tuple[Json, int]] = deque()
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return len(self._events)

    def put(self, event: Json, ended: threading.Event) -> bool:
        """Put an event in as soon as there is room; False when it `ended` before."""
        size = len(json.dumps(event))
        begin = time.monotonic()
        with self._changed:
            while self.bytes + size > self.most and self._events and not ended.is_set():
                self._changed.wait(0.1)
            if not ended.is_set():
                self._events.append((event, size))
                self.bytes += size
                self._changed.notify_all()
        self.waited += time.monotonic() - begin
        return not ended.is_set()

    def look(self, most: int, wait: float) -> list[Json]:
        """Return the first events without taking them out; waits `wait` seconds for one."""
        with self._changed:
            if self.held or not self._events:
                self._changed.wait(wait)
            if self.held:
                return []
            return [json.loads(json.dumps(event)) for event, _ in list(self._events)[:most]]

    def done(self, count: int) -> None:
        """Take out the first events: they were delivered."""
        with self._changed:
            for _ in range(count):
                self.bytes -= self._events.popleft()[1]
            self._changed.notify_all()
