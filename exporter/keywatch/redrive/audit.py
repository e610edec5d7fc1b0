"""The audit trail: a line of ECS JSON for each batch, in a file that only grows, and in a topic where one is named."""

from __future__ import annotations

import datetime as dt
import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from keywatch import __version__
from keywatch.redrive.claim import Claim, user_name
from keywatch.redrive.errors import CannotWriteError
from keywatch.redrive.tally import Tally

_ECS: Final = "8.17.0"
_TAIL = 1 << 20
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class AuditFile:
    """Appends whole lines; each is on the disk when `write` returns."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def check(self) -> None:
        """Raise `CannotWriteError` unless lines can be appended, so that nothing begins that cannot be told of."""
        self._append(b"")

    def write(self, event: Mapping[str, Any]) -> None:
        """Append an event; raises `CannotWriteError`."""
        self._append(json.dumps(event, separators=(",", ":")).encode() + b"\n")

    def holds(self, event: Mapping[str, Any]) -> bool:
        """Return whether an event stands among the last lines."""
        wanted = event.get("event", {}).get("id")
        try:
            with self.path.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
                return f'"id":"{wanted}"'.encode() in file.read()
        except OSError:
            return False

    def _append(self, line: bytes) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self.path, _FLAGS, 0o600)
            try:
                self._whole(descriptor, line)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise CannotWriteError(f"{self.path}: the audit trail cannot be written: {error.strerror}") from error

    def _whole(self, descriptor: int, line: bytes) -> None:
        if not line:
            return
        before = os.fstat(descriptor).st_size
        try:
            left = memoryview(line)
            while left:  # a short write to a regular file: the next one says that the disk is full
                left = left[os.write(descriptor, left) :]
            os.fsync(descriptor)
        except OSError:
            os.truncate(self.path, before)  # no half a line
            raise


def event(action: str, source: str, claim: Claim, tally: Tally | None = None, **more: Any) -> dict[str, Any]:
    """Make an audit event: who did what to which letters, and when; `more` goes below `keywatch.redrive`."""
    now = dt.datetime.now(dt.UTC)
    counts = {key: value for key, value in tally.as_json().items() if key not in _OF_RUNS} if tally is not None else {}
    return {
        "@timestamp": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "ecs": {"version": _ECS},
        "event": {
            "kind": "event",
            "category": ["configuration"],
            "type": ["access" if action in _READING else "change"],
            "action": f"dlq-{action}",
            "dataset": "keywatch.dlq_audit",
            "outcome": "success",
            "id": f"{claim.run}-{claim.beat}",
        },
        "user": {"name": claim.user},
        "host": {"name": claim.host},
        "process": {"pid": claim.pid},
        "service": {"type": "keywatch", "version": __version__},
        "keywatch": {"redrive": {"run": claim.run, "source": source, **counts, **more}},
    }


_OF_RUNS: Final = frozenset({"batches", "stopped", "died_again"})
_READING: Final = frozenset({"show", "export"})


def whoami() -> str:
    """Return user and host, for the plan."""
    return f"{user_name()}@{socket.gethostname()}"
