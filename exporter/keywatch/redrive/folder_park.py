"""Parks files of a folder: moved into one of its own, each with its reason beside it. Needs no Kafka."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

from keywatch.probes.dead_letters.letter import Sources
from keywatch.redrive.audit import AuditFile, event
from keywatch.redrive.claim import Claim, Lock
from keywatch.redrive.errors import CannotWriteError
from keywatch.redrive.folder_letters import FileLetter, FolderLetters
from keywatch.redrive.folder_redrive import PARKED, free
from keywatch.redrive.selection import Selection
from keywatch.redrive.tally import Tally

_AT_ONCE = 1000


class FolderPark:
    """One run over one folder; also files that no letter can be read of can be parked, by their name."""

    def __init__(
        self, folder: FolderLetters, selection: Selection, sources: Sources, reason: str, claim: Claim, audit: AuditFile
    ) -> None:
        self._folder = folder
        self._selection = selection
        self._sources = sources
        self._reason = reason
        self._claim = claim
        self._audit = audit

    def run(self, lock: Lock, most: int | None, stop: Callable[[], bool]) -> Tally:
        """Park them; raises `RedriveError`."""
        self._folder.check(write=True)
        self._audit.check()
        lock.take(self._claim)
        tally, names = Tally(), list[str]()
        try:
            for name in [self._selection.file] if self._selection.file else self._folder.names():
                if stop() or (most is not None and tally.parked >= most):
                    tally.stopped = "cancelled" if stop() else "as many as --max allows"
                    break
                file = self._folder.read(name)
                if file.mark is None or not self._meant(file):
                    tally.not_meant += 1
                    continue
                self._park(file)
                tally.parked += 1
                names.append(name)
                if len(names) >= _AT_ONCE:
                    self._tell(names)
        finally:
            self._tell(names)
            lock.release()
        return tally

    def _meant(self, file: FileLetter) -> bool:
        if file.letter is None:
            return self._selection.file == file.name
        return self._selection.meant(file.letter, self._sources)

    def _park(self, file: FileLetter) -> None:
        target = self._folder.path / PARKED
        said = {
            "file": file.name,
            "reason": self._reason,
            "by": self._claim.user,
            "run": self._claim.run,
            "at": time.time(),
        }
        try:
            target.mkdir(exist_ok=True)
            name = free(target, file.name)
            # The reason first: a file without one would have been parked by nobody for nothing.
            Path(target / f"{name}.reason.json").write_text(json.dumps(said) + "\n", encoding="utf-8")
            os.rename(self._folder.path / file.name, target / name)  # noqa: PTH104 - as os has it
        except OSError as error:
            raise CannotWriteError(f"{target}: files cannot be moved there: {error.strerror}") from error

    def _tell(self, names: list[str]) -> None:
        if names:
            self._claim = self._claim.next()
            tally = Tally(parked=len(names))
            more = {"reason": self._reason, "first": names[0], "last": names[-1]}
            self._audit.write(event("park", f"folder:{self._folder.queue}", self._claim, tally, **more))
            names.clear()
