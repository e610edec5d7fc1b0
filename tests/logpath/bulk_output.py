"""Creates documents in data streams as Logstash's output does: it lets doubles go, sets some aside, and tries again."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

# What Logstash sets aside for good: the document itself is wrong, or its place.
_DEAD = frozenset({400, 404})
_CONFLICT = 409
_FIRST_PAUSE = 0.25


@dataclass
class Counts:
    """What an output counted since it began, by Logstash's own names."""

    documents: Counter[str] = field(default_factory=Counter)
    requests: Counter[str] = field(default_factory=Counter)
    responses: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Refused:
    """A document that is set aside, its output, and what Logstash says of it."""

    document: Json
    plugin: str
    reason: str


class BulkOutput:
    """A connection to one server. `longest_pause` is how many seconds it waits between two tries at the most."""

    def __init__(self, address: str, *, timeout: float = 10.0, longest_pause: float = 2.0) -> None:
        self._connection = http.client.HTTPConnection(address, timeout=timeout)
        self._longest_pause = longest_pause
        self.counts = {"elasticsearch-once": Counts(), "elasticsearch": Counts()}
        """By the ids of the outputs: documents with an id of their own, and without."""

    def create(self, documents: list[Json], ended: threading.Event) -> list[Refused] | None:
        """Have each document stored, however long it takes; returns those set aside, None when it `ended` before."""
        refused: list[Refused] = []
        for plugin in self.counts:
            left = [one for one in documents if _plugin(one) == plugin]
            pause = _FIRST_PAUSE
            while left:
                left = self._try(plugin, left, refused)
                if left and ended.wait(pause):
                    return None
                pause = min(2 * pause, self._longest_pause)
        return refused

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _try(self, plugin: str, documents: list[Json], refused: list[Refused]) -> list[Json]:
        """Send documents once; returns those that must be sent again."""
        counts = self.counts[plugin]
        status, answer = self._send([line for document in documents for line in _lines(document)])
        if status is not None:
            counts.responses[str(status)] += 1
        if status != 200:
            counts.requests["failures"] += 1
            return documents
        counts.requests["with_errors" if answer["errors"] else "successes"] += 1
        again = []
        for document, item in zip(documents, answer["items"], strict=True):
            code = item["create"]["status"]
            if code in {200, 201}:
                counts.documents["successes"] += 1
            elif code == _CONFLICT:
                counts.documents["non_retryable_failures"] += 1
            elif code in _DEAD:
                counts.documents["dlq_routed"] += 1
                refused.append(Refused(document, plugin, _reason(document, code, item)))
            else:
                counts.documents["retryable_failures"] += 1
                again.append(document)
        return again

    def _send(self, lines: list[Json]) -> tuple[int | None, Json]:
        body = "".join(json.dumps(line) + "\n" for line in lines).encode()
        try:
            self._connection.request("POST", "/_bulk", body, {"Content-Type": "application/x-ndjson"})
            answer = self._connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return None, {}
        with contextlib.suppress(ValueError):
            return answer.status, json.loads(text)
        return answer.status, {}


def _plugin(document: Json) -> str:
    return "elasticsearch-once" if "_id" in document else "elasticsearch"


def _lines(document: Json) -> list[Json]:
    place = document["data_stream"]
    into = {"_index": f"{place['type']}-{place['dataset']}-{place['namespace']}"}
    if "_id" in document:
        into["_id"] = document["_id"]
    return [{"create": into}, {name: value for name, value in document.items() if name != "_id"}]


def _reason(document: Json, status: int, item: Json) -> str:
    response = json.dumps(item).replace(": ", "=>")
    words = f"Could not index event to Elasticsearch. status: {status}, action: [{json.dumps(document)}]"
    return f"{words}, response: {response}"
