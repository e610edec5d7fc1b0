"""Compares the documents that a server holds with the golden ones, leaving out what depends on the run."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tests.logstash import ours

Json = dict[str, Any]
Ask = Callable[[str, str, Mapping[str, Any] | None], Json]
"""Method, path and body of a request → the answer; raises `NotYetError`."""

_MOST = 10_000
# Made of topic, partition and offset, where an event has no id of its own.
_ID_OF_PLACE = re.compile(r"[0-9a-f]{64}")
# What the model gives to lines without a readable time; real servers give the present.
_MODEL_TIME = "2026-11-25T12:00:00.000Z"


class NotYetError(Exception):
    """The server answers 503, as for a data stream that is just being made."""


def expected(names: Iterable[str]) -> Counter[str]:
    """Return the golden documents of these samples, each in the form in which it can be compared, and how often."""
    found: Counter[str] = Counter()
    for name in names:
        golden = json.loads((ours.HERE / "golden" / f"{name}.json").read_text(encoding="utf-8"))
        found.update(comparable(document) for documents in golden for document in documents)
    return found


def stored(ask: Ask, *, began: str) -> Counter[str]:
    """Return all documents that can be found; those without a time of their own have one after `began` (ISO 8601)."""
    body: Json = {"size": _MOST, "query": {"match_all": {}}}
    hits = ask("POST", "logs-keycloak*/_search?ignore_unavailable=true", body)["hits"]["hits"]
    assert len(hits) < _MOST, "more documents than one answer holds"
    return Counter(comparable(hit["_source"], began=began) for hit in hits)


def comparable(document: Mapping[str, Any], *, began: str = _MODEL_TIME) -> str:
    """Write a document without what depends on the run: its place in Kafka or in a file, and when it was received."""
    left: Json = json.loads(json.dumps(document))
    left.pop("_id", None)
    left.pop("host", None)
    # The ingest pipeline adds both.
    left.pop("related", None)
    if "user_agent" in left:
        left["user_agent"] = left["user_agent"].get("original")
    for outer, inner in (("kafka", "partition"), ("kafka", "offset"), ("event", "ingested"), ("log", "file")):
        if isinstance(left.get(outer), dict):
            left[outer].pop(inner, None)
    event = left.get("event", {})
    if _ID_OF_PLACE.fullmatch(str(event.get("id"))):
        event["id"] = "of its place"
    if left["@timestamp"] == _MODEL_TIME or left["@timestamp"] >= began:
        left["@timestamp"] = "when it was received"
    return json.dumps({key: value for key, value in left.items() if value != {}}, sort_keys=True, ensure_ascii=False)


def differences(wanted: Counter[str], found: Counter[str]) -> list[str]:
    """Say which documents are missing and which are too many."""
    return [
        *(f"missing: {document}" for document in (wanted - found).elements()),
        *(f"too many: {document}" for document in (found - wanted).elements()),
    ]
