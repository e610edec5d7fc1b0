"""Who works at a queue's dead letters: a lock for this machine, and a claim in the ledger for all others."""

from __future__ import annotations

import fcntl
import getpass
import hashlib
import json
import os
import re
import socket
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Self

from keywatch.redrive.errors import BusyError, CannotWriteError

RUNNING: Final = "running"
ENDED: Final = "ended"
CANCELLED: Final = "cancelled"
# A command that works renews its claim at least every two seconds.
_WATCH_SECONDS = 6.0
_LONGEST = 200
_SAFE = re.compile(r"[^A-Za-z0-9._-]")


def user_name() -> str:
    """Return the name of the user who runs the command, or its number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


@dataclass(frozen=True, slots=True)
class Claim:
    """One run, as the ledger tells others of it; it changes with each beat."""

    run: str = field(default_factory=lambda: uuid.uuid4().hex[:16])
    host: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)
    user: str = field(default_factory=user_name)
    started: float = field(default_factory=time.time)
    beat: int = 0
    state: str = RUNNING
    lock: str = ""
    """Where its lock stands: two commands with the same one cannot both go on."""

    def next(self, state: str = RUNNING) -> Self:
        """Return it a beat later."""
        return replace(self, beat=self.beat + 1, state=state)

    def encoded(self) -> bytes:
        """Write it as the ledger holds it."""
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @classmethod
    def parse(cls, value: bytes) -> Self:
        """Read it; raises `ValueError` or `TypeError` for what is none."""
        said: dict[str, Any] = json.loads(value)
        texts = {name: str(said[name])[:_LONGEST] for name in ("run", "host", "user", "state")}
        texts["lock"] = str(said.get("lock", ""))[:_LONGEST]
        return cls(pid=int(said["pid"]), beat=int(said["beat"]), started=float(said["started"]), **texts)

    def __str__(self) -> str:
        """Say who it is."""
        return f"run {self.run} of {self.user} on {self.host} (process {self.pid})"


class Lock:
    """One command a queue on this machine: held until the process ends, however it ends."""

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / f"{_SAFE.sub('_', name)}.lock"
        self._descriptor = -1

    @property
    def name(self) -> str:
        """What tells it from all others: the machine and the file."""
        return f"{socket.gethostname()}:{hashlib.sha256(str(self.path.absolute()).encode()).hexdigest()[:16]}"

    def take(self, claim: Claim) -> None:
        """Take it; raises `BusyError` when another process holds it and `CannotWriteError`."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, claim.encoded(), 0)
        except BlockingIOError:
            holder = self.holder()
            raise BusyError(f"another command works at these dead letters: {holder or self.path}") from None
        except OSError as error:
            raise CannotWriteError(f"{self.path}: cannot be written: {error.strerror}") from error

    def holder(self) -> Claim | None:
        """Return who holds it, None when nobody does."""
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            try:
                return Claim.parse(os.pread(descriptor, 4096, 0))
            except (ValueError, TypeError, KeyError):
                return None
        finally:
            os.close(descriptor)
        return None

    def release(self) -> None:
        """Give it back."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def wait_for_silence(
    found: Claim | None, again: Callable[[], Claim | None], lock: str, seconds: float = _WATCH_SECONDS
) -> None:
    """Return when no command with another `lock` works at the queue; raises `BusyError` when one does.

    Whoever works renews its claim; no clocks are compared. Who has this lock has been told already.
    """
    if found is None or found.state != RUNNING or found.lock == lock:
        return
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(min(1.0, seconds / 4))
        now = again()
        if now is not None and (now.run, now.beat) != (found.run, found.beat):
            if now.state != RUNNING:
                return
            raise BusyError(f"another command works at these dead letters: {now}")
