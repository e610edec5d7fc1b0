"""Which events that Keycloak counted have not arrived: compares two running sums at the same moments of one clock.

At each reading of Keycloak's counters (a sample) everything that they count has happened. So the events that arrived,
by now, with a time no later than the sample's, must be as many. A late event lowers the difference of all samples after
it; a lost one keeps it up for ever. An event whose transaction has not ended may arrive before it is counted, which
makes single differences too small, never too large; hence the largest of the last few samples is what is missing.

An event that is rolled back arrives and is never counted; it would hide a loss for ever. How many requests Keycloak
worked on at a sample tells: no more events than these can make wait to be counted, and what arrived beyond that never
will be.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from keywatch.probes.reconciliation.tally import CountKey

# The differences of so many seconds of samples are looked at together.
_LOOK_OVER = 5.0
# A transaction may end, and so be counted, that long after its event was sent (a listener that blocks takes 5 to 8 s).
_COUNTED_WITHIN = 10.0
# Events that one request can make, such as a registration and the login that follows.
_EVENTS_OF_A_REQUEST = 2
# A request may end between the moments at which one page reads the one and the other: two samples have to agree.
_AGREEING = 2
_KEEP = 60.0
_MOST_SAMPLES = 120
_MOST_KINDS = 10_000


@dataclass(frozen=True, slots=True)
class _Moment:
    """A sample: taken between `earliest` and `latest` of Keycloak's clock, with so many requests under way there."""

    earliest: float
    latest: float
    monotonic: float
    requests: int | None


@dataclass(slots=True)
class _Account:
    """One kind of event at all samples: counted so far, and arrived between each sample and the one before.

    Of those that arrived, the `fresh` ones have a time at which the sample may have been under way; `off` is what was
    found out at a sample never to be counted. `before` is what arrived with a time before all samples, `beyond` the
    times of what is later than all of them. `unsure` is what may have been counted before the very first sample.
    """

    counted: list[int]
    arrived: list[int]
    fresh: list[int]
    off: list[int]
    before: int = 0
    beyond: list[float] = field(default_factory=list)
    unsure: int = 0
    missing: int = 0
    least: int = 0
    since: float = 0.0


