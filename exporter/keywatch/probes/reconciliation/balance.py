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
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import accumulate

from keywatch.engine.slices import Pieces, at_once
from keywatch.probes.reconciliation.account import Account
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
# Events that wait for the next sample, of all kinds together: of the busiest Keycloak those of some seconds.
_MOST_BEYOND = 200_000
_KINDS_PER_PIECE = 50
OTHER_REALM = "other"
"""What is told of all realms together that have no place of their own."""


@dataclass(frozen=True, slots=True)
class _Moment:
    """A sample: taken between `earliest` and `latest` of Keycloak's clock, with so many requests under way there."""

    earliest: float
    latest: float
    monotonic: float
    requests: int | None


class Reconciliation:
    """The balance of each kind of event. All `now` are monotonic seconds, all event times Keycloak's Unix time.

    A sample and a judgement cost what happened lately, however many kinds there are.
    """

    def __init__(self, window: float, give_up_after: float) -> None:
        """Judge what was counted `window` seconds ago; what is missing for `give_up_after` seconds is lost."""
        self._window = window
        self._give_up_after = give_up_after
        self._moments: list[_Moment] = []
        self._accounts: dict[CountKey, Account] = {}
        self._awake: dict[CountKey, Account] = {}
        self._first: float | None = None
        self._beyond = 0
        self._at_work = False
        self._held_up: list[tuple[CountKey, float]] = []
        self._passed_over_at: float | None = None
        self.overrun = False
        """Whether more arrived since the last sample than is remembered: only beginning anew helps."""
        self.lost: dict[CountKey, int] = {}
        """Events given up so far."""
        self.uncounted: dict[CountKey, int] = {}
        """Events that arrived and were never counted so far: rolled back, replayed, or given up and here after all.

        Those of realms in which Keycloak counts nothing of the kind are told together, as of the realm `other`.
        """
        self.judged_until: float | None = None
        """Up to which time everything counted was judged; None before the first judgement."""

    @property
    def missing(self) -> dict[CountKey, int]:
        """How many events are missing by the last judgement."""
        return {kind: account.missing for kind, account in self._accounts.items()}

    def knows(self, kind: CountKey) -> bool:
        """Return whether events of this kind are compared already."""
        return kind in self._accounts

    def anew(self) -> Reconciliation:
        """Return one that begins at nothing, for when events were passed over unseen; what was booked stays booked."""
        fresh = Reconciliation(self._window, self._give_up_after)
        fresh.lost, fresh.uncounted, fresh.judged_until = self.lost, self.uncounted, self.judged_until
        return fresh

    def arrived(self, kind: CountKey, time: float) -> None:
        """Count an event that arrived; `time` is the event's own."""
        if self._at_work:
            if len(self._held_up) >= _MOST_BEYOND:
                self.overrun = True
            else:
                self._held_up.append((kind, time))
            return
        account = self._accounts.get(kind)
        if account is None:
            if len(self._accounts) >= _MOST_KINDS:
                # Whoever can write to the topic could invent realms; those that Keycloak counts have their place.
                self._passed_over_at = self._moments[-1].monotonic if self._moments else None
                return
            account = self._accounts[kind] = Account(self._first)
        if not self._moments or time > self._moments[-1].latest:
            if self._beyond >= _MOST_BEYOND:
                self.overrun = True
                return
            self._beyond += 1
            account.beyond.append(time)
            self._wake(kind, account)
        else:
            self._wake(kind, account)
            if time <= self._moments[0].latest:
                account.before += 1
            else:
                index = bisect_left(self._moments, time, key=_latest)
                account.arrived[index] += 1
                account.fresh[index] += time > self._moments[index].earliest
        account.unsure += account.begins is None or time <= account.begins

    def sample(
        self,
        earliest: float,
        latest: float,
        now: float,
        counted: Mapping[CountKey, int],
        requests: int | None,
        *,
        unread: AbstractSet[CountKey] = frozenset(),
        anew: AbstractSet[CountKey] = frozenset(),
    ) -> None:
        """Record what Keycloak has counted so far, at some moment between `earliest` and `latest` of its own clock.

        `requests`: how many were under way there; None when nobody knows. Of the kinds that are `unread` more may be
        counted than is known: this sample says nothing of them. Kinds to begin `anew` are compared from now on only.
        """
        at_once(self.sampling(earliest, latest, now, counted, requests, unread=unread, anew=anew))

    def sampling(
        self,
        earliest: float,
        latest: float,
        now: float,
        counted: Mapping[CountKey, int],
        requests: int | None,
        *,
        unread: AbstractSet[CountKey] = frozenset(),
        anew: AbstractSet[CountKey] = frozenset(),
    ) -> Pieces[None]:
        """Do as `sample` does in pieces, which have to be worked off to the end; what arrives meanwhile waits."""
        self._at_work = True
        latest = max(latest, self._moments[-1].latest) if self._moments else latest
        first = self._first is None
        if first:
            self._first = latest
            for kind, account in self._accounts.items():
                account.begins, account.base = latest, counted.get(kind, 0)
        for kind in anew & self._accounts.keys():
            self._begin_anew(kind, counted.get(kind, 0), latest)
        passed_over = self._passed_over_at is not None and now - self._passed_over_at <= _KEEP
        yield from self._confirming(counted, latest, known=not first and not passed_over)
        for kind in unread & self._accounts.keys():
            self._wake(kind, self._accounts[kind])
        self._moments.append(_Moment(earliest, latest, now, requests))
        for number, (kind, account) in enumerate(self._awake.items(), 1):
            known = None if kind in unread else counted.get(kind, account.base) - account.base
            self._beyond -= account.record(known, earliest, latest)
            if number % _KINDS_PER_PIECE == 0:
                yield
        if len(self._moments) > _MOST_SAMPLES:
            yield from self._folding(1)
        self._take_held_up()

    def judge(self, now: float, good_since: float | None) -> bool:
        """Judge the samples that are old enough; returns whether there were any.

        `good_since`: since when what arrives was read without a gap; None when it is not. Time before does not count.
        """
        return at_once(self.judging(now, good_since))

    def judging(self, now: float, good_since: float | None) -> Pieces[bool]:
        """Do as `judge` does in pieces, which have to be worked off to the end; what arrives meanwhile waits."""
        if good_since is None or now - good_since < self._window:
            return False
        judged = [i for i, moment in enumerate(self._moments) if now - moment.monotonic >= self._window]
        if not judged:
            return False
        newest = self._moments[judged[-1]]
        recent = [i for i in judged if newest.monotonic - self._moments[i].monotonic <= _LOOK_OVER]
        known = [i for i in judged if self._moments[i].requests is not None][-_AGREEING:]
        late = [(i, bisect_left(self._moments, self._moments[i].latest - _COUNTED_WITHIN, key=_latest)) for i in recent]
        self._at_work = True
        for number, (kind, account) in enumerate(self._awake.items(), 1):
            self._judge(kind, account, now, late, known)
            if number % _KINDS_PER_PIECE == 0:
                yield
        self.judged_until = newest.latest
        old = [i for i in judged if newest.monotonic - self._moments[i].monotonic > _KEEP]
        if old:
            yield from self._folding(len(old))
        self._take_held_up()
        return True

    def _judge(
        self, kind: CountKey, account: Account, now: float, recent: Sequence[tuple[int, int]], known: Sequence[int]
    ) -> None:
        """Judge one kind by `recent` samples, each with how many lie so long before it that it counts their events."""
        told = [(*one, total) for one in recent if (total := account.counted[one[0]]) is not None]
        exactly = [(i, total) for i in known if (total := account.counted[i]) is not None][-_AGREEING:]
        if not told:
            return
        # At index i + 1: arrived up to sample i; at i: those of them that are known never to be counted.
        arrived = list(accumulate(account.arrived, initial=account.before))
        off = list(accumulate(account.off))
        # What arrived before all samples may be younger than the first of them.
        doubt: list[int] = [1]
        surplus = min(arrived[early] - off[i] - total if early else 0 for i, early, total in told)
        if len(exactly) == _AGREEING:
            doubt = [account.fresh[i] + self._waiting(i) for i, _ in exactly]
            exact = [arrived[i + 1] - off[i] - total - d for (i, total), d in zip(exactly, doubt, strict=True)]
            surplus = max(surplus, min(exact))
        if surplus > 0:
            # From the newest sample on; those before may not hold what is taken off here.
            newest = told[-1][0]
            account.off[newest] += surplus
            off = list(accumulate(account.off))
            if sure := max(surplus - account.unsure, 0):
                booked = kind if account.confirmed else kind._replace(realm=OTHER_REALM)
                self.uncounted[booked] = self.uncounted.get(booked, 0) + sure
            account.unsure = max(account.unsure - surplus, 0)
        if not any(doubt):
            account.unsure = 0  # now everything is known that there is to know of the beginning
        account.missing = max(0, *(total - arrived[i + 1] + off[i] for i, _, total in told))
        self._give_up(kind, account, now)

    def _waiting(self, index: int) -> int:
        """Return how many events at most waited to be counted at a sample."""
        return _EVENTS_OF_A_REQUEST * (self._moments[index].requests or 0)

    def _give_up(self, kind: CountKey, account: Account, now: float) -> None:
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

    def _confirming(self, counted: Mapping[CountKey, int], latest: float, *, known: bool) -> Pieces[None]:
        """Open accounts of kinds that Keycloak counts, and wake those of which it counted more."""
        for number, (kind, total) in enumerate(counted.items(), 1):
            account = self._accounts.get(kind) or self._open(kind, total, latest, known=known)
            account.confirmed = True
            if account.quiet and total - account.base != account.before:
                self._wake(kind, account)
            if number % _KINDS_PER_PIECE == 0:
                yield

    def _open(self, kind: CountKey, total: int, latest: float, *, known: bool) -> Account:
        """Open the account of a kind that Keycloak counts; unless it is `known` that all of its events were seen."""
        made = Account(self._first) if known else Account(latest, total)
        self._accounts[kind] = made
        return made

    def _begin_anew(self, kind: CountKey, total: int, latest: float) -> None:
        former = self._accounts[kind]
        self._awake.pop(kind, None)
        made = self._accounts[kind] = Account(latest, total, former.confirmed)
        made.beyond = [time for time in former.beyond if time > latest]
        self._beyond -= len(former.beyond) - len(made.beyond)
        if made.beyond:
            self._wake(kind, made)

    def _wake(self, kind: CountKey, account: Account) -> None:
        if account.quiet:
            account.wake(len(self._moments))
            self._awake[kind] = account

    def _folding(self, count: int) -> Pieces[None]:
        """Drop the oldest samples, and let go of accounts in which nothing happened since."""
        del self._moments[:count]
        for number, (kind, account) in enumerate(list(self._awake.items()), 1):
            account.fold(count)
            if account.settle():
                del self._awake[kind]
                if not account.confirmed:
                    del self._accounts[kind]  # what came of it was booked, and Keycloak counts nothing of the kind
            if number % _KINDS_PER_PIECE == 0:
                yield

    def _take_held_up(self) -> None:
        """Count what arrived while the accounts were worked at."""
        self._at_work = False
        held_up, self._held_up = self._held_up, []
        for kind, time in held_up:
            self.arrived(kind, time)


def _latest(moment: _Moment) -> float:
    return moment.latest
