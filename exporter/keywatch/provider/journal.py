"""What keywatch remembers in a Keycloak's folder while it changes its providers, so that a killed run can be undone.

All of it stands in `.keywatch-listener` in Keycloak's folder: the lock, the journal of the change under way, what
undoes it, what the last change replaced, and a line for each change (`audit.jsonl`).
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import getpass
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from keywatch.config.files import FileError, contents

FOLDER: Final = ".keywatch-listener"
_MOST_BYTES: Final = 65_536
_LOOK_EVERY: Final = 0.1
_MODE = 0o700
STEPS: Final = (
    *("staging", "keeping", "swapping", "building", "restarting", "verifying", "ending"),
    *("going back", "cleaning"),
)
"""What a journal may name as begun: the steps of a change in their order, and those of going back."""


class ChangeError(Exception):
    """Something could not be changed; the message names the file, and says what state is left."""


class NotBegunError(ChangeError):
    """Nothing was changed, as something stands in the way."""


@dataclass
class Change:
    """A change of one file of `providers`: SHA-256 of what was there and of what comes; empty: nothing.

    `step` is what was begun last; whether it ended is not known.
    """

    action: str
    file: str
    old: str
    new: str
    step: str = "staging"


class Records:
    """The folder in which keywatch remembers. Raises `ChangeError` where it cannot be written."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.folder = home / FOLDER
        self.undo = self.folder / "undo"
        """What undoes the change under way: `provider.jar` and `quarkus`."""
        self.previous = self.folder / "previous"
        """What the last change replaced, in the same form."""
        self._journal = self.folder / "journal.json"
        self.installed = self.folder / "installed.json"

    @contextlib.contextmanager
    def locked(self, seconds: float) -> Iterator[int]:
        """Hold the lock and give its descriptor; a build that was begun inherits it, so nobody comes in between.

        Raises `ChangeError` when another holds it for longer than `seconds`.
        """
        try:
            self.folder.mkdir(mode=_MODE, exist_ok=True)
            descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise NotBegunError(f"{self.folder}: cannot be written: {error.strerror}; nothing was changed") from None
        try:
            deadline = time.monotonic() + seconds
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        words = "another keywatch changes its providers, or a build that one began still runs"
                        raise NotBegunError(f"{self.home}: {words}; nothing was changed") from None
                    time.sleep(_LOOK_EVERY)
            yield descriptor
        finally:
            os.close(descriptor)

    def under_way(self) -> Change | None:
        """Return the change that was begun and not ended; raises `ChangeError` where the journal is none."""
        data = _read(self._journal)
        if data is None:
            return None
        try:
            change = Change(**{name: str(value) for name, value in data.items()})
        except TypeError:
            change = Change("", "", "", "")
        if not change.file or Path(change.file).name != change.file or change.step not in STEPS:
            raise ChangeError(f"{self._journal}: is no journal of keywatch's")
        return change

    def note(self, change: Change, step: str) -> None:
        """Write down what is begun now, before it is."""
        change.step = step
        write(self._journal, json.dumps(asdict(change)).encode())

    def ended(self) -> None:
        """Forget the change under way."""
        self._journal.unlink(missing_ok=True)
        sync(self.folder)

    def replaced(self) -> dict[str, Any] | None:
        """Return what the last change was; None where there was none, or it was taken back."""
        return _read(self.installed)

    def audit(self, change: Change, result: str) -> str:
        """Append a line about a change, and return it."""
        user = os.environ.get("SUDO_USER") or _user()
        line = json.dumps(
            {
                "time": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
                "user": user,
                "action": change.action,
                "file": change.file,
                "old_sha256": change.old or None,
                "new_sha256": change.new or None,
                "result": result,
            }
        )
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(self.folder / "audit.jsonl", flags, 0o600), "a", encoding="utf-8") as file:
            file.write(f"{line}\n")
            file.flush()
            os.fsync(file.fileno())
        return line


def write(path: Path, data: bytes) -> None:
    """Write a file so that it is old or new whatever happens, and stays so when the machine falls; raises `OSError`."""
    beside = path.with_name(f".{path.name}.new")
    try:
        with new_file(beside) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
    sync(path.parent)


def new_file(path: Path) -> BinaryIO:
    """Open a file that was not there, whatever was; a link that somebody put there is not followed."""
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")


def sync(path: Path) -> None:
    """Have what a file holds, or the names in a folder, survive the machine's fall."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    try:
        found = json.loads(contents(path, _MOST_BYTES))
    except FileError as error:
        raise ChangeError(f"{path}: {error}") from None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ChangeError(f"{path}: is none of keywatch's")
    return found


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return str(os.getuid())
