"""Writes files that follow from code or from other files, and tells which of them do not any more."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path


def renew(texts: Iterable[tuple[Path, str]], *, check: bool, among: Iterable[Path] = ()) -> list[str]:
    """Write each text to its path and remove what else is `among`; with `check` change nothing.

    Returns the paths that held something else, or belong to nothing any more.
    """
    stale, wanted = [], set()
    for path, text in texts:
        wanted.add(path)
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(str(path))
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    for path in sorted(set(among) - wanted):
        stale.append(str(path))
        if not check:
            path.unlink()
    return stale


def command(write: Callable[[Path, bool], list[str]]) -> int:
    """Have `write` renew the folder given first, and say what it did; with `--check` exit 1 when something is stale."""
    check = "--check" in sys.argv
    stale = write(Path(sys.argv[1]), check)
    for name in stale:
        print(f"{'stale' if check else 'written'}: {name}")  # noqa: T201 - the command's result
    return 1 if check and stale else 0
