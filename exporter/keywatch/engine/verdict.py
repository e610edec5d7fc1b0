"""Whether a thing is up, judged from single answers: down after so many misses in a row, up after one answer."""

from __future__ import annotations

from keywatch.engine.probe import Reason, Sample
from keywatch.metrics.metric import Metric

_SILENCE = frozenset({Reason.TIMEOUT_RESPONSE, Reason.TIMEOUT_TLS})


class Verdict:
    """The state of one thing, and why it is down; nothing is said before `misses` failures or one answer."""

    def __init__(self, misses: int = 1) -> None:
        self.up: bool | None = None
        self._allowed = misses
        self._misses = 0
        self._reason: Reason | None = None
        self._detail = ""
        self._reasons: set[Reason] = set()
        self._unasked = ""
        self._hangs = False

    @property
    def reason(self) -> Reason | None:
        """Why it is down; None while it is not."""
        return self._reason

    @property
    def next_decides(self) -> bool:
        """Whether one failure more makes or keeps it down."""
        return self._misses + 1 >= self._allowed

    @property
    def doubtful(self) -> bool:
        """Whether the failures up to now are too few for a verdict."""
        return self._misses < self._allowed

    def answered(self) -> None:
        """Record an answer."""
        self.up, self._misses, self._reason, self._detail, self._unasked = True, 0, None, "", ""
        self._hangs = True

    def failed(self, reason: Reason, detail: str) -> None:
        """Record a failure, with words about it; what keywatch itself lacks says nothing of the thing, and is told."""
        if reason is Reason.EXHAUSTED:
            self._unasked = detail
            return
        self._unasked = ""
        if reason is Reason.TIMEOUT_TLS and self._hangs:
            # It spoke TLS, and nothing but silence came since: its certificate is not what is to be looked at.
            reason, detail = Reason.TIMEOUT_RESPONSE, f"{detail}; it answered before, so it hangs"
        elif reason is Reason.TIMEOUT_CONNECT and self._reason is Reason.TIMEOUT_RESPONSE:
            # What hangs takes connections until its queue of them is full, and its host then answers no more of them.
            reason, detail = Reason.TIMEOUT_RESPONSE, f"{detail}; it took some and answered none before, so it hangs"
        elif reason not in _SILENCE:
            self._hangs = False
        self._misses += 1
        if self._misses >= self._allowed:
            self.up, self._reason, self._detail = False, reason, detail

    def samples(self, up: Metric, down_reason: Metric, labels: tuple[str, ...], *, bad: str = "down") -> list[Sample]:
        """Return the state, and 1 for the reason that holds, 0 for those that held; nothing without a verdict."""
        if self.up is None:
            return []
        if self._reason:
            self._reasons.add(self._reason)
        note = f"{bad}, {self._reason}: {self._detail}" if self._reason else None
        if self._unasked:
            note = f"could not be asked, {Reason.EXHAUSTED}: {self._unasked}"
        reasons = (Sample(down_reason, (*labels, one), float(one is self._reason)) for one in self._reasons)
        return [Sample(up, labels, float(self.up), note), *reasons]
