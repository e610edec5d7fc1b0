"""Redrives one folder: letters and the ids of their files in one transaction a batch, the files moved after it.

A command that dies between the two leaves files whose names and ids the ledger knows: the next one only moves them.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

from keywatch.kafka.client import Clients
from keywatch.redrive.claim import Claim
from keywatch.redrive.decision import Action, Decide, Decision
from keywatch.redrive.errors import CannotWriteError
from keywatch.redrive.folder_letters import FileLetter, FolderLetters
from keywatch.redrive.ledger import Ledger, LedgerState, files_entry
from keywatch.redrive.letter import Letter
from keywatch.redrive.refusal import Refusal
from keywatch.redrive.session import Rejections, Transaction
from keywatch.redrive.tally import Tally
from keywatch.redrive.work import Surroundings, Work

REPLAYED: Final = "replayed"
"""The folder in the folder that files are moved to."""
PARKED: Final = "parked"
_MOST_NAMES = 1000
_RECORDS = 1000


class FolderRedrive(Work):
    """One run over one folder."""

    def __init__(
        self,
        clients: Clients,
        ledger: Ledger,
        folder: FolderLetters,
        claim: Claim,
        around: Surroundings,
        decide: Decide,
        learn: Callable[[Rejections], None] = lambda _: None,
    ) -> None:
        """Take who decides on letters, and who learns what brokers refuse."""
        super().__init__(clients, ledger, f"folder:{folder.queue}", f"folder-{folder.queue}", claim, around)
        self._folder = folder
        self._decide = decide
        self._learn = learn
        self._names: Iterator[str] = iter(())
        self._marked: set[str] = set()
        """Batches whose files were moved, and whose notes are to be taken back."""

    def read_ledger(self) -> LedgerState:
        """Return what the ledger says of this folder."""
        return self.ledger.read(self.source, "")

    def resume(self, state: LedgerState) -> None:
        """Move the files that the ledger knows, and begin with the oldest one that is left."""
        for ids in state.files.values():
            files = [file for name in ids if (file := self._folder.read(name)).id == ids[name]]
            self._move(files, REPLAYED)
            self.tally.moved += len(files)
        self._marked = set(state.files)
        self._names = self._folder.names()

    def step(self) -> bool:
        """Do one batch; returns False after the last."""
        limits = self.around.limits
        files = self._read(self.around.pace.most(min(limits.records, _RECORDS)), limits.bytes)
        if not files:
            return False
        rest, decisions, left = self._decisions(files)
        batch = f"{self.claim.run}-{self.claim.beat}"
        going: list[FileLetter] = []
        kept = Tally()

        def build(rejections: Rejections) -> tuple[Transaction, Tally, dict[str, Any]] | None:
            nonlocal going, kept
            self._learn(rejections)
            going, kept, transaction, more = self._outcome(rest, decisions, rejections, batch)
            return (transaction, kept, more) if going else None

        if self.commit(build):
            self._move(going, REPLAYED)
            self._marked = {batch}
        else:
            self.tally.add(kept)
            self.around.told(self.tally)
        if left is not None:
            self.tally.stopped = left
        else:
            self.around.pace.wait(len(going), self.beat, self.around.stop)
        return True

    def finish(self) -> None:
        """Take the notes back that no file needs any more."""
        if self._marked:
            noted = [files_entry(self.source, batch, None) for batch in self._marked]
            self.session.commit(lambda _: Transaction(entries=noted))
            self._marked = set()

    def waiting(self) -> int:
        """Return how many files there are."""
        return self._folder.count()

    def close(self) -> None:
        """Nothing is held."""

    def survey(self, look: Callable[[Letter, Decision], None], sample: int | None = None) -> Tally:
        """Decide on all letters, or about the first ones, and do nothing; raises `RedriveError`."""
        known = frozenset(digest for ids in self.read_ledger().files.values() for digest in ids.values())
        self._names = self._folder.names()
        left = sample
        while not self.around.stop() and not self.tally.stopped and (left is None or left > 0):
            files = self._read(_RECORDS, self.around.limits.bytes)
            if not files:
                break
            self.tally.moved += sum(file.id in known for file in files)
            rest, decisions, stopped = self._decisions([file for file in files if file.id not in known])
            for file, decision in zip(rest, decisions, strict=True):
                if file.letter is not None:
                    look(file.letter, decision)
            left = None if left is None else left - len(files)
            self.tally.add(self._outcome(rest, decisions, {}, "")[1])
            self.around.told(self.tally)
            self.tally.stopped = stopped or ""
        return self.tally

    def _read(self, most: int, size: int) -> list[FileLetter]:
        files = []
        for name in islice(self._names, most):
            file = self._folder.read(name)
            if file.mark is None:  # it went meanwhile
                continue
            files.append(file)
            size -= file.mark.size
            if size <= 0:
                break
        return files

    def _decisions(self, files: Sequence[FileLetter]) -> tuple[list[FileLetter], list[Decision], str | None]:
        """Decide on files, up to the most that are allowed; returns with them why the rest is left."""
        most = self.around.limits.most
        room = None if most is None else most - self.tally.put - self.tally.parked
        taken: list[FileLetter] = []
        decisions: list[Decision] = []
        for file in files:
            if room is not None and room <= 0:
                return taken, decisions, "as many as --max allows"
            decision = self._of(file, len(taken))
            if room is not None and decision.record is not None:
                room -= 1
            taken.append(file)
            decisions.append(decision)
        return taken, decisions, None

    def _of(self, file: FileLetter, number: int) -> Decision:
        if file.letter is not None:
            return self._decide(file.letter, number)
        if file.refusal is Refusal.MALFORMED and self._folder.being_written(file):
            return Decision(Action.STAY)
        return Decision(Action.STAY, None, file.refusal)

    def _outcome(
        self, files: Sequence[FileLetter], decisions: Sequence[Decision], rejections: Rejections, batch: str
    ) -> tuple[list[FileLetter], Tally, Transaction, dict[str, Any]]:
        tally, going, records, digest = Tally(), list[FileLetter](), [], hashlib.sha256()
        for number, (file, decision) in enumerate(zip(files, decisions, strict=True)):
            refused = rejections.get(number)
            if decision.record is not None and refused is None:
                going.append(file)
                records.append(decision.record)
                digest.update(file.id.encode())
                tally.put += decision.action is Action.PUT
                tally.parked += decision.action is Action.PARK
                tally.destinations[decision.record.topic] += 1
                tally.bytes += file.mark.size if file.mark else 0
                continue
            refusal = refused[1] if refused is not None else decision.refusal
            if refusal is None:
                tally.not_meant += 1
            else:
                tally.refused[refusal] += 1
        # The files of earlier batches are moved by now, and their folder is on the disk.
        noted = [files_entry(self.source, old, None) for old in self._marked]
        noted.append(files_entry(self.source, batch, {file.name: file.id for file in going}))
        more: dict[str, Any] = {"digest": digest.hexdigest()}
        if going:
            more |= {"first": going[0].name[:_MOST_NAMES], "last": going[-1].name[:_MOST_NAMES]}
        return going, tally, Transaction(records, noted), more

    def _move(self, files: Sequence[FileLetter], to: str) -> None:
        """Move files, and see to it that this survives a power cut; raises `CannotWriteError`."""
        if not files:
            return
        target = self._folder.path / to
        try:
            target.mkdir(exist_ok=True)
            for file in files:
                if not self._folder.unchanged(file):
                    continue  # another letter under the same name, or gone
                os.rename(self._folder.path / file.name, target / free(target, file.name))  # noqa: PTH104 - as os has it
            for folder in (target, self._folder.path):
                descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
        except OSError as error:
            words = f"{target}: files cannot be moved there: {error.strerror}"
            if error.errno in {errno.EROFS, errno.EACCES, errno.EPERM}:
                words += "; what was put back is known, and will only be moved by the next run"
            raise CannotWriteError(words) from error


def free(target: Path, name: str) -> str:
    """Return a name that nothing has in the target, so that no letter is written over."""
    number, found = 0, name
    while os.path.lexists(f"{target}/{found}"):
        number += 1
        found = f"{name}.{number}"
    return found
