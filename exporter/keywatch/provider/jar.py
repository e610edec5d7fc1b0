"""A provider jar: its classes as the Java in use sees them, its manifest and the files that name its services."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from keywatch.provider.archive import Archive, Entry
from keywatch.provider.manifest import MANIFEST, main_section

_CLASS = ".class"
_SERVICES = "META-INF/services/"
_MOST_SERVICES_BYTES: Final = 65_536
_MOST_SERVICES: Final = 500


class Jar:
    """An open provider jar. Raises `ArchiveError` and `OSError` when it is made, `ArchiveError` when it is read."""

    def __init__(self, path: Path, release: int) -> None:
        self.archive = Archive(path)
        self.manifest = self._manifest()
        self.multi_release = self.manifest.get("multi-release", "").lower() == "true"
        self.classes: Mapping[str, tuple[str, Entry]] = self._seen_by(release)
        """Each class by its name, such as `org/example/Factory`, with the entry that holds it."""

    @property
    def entries(self) -> Mapping[str, Entry]:
        """All that is in it."""
        return self.archive.entries

    def __contains__(self, name: str) -> bool:
        """Return whether it has a class."""
        return name in self.classes

    def read(self, name: str) -> bytes:
        """Return a class file; raises `KeyError` where there is none."""
        where, entry = self.classes[name]
        return self.archive.unpack(entry, where)

    def services(self) -> dict[str, list[str]]:
        """Return the classes that each file of services names, by the interface that they are to have."""
        found = {}
        for name, entry in sorted(self.entries.items()):
            if not name.startswith(_SERVICES) or entry.size > _MOST_SERVICES_BYTES:
                continue
            lines = self.archive.read(name).decode("utf-8", "backslashreplace").splitlines()
            words = [line.partition("#")[0].strip() for line in lines]
            found[name.removeprefix(_SERVICES)] = [word for word in words if word][:_MOST_SERVICES]
        return found

    def close(self) -> None:
        """Close the file."""
        self.archive.close()

    def _manifest(self) -> dict[str, str]:
        return main_section(self.archive.read(MANIFEST)) if MANIFEST in self.archive.entries else {}

    def _seen_by(self, release: int) -> dict[str, tuple[str, Entry]]:
        """Take of each class the newest version that the release may have (JEP 238)."""
        found: dict[str, tuple[int, str, Entry]] = {}
        for name, entry in self.entries.items():
            if not name.endswith(_CLASS) or name.endswith("module-info.class"):
                continue
            version, inner = 8, name
            if name.startswith("META-INF/"):
                match = re.match(r"META-INF/versions/(\d{1,3})/(?!META-INF/)(.+)", name) if self.multi_release else None
                if match is None or int(match[1]) > release:
                    continue
                version, inner = int(match[1]), match[2]
            called = inner.removesuffix(_CLASS)
            if called not in found or found[called][0] < version:
                found[called] = (version, name, entry)
        return {called: (name, entry) for called, (_, name, entry) in found.items()}
