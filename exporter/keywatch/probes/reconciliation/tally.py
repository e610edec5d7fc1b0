"""How many events Keycloak counted since keywatch began: its nodes' counters joined, over restarts and absences."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from keywatch.engine.slices import Pieces, at_once

_Source = TypeVar("_Source", bound=Hashable)
# Two readings of one process give its start to the millisecond; another process started later than this.
_SAME_PROCESS = 1.0
# A process that was up so much longer at the next look than time went by has not told the truth once.
_UPTIME_TOLERANCE = 60.0
# A counter that is away is waited for so long; then its kind of event begins anew without it.
_WAIT_FOR_COUNTER = 60.0
_COUNTERS_PER_PIECE = 200
# Counters of one process, those that were there once among them.
_MOST_COUNTERS = 300_000
# Beyond it a counter of floating point does not count single events any more.
_MOST = 2**53


class CountKey(NamedTuple):
    """What is counted: events of one realm (its name), type and outcome."""

    realm: str
    event: str
    outcome: str


def is_count(value: float) -> bool:
    """Return whether a value can be a count of whole things: not negative, not infinite, not beyond all bounds."""
    return 0 <= value <= _MOST and value == int(value)


class Moment(NamedTuple):
    """A moment by both of keywatch's clocks, in seconds: one of them stands still while its machine sleeps."""

    monotonic: float
    wall: float

    def since(self, before: Moment) -> float:
        """Return how much time went by at most."""
        return max(self.monotonic - before.monotonic, self.wall - before.wall)


@dataclass(slots=True)
class _Process:
    """A process of Keycloak, and the highest value of each of its counters; None of one that never gave a count.

    `unread` is since when counters give no count, or a lower one, or are away; those that are away for long are `gone`
    and not waited for. All that a `young` one says was counted while it was watched. `nameless`: the last page had
    samples of which nobody knows whose they are.
    """

    started: float
    read_at: Moment
    uptime: float
    last: dict[Hashable, float | None] = field(default_factory=dict)
    kinds: dict[Hashable, CountKey] = field(default_factory=dict)
    unread: dict[Hashable, float] = field(default_factory=dict)
    gone: set[Hashable] = field(default_factory=set)
    young: bool = False
    left_out: bool = False
    nameless: bool = False

    def beginning(self) -> float | None:
        """Return where a counter begins that was not seen before; None: at what it says first.

        The first event of a kind makes its counter, unless that was there before and could not be read.
        """
        return 0.0 if self.young or not (self.left_out or self.nameless) else None


