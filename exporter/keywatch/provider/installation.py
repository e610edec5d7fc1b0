"""Puts a jar into a Keycloak's providers and takes it back: each step is written down before it is begun.

The jar takes the place of the one before under the same name, by one rename, so a Keycloak finds the old one or the
new one, whole. What a build made is kept with the jar, so that going back needs no build. A run that was killed is
undone by the next one, or ended where only the end was missing.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from keywatch.provider.jar_check import sha256_of
from keywatch.provider.journal import Change, ChangeError, NotBegunError, Records, new_file, sync, write

_INCOMING: Final = "keywatch-incoming"
_BUILT = ("lib", "quarkus")
_CHUNK: Final = 1024 * 1024


@dataclass(frozen=True)
class Actions:
    """What is done to Keycloak beside its files; each raises `ChangeError` where it fails.

    `build` gets the descriptor of the lock, which what it starts inherits. `judge` says whether Keycloak is ready and
    an event arrives.
    """

    build: Callable[[int], None]
    restart: Callable[[], None]
    judge: Callable[[], None]
    recovered: Callable[[], None]
    """Restarts Keycloak and waits until it is ready, after going back."""
    say: Callable[[str], None]


class Installation:
    """The providers of the Keycloak in `home`; `lock` is the descriptor of the lock that is held."""

    def __init__(self, records: Records, lock: int, actions: Actions) -> None:
        self._records = records
        self._lock = lock
        self._do = actions
        self._providers = records.home / "providers"
        self._built = records.home.joinpath(*_BUILT)

    def recover(self) -> str:
        """End or undo what a killed run left, and say it; empty where nothing was left. Raises `ChangeError`."""
        change = self._records.under_way()
        if change is None:
            return ""
        if change.step == "cleaning":  # all was put back, and perhaps audited
            self._clean(change)
            return f"the {change.action} that a killed run left was undone"
        if change.step == "ending":
            self._end(change)
            self._records.audit(change, "ended after a kill")
            return f"the {change.action} that a killed run left was ended"
        self._undo(change, f"a run was killed while {change.step}")
        return f"the {change.action} that a killed run left was undone"

    def put(self, jar: Path, file: str, action: str, sha256: str) -> None:
        """Put a jar in place of `file`, build, restart and judge; undo all where one fails. Raises `ChangeError`.

        `sha256` is that of the jar that was checked: another is not installed.
        """
        target = self._providers / file
        change = Change(action, file, sha256_of(target) if target.exists() else "", sha256)
        self._begin(change)
        try:
            with self._unchanged(change):
                self._stage(jar, change)
                self._records.note(change, "keeping")
                self._keep(target)
            self._records.note(change, "swapping")
            self._incoming(file).replace(target)
            sync(self._providers)
            self._do.say(f"providers/{file} is in place")
            self._records.note(change, "building")
            self._do.build(self._lock)
            self._records.note(change, "restarting")
            self._do.restart()
            self._records.note(change, "verifying")
            self._do.judge()
            self._records.note(change, "ending")
            self._end(change)
        except OSError as error:
            self._undo(change, f"{error.filename or self._records.home}: {error.strerror}")
            raise ChangeError(
                f"{error.filename or self._records.home}: {error.strerror}; the change was undone"
            ) from None
        except ChangeError as error:
            if self._records.under_way() is not None:
                self._undo(change, str(error))
                raise ChangeError(f"{error}; the change was undone") from None
            raise
        self._do.say(self._records.audit(change, "done"))

    def roll_back(self) -> None:
        """Put back what the last change replaced, and what was built with it. Raises `ChangeError`."""
        last = self._records.replaced()
        if last is None or not self._records.previous.is_dir():
            raise NotBegunError(
                f"{self._records.home}: there is nothing to go back to: nothing was installed by keywatch"
            )
        file, old = str(last.get("file", "")), str(last.get("old", ""))
        target = self._providers / file
        if not file or Path(file).name != file:
            raise NotBegunError(f"{self._records.installed}: names no file of providers")
        change = Change("rollback", file, old, sha256_of(target) if target.exists() else "")
        if change.new != str(last.get("new", "")):
            raise NotBegunError(
                f"{target}: is no longer what keywatch put there; remove {self._records.previous} to go on"
            )
        try:
            self._records.note(change, "going back")
        except OSError as error:
            raise NotBegunError(f"{error.filename}: {error.strerror}; nothing was changed") from None
        self._undo(change, "rollback")

    def _begin(self, change: Change) -> None:
        probe = self._incoming(change.file)
        try:
            new_file(probe).close()
            probe.unlink()
            self._records.note(change, "staging")
        except OSError as error:
            raise NotBegunError(f"{error.filename}: cannot be written: {error.strerror}; nothing was changed") from None

    @contextlib.contextmanager
    def _unchanged(self, change: Change) -> Iterator[None]:
        """Leave nothing behind where what comes before the first change fails."""
        try:
            yield
        except OSError as error:
            self._incoming(change.file).unlink(missing_ok=True)
            shutil.rmtree(self._records.undo, ignore_errors=True)
            self._records.ended()
            full = error.errno in {errno.ENOSPC, errno.EDQUOT}
            words = "there is no room" if full else error.strerror
            raise NotBegunError(f"{error.filename or self._providers}: {words}; nothing was changed") from None

    def _stage(self, jar: Path, change: Change) -> None:
        """Copy the jar beside its place, under a name that Keycloak passes over, if it is what was checked."""
        incoming = self._incoming(change.file)
        with jar.open("rb") as source, new_file(incoming) as copy:
            while data := source.read(_CHUNK):
                copy.write(data)
            copy.flush()
            os.fchmod(copy.fileno(), 0o644)
            _owned_like(incoming, self._providers)
            os.fsync(copy.fileno())
        if sha256_of(incoming) != change.new:
            raise OSError(errno.EIO, "it changed while it was copied", str(jar))

    def _keep(self, target: Path) -> None:
        """Keep what is there and what was built with it."""
        undo = self._records.undo
        shutil.rmtree(undo, ignore_errors=True)
        undo.mkdir()
        if target.exists():
            _link(target, undo / "provider.jar")
        if self._built.is_dir():
            _copy(self._built, undo / "quarkus")
        sync(undo)

    def _end(self, change: Change) -> None:
        """Make what undid the change what a rollback goes back to."""
        if self._records.undo.is_dir():
            shutil.rmtree(self._records.previous, ignore_errors=True)
            self._records.undo.rename(self._records.previous)
        data = {"file": change.file, "old": change.old, "new": change.new}
        write(self._records.installed, json.dumps(data).encode())
        self._records.ended()

    def _undo(self, change: Change, why: str) -> None:
        """Put back what was there. May be begun again after a kill; raises `ChangeError` where it cannot be ended."""
        began = change.step
        restart = began in {"restarting", "verifying", "going back"}
        built = restart or began == "building"
        target, undo = self._providers / change.file, self._records.undo
        try:
            if began == "going back" and self._records.previous.is_dir():
                shutil.rmtree(undo, ignore_errors=True)
                self._records.previous.rename(undo)
            self._incoming(change.file).unlink(missing_ok=True)
            kept = undo / "provider.jar"
            if began not in {"staging", "keeping"}:
                if change.old and kept.exists():
                    if not target.exists() or sha256_of(target) != change.old:
                        beside = self._incoming(change.file)
                        _link(kept, beside)
                        beside.replace(target)
                elif not change.old:
                    target.unlink(missing_ok=True)
                sync(self._providers)
            if built and (undo / "quarkus").is_dir():
                self._put_back_built(undo / "quarkus")
        except OSError as error:
            raise ChangeError(
                f"{error.filename}: {error.strerror}; the change is half undone: `keywatch listener rollback` goes on"
            ) from None
        if restart:
            self._do.recovered()
        self._records.note(change, "cleaning")
        self._clean(change)
        self._do.say(self._records.audit(change, "done" if why == "rollback" else f"undone: {why}"))

    def _clean(self, change: Change) -> None:
        """Throw away what undid the change, which is of no use in half."""
        shutil.rmtree(self._records.undo, ignore_errors=True)
        if change.action == "rollback":
            self._records.installed.unlink(missing_ok=True)
        self._records.ended()

    def _put_back_built(self, kept: Path) -> None:
        coming, gone = (self._built.with_name(f"quarkus.keywatch-{word}") for word in ("new", "old"))
        shutil.rmtree(coming, ignore_errors=True)
        _copy(kept, coming)
        shutil.rmtree(gone, ignore_errors=True)
        if self._built.exists():
            self._built.rename(gone)
        coming.rename(self._built)
        sync(self._built.parent)
        shutil.rmtree(gone, ignore_errors=True)

    def _incoming(self, file: str) -> Path:
        return self._providers / f".{file}.{_INCOMING}"


def _copy(source: Path, target: Path) -> None:
    """Copy a folder with its owners, and have it survive the machine's fall."""
    shutil.copytree(source, target)
    for path in (source, *source.rglob("*")):
        copied = target / path.relative_to(source)
        _owned_like(copied, path)
        sync(copied)


def _owned_like(path: Path, other: Path) -> None:
    """Give a file to the owner of another, which only root can and need do: Keycloak is to build there again."""
    if os.geteuid() == 0:
        found = other.stat()
        os.chown(path, found.st_uid, found.st_gid)


def _link(source: Path, target: Path) -> None:
    """Give a file a second name, or copy it with its time, which Keycloak compares, where that cannot be."""
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
        with target.open("rb") as file:
            os.fsync(file.fileno())
