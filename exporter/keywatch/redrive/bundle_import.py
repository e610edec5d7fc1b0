"""Brings the letters of a bundle back into a dead-letter topic, or a folder, once however often it is tried."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from keywatch.kafka.client import Clients
from keywatch.redrive import bundle
from keywatch.redrive.claim import Claim
from keywatch.redrive.decision import Decision
from keywatch.redrive.errors import BadInputError, CannotWriteError
from keywatch.redrive.ledger import Ledger, LedgerState, position_entry
from keywatch.redrive.letter import Letter
from keywatch.redrive.session import Outgoing, Rejections, Transaction
from keywatch.redrive.tally import Tally
from keywatch.redrive.work import Surroundings, Work

_DIGITS = 32
_ID = "bundle"


class BundleImport(Work):
    """One run over one bundle, which the ledger knows by its digest; letters are written as they lay there."""

    def __init__(
        self, clients: Clients, ledger: Ledger, folder: Path, digest: str, to: str, claim: Claim, around: Surroundings
    ) -> None:
        """Take the topic that letters go `to`, empty for the one that each lay in."""
        name = f"bundle-{digest[:_DIGITS]}"
        super().__init__(clients, ledger, name, name, claim, around)
        self._folder = folder
        self._to = to
        self._count = 0
        self._letters: Iterator[Letter] = iter(())

    def read_ledger(self) -> LedgerState:
        """Return what the ledger says of this bundle."""
        return self.ledger.read(self.source, _ID)

    def resume(self, state: LedgerState) -> None:
        """Pass over the letters that were brought back."""
        self._count = state.positions.get(0, 0)
        self._letters = islice(bundle.read(self._folder), self._count, None)

    def step(self) -> bool:
        """Do one batch; returns False after the last."""
        letters, size = list[Letter](), 0
        most = self.around.pace.most(self.around.limits.records)
        while len(letters) < most and size < self.around.limits.bytes and (found := next(self._letters, None)):
            letters.append(found)
            size += found.size
        if not letters:
            return False
        records = [self._record(letter, number) for number, letter in enumerate(letters)]
        upto = self._count + len(letters)

        def build(rejections: Rejections) -> tuple[Transaction, Tally, dict[str, Any]] | None:
            for record, refusal in rejections.values():
                raise BadInputError(f"a letter for {record.topic} is refused: {refusal}; the batch was not imported")
            tally = Tally(put=len(records), bytes=size)
            tally.destinations.update(record.topic for record in records)
            digest = hashlib.sha256(b"".join(record.value or b"" for record in records)).hexdigest()
            noted = [position_entry(self.source, _ID, 0, upto)]
            return Transaction(records, noted), tally, {"lines": [self._count, upto - 1], "digest": digest}

        self.commit(build)
        self._count = upto
        self.around.pace.wait(len(letters), self.beat, self.around.stop)
        return True

    def waiting(self) -> int:
        """Not known before the end."""
        return 0

    def survey(self, look: Callable[[Letter, Decision], None], sample: int | None = None) -> Tally:
        """Nothing is decided on."""
        del look, sample
        return self.tally

    def close(self) -> None:
        """Nothing is held."""

    def _record(self, letter: Letter, number: int) -> Outgoing:
        raw, place = letter.raw, letter.place
        if place.file:
            raise BadInputError("the bundle is of a folder; give --folder to import it into one")
        partition = -1 if self._to else place.partition
        timestamp = max(raw.timestamp or 0, 0)
        return Outgoing(self._to or place.queue, raw.key, raw.value, raw.headers, partition, timestamp, number)


def into_folder(source: Path, target: Path) -> tuple[int, int]:
    """Write a bundle's files into a folder; returns how many were written, and how many lay there already.

    Raises `BadInputError` for a file of that name that holds something else, and `CannotWriteError`.
    """
    written, there = 0, 0
    for letter in bundle.read(source):
        name, content = letter.place.file, letter.raw.value or b""
        if not name:
            raise BadInputError("the bundle is of a topic; leave --folder out to import it")
        path = target / name
        try:
            if path.exists():
                if path.read_bytes() != content:
                    raise BadInputError(f"{path}: is there, and holds something else")
                there += 1
                continue
            beside = target / f".{name}.{os.getpid()}"
            beside.write_bytes(content)
            beside.rename(path)
            written += 1
        except OSError as error:
            raise CannotWriteError(f"{path}: cannot be written: {error.strerror}") from error
    return written, there
