"""Writes shipped files into a folder, and renews them there after an upgrade without touching what somebody changed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

LEDGER: Final = ".keywatch-assets.json"
"""In the folder: which folder of the shipped ones it holds, and the digest of each file as it was written."""
_MOST_BYTES: Final = 1024 * 1024


class ExportError(Exception):
    """The folder cannot be used; the text says why."""


@dataclass
class Exported:
    """What was done, by path below the folder; `kept` are those that somebody changed, which stay as they are."""

    written: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    same: int = 0
    kept: list[str] = field(default_factory=list)


def export(folder: Path, wanted: Mapping[str, bytes], only: str, *, force: bool) -> Exported:
    """Have the folder hold these files, of the shipped folder `only`; `force` replaces those that somebody changed.

    What was written before, is not shipped any more and was not changed is removed: a rule that stays would go on to
    fire. Raises `ExportError` for a folder that holds another one, and `OSError`.
    """
    if folder.exists() and not folder.is_dir():
        raise ExportError(f"{folder}: is no folder")
    before = _read(folder, only)
    done = Exported()
    after = {name: digest for name, digest in before.items() if name not in wanted}
    for name, data in wanted.items():
        path, digest = folder / name, _digest(data)
        found = _found(path)
        if found == digest:
            done.same += 1
        elif found is None or found == before.get(name) or force:
            _write(path, data)
            done.written.append(name)
        else:
            done.kept.append(name)
            if name in before:
                after[name] = before[name]
            continue
        after[name] = digest
        # At once, so that what an end in between leaves is known the next time.
        _write_ledger(folder, only, {**before, **after})
    for name in [name for name in before if name not in wanted]:
        found = _found(folder / name)
        if found == before[name] or (found is not None and force):
            (folder / name).unlink()
            done.removed.append(name)
        elif found is not None:
            done.kept.append(name)
            continue
        del after[name]
    _write_ledger(folder, only, after)
    return done


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _found(path: Path) -> str | None:
    """Return the digest of what stands there, empty for what is no plain file; None when nothing does."""
    if path.is_symlink():
        return ""
    if not path.exists():
        return None
    return _digest(path.read_bytes()) if path.is_file() else ""


def _read(folder: Path, only: str) -> dict[str, str]:
    try:
        data = (folder / LEDGER).read_bytes()[:_MOST_BYTES]
    except (FileNotFoundError, NotADirectoryError):
        return {}
    try:
        ledger = json.loads(data)
        held, names = str(ledger["folder"]), dict(ledger["files"])
    except (ValueError, KeyError, TypeError) as error:
        raise ExportError(f"{folder / LEDGER}: is none of keywatch's; remove it to begin anew") from error
    if held != only:
        held, only = (f"the folder {name}" if name else "all folders" for name in (held, only))
        raise ExportError(f"{folder}: holds {held}, not {only}; give each a place of its own")
    return {name: str(digest) for name, digest in names.items() if _inside(name)}


def _inside(name: object) -> bool:
    """Return whether a path of the ledger, which anybody may have written, stays in its folder."""
    return isinstance(name, str) and bool(name) and not name.startswith("/") and ".." not in PurePosixPath(name).parts


def _write_ledger(folder: Path, only: str, names: Mapping[str, str]) -> None:
    text = json.dumps({"folder": only, "files": dict(sorted(names.items()))}, indent=1)
    _write(folder / LEDGER, f"{text}\n".encode())


def _write(path: Path, data: bytes) -> None:
    """Write beside and rename, so that nobody reads half of it and a full disk leaves what was there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.chmod(beside, 0o644)  # noqa: PTH101 - a descriptor's name, no path of ours
        os.replace(beside, path)  # noqa: PTH105
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(beside)  # noqa: PTH108
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
