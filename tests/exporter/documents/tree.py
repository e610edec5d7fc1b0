"""The files of the source tree that people read or run, without what was installed or built in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[3]
_MADE: Final = frozenset({"build", "dist", "node_modules", "venv", "__pycache__"})


def files(*patterns: str) -> Iterator[Path]:
    """Return the files whose names fit one of the patterns, by path."""
    for path in sorted(ROOT.iterdir()):
        yield from _below(path, patterns)


def _below(path: Path, patterns: tuple[str, ...]) -> Iterator[Path]:
    if path.name in _MADE or path.is_symlink() or (path.name.startswith(".") and path.name != ".ci"):
        return
    if path.is_dir():
        for inner in sorted(path.iterdir()):
            yield from _below(inner, patterns)
    elif any(path.match(pattern) for pattern in patterns):
        yield path
