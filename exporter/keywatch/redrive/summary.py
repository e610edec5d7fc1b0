"""What lies in a queue, added up: how many letters, since when, why, from whom, and where they belong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from keywatch.kafka.client import Clients
from keywatch.redrive.errors import RedriveError
from keywatch.redrive.folder_letters import FolderLetters
from keywatch.redrive.ledger import Ledger
from keywatch.redrive.letter import Letter
from keywatch.redrive.queue import Queue
from keywatch.redrive.selection import Selection
from keywatch.redrive.settled import Settled
from keywatch.redrive.topic_letters import TopicLetters
from keywatch.redrive.topic_redrive import positions

_RECORDS, _BYTES, _SECONDS = 2000, 8 << 20, 0.5
_MOST_NAMES: Final = 1000
_OTHERS: Final = "(others)"
UNREADABLE: Final = "unreadable"


@dataclass(slots=True)
class Summary:
    """Counts of letters that are meant; times in milliseconds since 1970."""

    letters: int = 0
    waiting: int = 0
    """Those that were neither put back nor parked."""
    attempts: int = 0
    """Those that were put back before and died again."""
    oldest: int | None = None
    newest: int | None = None
    bytes: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    destinations: Counter[str] = field(default_factory=Counter)

    def add(self, letter: Letter, reason: str, *, waits: bool) -> None:
        """Add a letter."""
        self.letters += 1
        self.waiting += waits
        self.attempts += letter.attempts > 0
        self.bytes += len(letter.raw.key or b"") + len(letter.raw.value or b"")
        written = letter.raw.timestamp
        if written is not None:
            self.oldest = written if self.oldest is None else min(self.oldest, written)
            self.newest = written if self.newest is None else max(self.newest, written)
        self.reasons[reason] += 1
        self.kinds[letter.kind] += 1
        topic = letter.origin.topic if letter.origin is not None else "(not told)"
        known = topic in self.destinations or len(self.destinations) < _MOST_NAMES
        self.destinations[topic if known else _OTHERS] += 1

    def as_json(self) -> dict[str, Any]:
        """Return it for people's programs."""
        return {
            "letters": self.letters,
            "waiting": self.waiting,
            "died_again": self.attempts,
            "oldest": self.oldest,
            "newest": self.newest,
            "bytes": self.bytes,
            "reasons": dict(self.reasons.most_common()),
            "written_by": dict(self.kinds.most_common()),
            "destinations": dict(self.destinations.most_common()),
        }


def letters_of(
    clients: Clients, ledger: Ledger, queue: Queue, selection: Selection, timeout: float, *, settled: bool = True
) -> Iterator[tuple[Letter | None, str, bool]]:
    """Return each letter that is meant, why it died, and whether it waits; None for a file that cannot be read.

    Without `settled`, what was put back or parked is passed over. Raises `RedriveError`.
    """
    if queue.folder is not None:
        yield from _of_folder(queue.folder, queue, selection)
        return
    there = ledger.exists(timeout)
    for topic in queue.topics:
        yield from _of_topic(clients, ledger if there else None, queue, topic, selection, timeout, settled=settled)


def depths(clients: Clients, queue: Queue, timeout: float) -> int:
    """Return how many letters lie there, by offsets or by files; raises `RedriveError`."""
    if queue.folder is not None:
        try:
            return queue.folder.count()
        except OSError as error:
            raise RedriveError(f"{queue.folder.path}: cannot be read: {error.strerror}") from error
    found = 0
    for topic in queue.topics:
        letters = TopicLetters(clients, topic, timeout)
        found += sum(span.end - span.start for span in letters.bounds().values())
        letters.close()
    return found


def _of_topic(
    clients: Clients,
    ledger: Ledger | None,
    queue: Queue,
    topic: str,
    selection: Selection,
    timeout: float,
    *,
    settled: bool,
) -> Iterator[tuple[Letter, str, bool]]:
    letters = TopicLetters(clients, topic, timeout)
    try:
        bounds = letters.bounds()
        known: dict[int, Settled] = {}
        if ledger is not None:
            state = ledger.read(topic, letters.topic_id())
            known = positions(state, letters.committed(list(bounds)), bounds, topic)
        if not settled:
            bounds = {p: span._replace(start=known[p].upto) if p in known else span for p, span in bounds.items()}
        wanted = {p: span for p, span in bounds.items() if not selection.partitions or p in selection.partitions}
        if selection.offsets is not None:
            first, last = selection.offsets
            wanted = {
                p: span._replace(start=max(span.start, first), end=min(span.end, last + 1))
                for p, span in wanted.items()
            }
        letters.begin(wanted)
        while (batch := letters.batch(_RECORDS, _BYTES, _SECONDS)) is not None:
            for letter in batch.letters:
                place = letter.place
                waits = place.partition not in known or place.offset not in known[place.partition]
                if (settled or waits) and letter in selection:
                    reason = queue.sources.of_record(letter.raw.headers, letter.raw.value)
                    if not selection.reasons or reason in selection.reasons:
                        yield letter, reason, waits
    finally:
        letters.close()


def _of_folder(folder: FolderLetters, queue: Queue, selection: Selection) -> Iterator[tuple[Letter | None, str, bool]]:
    folder.check(write=False)
    for name in [selection.file] if selection.file else folder.names():
        file = folder.read(name)
        if file.mark is None:
            continue
        if file.letter is None:
            if selection.everything:
                yield None, UNREADABLE, True
            continue
        if file.letter in selection:
            reason = queue.sources.of_record((), file.letter.raw.value)
            if not selection.reasons or reason in selection.reasons:
                yield file.letter, reason, True