class KeycloakTally:
    """The counts of all nodes of one Keycloak, from 0 on when keywatch first saw them.

    No more is ever taken from a counter than it grew by, whatever stands in its place at times.
    """

    def __init__(self) -> None:
        self._processes: dict[str, _Process] = {}
        self._began: Moment | None = None
        self._begun_anew: set[CountKey] = set()
        self.counted: dict[CountKey, int] = {}
        """Events counted since the beginning."""

    @property
    def unread(self) -> AbstractSet[CountKey]:
        """Of which kinds some counter could not be read at its node's last reading, so that more may be counted."""
        return {
            process.kinds[source]
            for process in self._processes.values()
            if not process.left_out
            for source in process.unread
        }

    def take_begun_anew(self) -> AbstractSet[CountKey]:
        """Return, once, the kinds of which events were passed over that nobody could see counted."""
        begun_anew, self._begun_anew = self._begun_anew, set()
        return begun_anew

    def trouble(self, node: str, started: float, now: float, at: Moment | None = None) -> str:
        """Say why a reading cannot be of the process that the node's last one was of, nor of one that followed it.

        To be asked before `record`, with the same times.
        """
        at, uptime = at or Moment(now, now), now - started
        known = self._processes.get(node)
        if known is None:
            return ""
        passed = at.since(known.read_at)
        if abs(known.started - started) <= _SAME_PROCESS:
            leapt = uptime - known.uptime > passed + _UPTIME_TOLERANCE
            return "its process says that it has been up for longer than it can be" if leapt else ""
        if 0 <= uptime <= passed + _SAME_PROCESS:
            return ""
        self._processes[node] = _Process(started, at, uptime, left_out=True)
        return "several processes of Keycloak answer there in turn"

    def record(
        self,
        node: str,
        started: float,
        now: float,
        counts: Mapping[_Source, float],
        *,
        kinds: Mapping[_Source, CountKey] | None = None,
        malformed: Collection[_Source] = (),
        nameless: bool = False,
        at: Moment | None = None,
    ) -> str:
        """Record what a node's counters say; returns words about one that fell, or none.

        `started` and `now` are its own Unix time, `at` is by keywatch's clocks. A process that is older than keywatch's
        watching counts from what it says first; a younger one from 0. `kinds` says what each counter counts, which may
        be the same for several; without it each is its own kind. `malformed` are counters that say no count,
        `nameless` whether there are more of which it is not known which they are.
        """
        pieces = self.recording(
            node, started, now, counts, kinds=kinds, malformed=malformed, nameless=nameless, at=at or Moment(now, now)
        )
        return at_once(pieces)

    def recording(
        self,
        node: str,
        started: float,
        now: float,
        counts: Mapping[_Source, float],
        *,
        kinds: Mapping[_Source, CountKey] | None,
        malformed: Collection[_Source],
        nameless: bool,
        at: Moment,
    ) -> Pieces[str]:
        """Do as `record` does in pieces, which have to be worked off to the end."""
        if self._began is None:
            self._began = at
        process = self._process(node, started, now, at)
        good: dict[Hashable, float] = {source: value for source, value in counts.items() if is_count(value)}
        bad: set[Hashable] = {*counts, *malformed}
        bad -= good.keys()
        if len(process.last) > _MOST_COUNTERS:
            _forget(process, good.keys() | bad)
        fallen: list[Hashable] = []
        for number, source in enumerate([*good, *bad], 1):
            process.kinds[source] = _kind(source, kinds)
            if source in good and not self._take(process, source, good[source]):
                fallen.append(source)
            if number % _COUNTERS_PER_PIECE == 0:
                yield
        for source in bad:
            process.last.setdefault(source, process.beginning())
            process.gone.discard(source)
        self._wait(process, good.keys() - fallen, bad.union(fallen), at.monotonic)
        process.read_at, process.uptime = at, now - started
        process.left_out, process.nameless = False, nameless
        return f"its counter of {' '.join(process.kinds[fallen[0]])} fell" if fallen else ""

    def leave_out(self, node: str) -> None:
        """Go on without a node that cannot be read; should it come back, what it counted meanwhile is passed over."""
        if node in self._processes:
            self._processes[node].left_out, self._processes[node].young = True, False

    def _process(self, node: str, started: float, now: float, at: Moment) -> _Process:
        known = self._processes.get(node)
        if known is not None and abs(known.started - started) <= _SAME_PROCESS:
            return known
        older = self._began is None or now - started >= at.since(self._began)
        made = self._processes[node] = _Process(started, at, now - started, young=not older, left_out=older)
        return made

    def _take(self, process: _Process, source: Hashable, value: float) -> bool:
        """Take by how much a counter grew; returns up, with nothing taken, for one that is lower than it was."""
        kind = process.kinds[source]
        self.counted.setdefault(kind, 0)
        before = process.last[source] if source in process.last else process.beginning()
        if before is not None and value < before:
            return False
        if process.left_out:
            pass
        elif before is None or source in process.gone:
            self._begun_anew.add(kind)
        else:
            self.counted[kind] += int(value - before)
        process.last[source] = value
        process.gone.discard(source)
        return True

    def _wait(
        self, process: _Process, read: AbstractSet[Hashable], known_bad: AbstractSet[Hashable], at: float
    ) -> None:
        """Note which counters gave nothing; what is away for long is not waited for any more."""
        for source in read & process.unread.keys():
            del process.unread[source]
        for source in process.last.keys() - read - process.gone:
            since = process.unread.setdefault(source, at)
            if source not in known_bad and at - since >= _WAIT_FOR_COUNTER:
                del process.unread[source]
                process.gone.add(source)
                self._begun_anew.add(process.kinds[source])


def _forget(process: _Process, kept: AbstractSet[Hashable]) -> None:
    for source in process.last.keys() - kept:
        del process.last[source], process.kinds[source]
        process.unread.pop(source, None)
        process.gone.discard(source)
    process.left_out, process.young = True, False  # who comes back is passed over, and not counted from nothing


def _kind(source: Hashable, kinds: Mapping[Any, CountKey] | None) -> CountKey:
    found = source if kinds is None else kinds[source]
    if not isinstance(found, CountKey):
        raise TypeError(found)
    return found
