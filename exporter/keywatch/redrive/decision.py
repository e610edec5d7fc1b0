"""What is to be done with a letter: put it back, park it, or leave it where it is."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple, Protocol

from keywatch.probes.dead_letters.letter import Sources
from keywatch.redrive.destinations import Destinations
from keywatch.redrive.dialects import COUNT, PARKED, RUN, SOURCE
from keywatch.redrive.letter import Letter
from keywatch.redrive.originals import Originals
from keywatch.redrive.refusal import Refusal
from keywatch.redrive.selection import Selection
from keywatch.redrive.session import Outgoing
from keywatch.redrive.transform import Transform, TransformError

_LONGEST_REASON = 1000


class Action(StrEnum):
    """What is done."""

    PUT = "put"
    PARK = "park"
    STAY = "stay"


class Decision(NamedTuple):
    """What is done with one letter: the record to write, or why it stays; a letter that is not meant has no refusal."""

    action: Action
    record: Outgoing | None = None
    refusal: Refusal | None = None
    why: str = ""


NOT_MEANT = Decision(Action.STAY)


class Decide(Protocol):
    """Decides on letters; `number` is the letter's in its batch."""

    def __call__(self, letter: Letter, number: int) -> Decision:
        """Return what is to be done with it."""


class Replay:
    """Puts letters back where they belong; those that died too often are parked."""

    def __init__(
        self,
        run: str,
        selection: Selection,
        sources: Sources,
        destinations: Destinations,
        *,
        originals: Originals | None = None,
        transform: Transform | None = None,
        keep_timestamp: bool = False,
        max_attempts: int = 3,
        park: Callable[[], Park | None] = lambda: None,
    ) -> None:
        self._run = run
        self._selection = selection
        self._all = selection.everything
        self._sources = sources
        self._destinations = destinations
        self._originals = originals
        self._transform = transform
        self._keep_timestamp = keep_timestamp
        self._max_attempts = max_attempts
        self._park = park

    def __call__(self, letter: Letter, number: int) -> Decision:
        """Return what is to be done with a letter; raises `RedriveError` when Kafka does not answer."""
        if not self._all and not self._selection.meant(letter, self._sources):
            return NOT_MEANT
        if letter.attempts >= self._max_attempts:
            park = self._park()
            if park is None:
                return Decision(Action.STAY, None, Refusal.TOO_OFTEN)
            return park.parked(letter, number, f"died again after {letter.attempts} replays")
        if letter.hollow and (self._originals is None or not self._originals.fill(letter)):
            return Decision(Action.STAY, None, Refusal.NO_RECORD)
        destination = self._destinations.of(letter)
        if isinstance(destination, Refusal):
            return Decision(Action.STAY, None, destination)
        value = letter.value
        if self._transform is not None and value is not None:
            try:
                value = self._transform.apply(value)
            except TransformError:
                return Decision(Action.STAY, None, Refusal.TRANSFORM)
        provenance = (
            (SOURCE, str(letter.place).encode()),
            (RUN, self._run.encode()),
            (COUNT, b"%d" % (letter.attempts + 1)),
        )
        timestamp = letter.raw.timestamp if self._keep_timestamp else None
        record = Outgoing(
            destination.topic,
            letter.key,
            value,
            (*letter.headers, *provenance),
            destination.partition,
            max(timestamp or 0, 0),
            number,
        )
        return Decision(Action.PUT, record)


class Park:
    """Moves letters as they are into a topic of their own, with the reason."""

    def __init__(self, run: str, topic: str, selection: Selection, sources: Sources, reason: str, user: str) -> None:
        self.topic = topic
        self._run = run
        self._selection = selection
        self._all = selection.everything
        self._sources = sources
        self._reason = reason
        self._user = user

    def __call__(self, letter: Letter, number: int) -> Decision:
        """Return what is to be done with a letter."""
        if not self._all and not self._selection.meant(letter, self._sources):
            return NOT_MEANT
        return self.parked(letter, number, self._reason)

    def parked(self, letter: Letter, number: int, reason: str) -> Decision:
        """Return the decision to park a letter for this reason; its timestamp stays."""
        raw = letter.raw
        said = (
            (f"{PARKED}source", str(letter.place).encode()),
            (f"{PARKED}reason", reason[:_LONGEST_REASON].encode()),
            (f"{PARKED}by", self._user.encode()),
            (f"{PARKED}run", self._run.encode()),
        )
        headers = (*((name, text) for name, text in raw.headers if not name.startswith(PARKED)), *said)
        record = Outgoing(self.topic, raw.key, raw.value, headers, -1, max(raw.timestamp or 0, 0), number)
        return Decision(Action.PARK, record, None, reason)