class Reconciliation:
    """The balance of each kind of event. All `now` are monotonic seconds, all event times Keycloak's Unix time."""

    def __init__(self, window: float, give_up_after: float) -> None:
        """Judge what was counted `window` seconds ago; what is missing for `give_up_after` seconds is lost."""
        self._window = window
        self._give_up_after = give_up_after
        self._moments: list[_Moment] = []
        self._accounts: dict[CountKey, _Account] = {}
        self._first: float | None = None
        self._counted_before: dict[CountKey, int] = {}
        self.lost: dict[CountKey, int] = {}
        """Events given up so far."""
        self.uncounted: dict[CountKey, int] = {}
        """Events that arrived and were never counted so far: rolled back, replayed, or given up and here after all."""
        self.judged_until: float | None = None
        """Up to which time everything counted was judged; None before the first judgement."""

    @property
    def missing(self) -> dict[CountKey, int]:
        """How many events are missing by the last judgement."""
        return {kind: account.missing for kind, account in self._accounts.items()}

    def anew(self) -> Reconciliation:
        """Return one that begins at nothing, for when events were passed over unseen; what was booked stays booked."""
        fresh = Reconciliation(self._window, self._give_up_after)
        fresh.lost, fresh.uncounted, fresh.judged_until = self.lost, self.uncounted, self.judged_until
        return fresh

    def arrived(self, kind: CountKey, time: float) -> None:
        """Count an event that arrived; `time` is the event's own."""
        if kind not in self._accounts and len(self._accounts) >= _MOST_KINDS:
            return  # whoever can write to the topic could invent realms; those that Keycloak counts have their place
        account = self._account(kind)
        account.unsure += self._first is None or time <= self._first
        if not self._moments or time > self._moments[-1].latest:
            account.beyond.append(time)
        elif time <= self._moments[0].latest:
            account.before += 1
        else:
            index = bisect_left(self._moments, time, key=_latest)
            account.arrived[index] += 1
            account.fresh[index] += time > self._moments[index].earliest

    def sample(
        self, earliest: float, latest: float, now: float, counted: Mapping[CountKey, int], requests: int | None
    ) -> None:
        """Record what Keycloak has counted so far, at some moment between `earliest` and `latest` of its own clock.

        `requests`: how many were under way there; None when nobody knows.
        """
        if self._first is None:
            self._first, self._counted_before = latest, dict(counted)
        latest = max(latest, self._moments[-1].latest) if self._moments else latest
        for kind in counted:
            self._account(kind)
        self._moments.append(_Moment(earliest, latest, now, requests))
        for kind, account in self._accounts.items():
            account.counted.append(counted.get(kind, 0) - self._counted_before.get(kind, 0))
            left = [time for time in account.beyond if time > latest]
            account.arrived.append(len(account.beyond) - len(left))
            account.off.append(0)
            account.fresh.append(sum(earliest < time <= latest for time in account.beyond))
            account.beyond = left
        if len(self._moments) > _MOST_SAMPLES:
            self._fold(1)

    def judge(self, now: float, good_since: float | None) -> bool:
        """Judge the samples that are old enough; returns whether there were any.

        `good_since`: since when what arrives was read without a gap; None when it is not. Time before does not count.
        """
        if good_since is None or now - good_since < self._window:
            return False
        judged = [i for i, moment in enumerate(self._moments) if now - moment.monotonic >= self._window]
        if not judged:
            return False
        newest = self._moments[judged[-1]]
        recent = [i for i in judged if newest.monotonic - self._moments[i].monotonic <= _LOOK_OVER]
        known = [i for i in judged if self._moments[i].requests is not None][-_AGREEING:]
        late = [(i, bisect_left(self._moments, self._moments[i].latest - _COUNTED_WITHIN, key=_latest)) for i in recent]
        for kind, account in self._accounts.items():
            self._judge(kind, account, now, late, known)
        self.judged_until = newest.latest
        old = [i for i in judged if newest.monotonic - self._moments[i].monotonic > _KEEP]
        if old:
            self._fold(len(old))
        return True

    def _judge(
        self, kind: CountKey, account: _Account, now: float, recent: Sequence[tuple[int, int]], known: Sequence[int]
    ) -> None:
        """Judge one kind by `recent` samples, each with how many lie so long before it that it counts their events."""
        # At index i + 1: arrived up to sample i; at i: those of them that are known never to be counted.
        arrived = list(accumulate(account.arrived, initial=account.before))
        off = list(accumulate(account.off))
        # What arrived before all samples may be younger than the first of them.
        doubt: list[int] = [1]
        surplus = min(arrived[early] - off[i] - account.counted[i] if early else 0 for i, early in recent)
        if len(known) == _AGREEING:
            doubt = [account.fresh[i] + self._waiting(i) for i in known]
            exact = [arrived[i + 1] - off[i] - account.counted[i] - d for i, d in zip(known, doubt, strict=True)]
            surplus = max(surplus, min(exact))
        if surplus > 0:
            # From the newest sample on; those before may not hold what is taken off here.
            newest = recent[-1][0]
            account.off[newest] += surplus
            off[newest] += surplus
            if sure := max(surplus - account.unsure, 0):
                self.uncounted[kind] = self.uncounted.get(kind, 0) + sure
            account.unsure = max(account.unsure - surplus, 0)
        if not any(doubt):
            account.unsure = 0  # now everything is known that there is to know of the beginning
        account.missing = max(0, *(account.counted[i] - arrived[i + 1] + off[i] for i, _ in recent))
        self._give_up(kind, account, now)

    def _waiting(self, index: int) -> int:
        """Return how many events at most waited to be counted at a sample."""
        return _EVENTS_OF_A_REQUEST * (self._moments[index].requests or 0)

    def _give_up(self, kind: CountKey, account: _Account, now: float) -> None:
        """Book as lost what was missing all the time for long enough."""
        if not account.missing:
            account.least = 0
            return
        if not account.least:
            account.least, account.since = account.missing, now
        account.least = min(account.least, account.missing)
        if now - account.since >= self._give_up_after:
            self.lost[kind] = self.lost.get(kind, 0) + account.least
            account.before += account.least
            account.missing -= account.least
            account.least = 0

    def _account(self, kind: CountKey) -> _Account:
        account = self._accounts.get(kind)
        if account is None:
            zeros = [0] * len(self._moments)
            account = self._accounts[kind] = _Account(zeros, zeros.copy(), zeros.copy(), zeros.copy())
        return account

    def _fold(self, count: int) -> None:
        """Drop the oldest samples; what arrived before them stays in the sums."""
        del self._moments[:count]
        for account in self._accounts.values():
            account.before += sum(account.arrived[:count]) - sum(account.off[:count])
            del account.counted[:count], account.arrived[:count], account.fresh[:count], account.off[:count]


def _latest(moment: _Moment) -> float:
    return moment.latest
