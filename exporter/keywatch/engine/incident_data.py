"""Incidents as data: what `/-/incidents` serves and `keywatch check --json` prints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from keywatch.engine.incident import Incident
from keywatch.engine.overview import Overview
from keywatch.engine.series import shown


def as_data(overview: Overview, now: float) -> dict[str, Any]:
    """Return the sentence, and each thing that is wrong directly followed by what follows from it; `now` in Unix time.

    Of each: `metric`, `labels`, `what`, `since_seconds`, and `follows_from`: metric and labels of its cause, or None.
    """
    return {"summary": overview.words, "incidents": [*_each(overview, now)]}


def _each(overview: Overview, now: float) -> Iterator[dict[str, Any]]:
    for thing in overview.first:
        yield _one(thing, now, None)
        for follower in overview.follow(thing).first:
            yield _one(follower, now, thing)


def _one(incident: Incident, now: float, cause: Incident | None) -> dict[str, Any]:
    return {
        **_identity(incident),
        "what": incident.note,
        "since_seconds": round(max(now - incident.since, 0.0), 1),
        "follows_from": None if cause is None else _identity(cause),
    }


def _identity(incident: Incident) -> dict[str, Any]:
    return {"metric": incident.metric.name, "labels": shown(incident.metric, incident.labels)}
