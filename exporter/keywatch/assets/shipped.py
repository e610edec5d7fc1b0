"""Where the files lie that come with keywatch: in the package, or in the source tree that it runs from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

_PACKAGED: Final = Path(__file__).parent / "files"
_SOURCES: Final = Path(__file__).parents[3]
FOLDERS: Final = ("alerts", "dashboards/json", "deploy/grafana", "docs", "logstash")
"""Folders of the source tree; pyproject.toml names the same for the wheel."""


def base() -> Path:
    """Return the folder in which they lie as in the source tree."""
    return _PACKAGED if _PACKAGED.is_dir() else _SOURCES


def files(only: str = "") -> Iterator[tuple[str, Path]]:
    """Return the files, or those of one folder, by their path below the tree, or below that folder."""
    root = base()
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            name = path.relative_to(root).as_posix()
            if path.is_file() and not any(part.startswith((".", "__pycache__")) for part in Path(name).parts):
                if not only:
                    yield name, path
                elif name.startswith(f"{only}/"):
                    yield name.removeprefix(f"{only}/"), path


def folders() -> list[str]:
    """Name the folders that hold files."""
    found = {parent.as_posix() for name, _ in files() for parent in Path(name).parents}
    return sorted(found - {"."})
