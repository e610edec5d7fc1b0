"""A Keycloak distribution's folder: its version, and the classes that it gives a provider jar."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from keywatch.config.files import FileError, contents
from keywatch.provider.archive import Archive, ArchiveError, Entry

_CLASS = ".class"
_MOST_JARS: Final = 2_000
_MOST_VERSION_BYTES: Final = 4_096


class DistributionError(Exception):
    """A folder is no Keycloak, or cannot be read; the message names the file."""


class Place(NamedTuple):
    """Where a class stands."""

    archive: Archive
    entry: Entry


class Distribution:
    """An open Keycloak; raises `DistributionError` when it is made. `leave_out` is the provider that is replaced."""

    def __init__(self, home: Path, leave_out: str = "") -> None:
        self.home = home
        main = home / "lib" / "lib" / "main"
        if not main.is_dir():
            raise DistributionError(f"{home}: is no Keycloak distribution: there is no folder lib/lib/main")
        self.version = _version(home)
        self._archives: list[Archive] = []
        try:
            self.boot = self._classes(home / "lib" / "lib" / "boot")
            """Classes that win over a provider's."""
            self.main = self._classes(main)
            """Keycloak's other classes, which a provider's win over."""
            jars = sorted(path for path in (home / "providers").glob("*.jar") if path.name != leave_out)
            self.provider_jars = jars
            self.providers = self._classes(home / "providers", jars)
            """Classes of the other providers."""
        except BaseException:
            self.close()
            raise

    def read(self, place: Place, name: str) -> bytes:
        """Return a class file; raises `DistributionError` where it is damaged."""
        try:
            return place.archive.unpack(place.entry, name)
        except ArchiveError as error:
            raise DistributionError(f"{place.archive.path}: {error}") from None

    def main_classes(self, first: tuple[str, ...]) -> Iterator[tuple[str, Place]]:
        """Return Keycloak's own classes jar by jar, those first whose jar's name holds one of `first`."""

        def turn(archive: Archive) -> tuple[bool, str]:
            return not any(word in archive.path.name for word in first), archive.path.name

        by_archive: dict[Archive, list[tuple[str, Place]]] = {}
        for name, place in self.main.items():
            by_archive.setdefault(place.archive, []).append((name, place))
        for archive in sorted(by_archive, key=turn):
            archive.hold()
            try:
                yield from by_archive[archive]
            finally:
                archive.let_go()

    def close(self) -> None:
        """Close its files."""
        for archive in self._archives:
            archive.close()

    def _classes(self, folder: Path, jars: list[Path] | None = None) -> dict[str, Place]:
        found: dict[str, Place] = {}
        paths = sorted(folder.glob("*.jar")) if jars is None else jars
        if len(paths) > _MOST_JARS:
            raise DistributionError(f"{folder}: has {len(paths):,} jars; {_MOST_JARS:,} are read at most")
        for path in paths:
            try:
                archive = Archive(path)
            except ArchiveError as error:
                raise DistributionError(f"{path}: {error}") from None
            except OSError as error:
                raise DistributionError(f"{path}: cannot be read: {error.strerror}") from None
            self._archives.append(archive)
            for name, entry in archive.entries.items():
                if name.endswith(_CLASS) and not name.startswith("META-INF/"):
                    found.setdefault(name.removesuffix(_CLASS), Place(archive, entry))
            archive.forget()
        return found


def _version(home: Path) -> str:
    try:
        words = contents(home / "version.txt", _MOST_VERSION_BYTES).decode("utf-8", "replace")
    except FileError:
        words = ""
    found = re.search(r"\d+\.\d+\.\d+[\w.-]*", words)
    if found is None:
        jars = (
            re.search(r"keycloak-services-(\d[\w.-]*)\.jar$", path.name)
            for path in (home / "lib" / "lib" / "main").glob("*keycloak-services-*.jar")
        )
        found = next((match for match in jars if match), None)
        return found[1] if found else "of unknown version"
    return found[0]
