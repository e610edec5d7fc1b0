"""Says once in the log what a server cannot tell, or will not: that is no incident, and nobody is called for it."""

from __future__ import annotations

import logging

from keywatch.engine.probe import Probe, Reason
from keywatch.engine.store import key_of

_LOG = logging.getLogger(__name__)


class Unknowable:
    """What one probe cannot learn; it is said again when it could be learnt in between, or for another reason."""

    def __init__(self, what: str) -> None:
        """Take in words what it is that is not told."""
        self._what = what
        self._said: set[Reason] = set()

    def say(self, probe: Probe, reason: Reason, detail: str) -> None:
        """Say it, unless that was said."""
        if reason in self._said:
            return
        self._said.add(reason)
        key = key_of(probe)
        words = "cluster=%s probe=%s: %s: %s: it is not told %s, and nobody is called for it"
        _LOG.info(words, key.cluster, key.probe, reason, detail, self._what)

    def over(self) -> None:
        """Record that it was learnt."""
        self._said.clear()
