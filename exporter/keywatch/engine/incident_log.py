"""The log's lines about incidents: each that began or ended, save what follows from another, which is one line."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from keywatch.engine.counted import counted
from keywatch.engine.incident import Incident
from keywatch.engine.series import shown

_LOG = logging.getLogger("keywatch.engine.incidents")  # as users filter by it
# A dead coordinator may hold a thousand groups: that is one event for a reader, not a thousand lines.
_LINES_PER_FRAME = 10
_NAMED = 3


def report(opened: Sequence[Incident], left: Sequence[Incident], closed: Sequence[Incident], now: float) -> None:
    """Log what began, what is `left` of something that is over, and what ended; `now` in Unix time."""
    began = [incident for incident in opened if not incident.follows]
    for incident in began[:_LINES_PER_FRAME]:
        _LOG.warning("%s: %s", incident.where, incident.note, extra=_fields(incident))
    _followers(opened, "follows from it", "follow from it")
    for incident in left[:_LINES_PER_FRAME]:
        words = "%s: still wrong, though its cause is over: %s"
        _LOG.warning(words, incident.where, incident.note, extra=_fields(incident))
    ended = [incident for incident in closed if not incident.follows]
    for incident in ended[:_LINES_PER_FRAME]:
        after = now - incident.since
        _LOG.info("%s: over after %.1f s: %s", incident.where, after, incident.note, extra=_fields(incident))
    _followers(closed, "that followed from it is well again", "that followed from it are well again")
    for level, verb, incidents in (
        (logging.WARNING, "went wrong", began),
        (logging.WARNING, "are still wrong", left),
        (logging.INFO, "are well again", ended),
    ):
        if len(incidents) > _LINES_PER_FRAME:
            _LOG.log(level, "%d more of %s %s", len(incidents) - _LINES_PER_FRAME, incidents[0].metric, verb)


def _followers(incidents: Sequence[Incident], verb: str, verbs: str) -> None:
    """Log one line for all that has one cause."""
    causes: dict[str, list[Incident]] = {}
    for incident in incidents:
        if incident.follows:
            causes.setdefault(incident.follows, []).append(incident)
    for cause, found in causes.items():
        examples = "; ".join(f"{one.where}: {one.note}" for one in found[:_NAMED])
        more = "; …" if len(found) > _NAMED else ""
        things = counted(len(found), "thing", verb, verbs)
        _LOG.info("%s: %s: %s%s", cause, things, examples, more, extra=_fields(found[0]))


def _fields(incident: Incident) -> dict[str, object]:
    labels = shown(incident.metric, incident.labels)
    return {"keywatch": {"metric": incident.metric.name, "value": incident.value, "labels": labels}}
