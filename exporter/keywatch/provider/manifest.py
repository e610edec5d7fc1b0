"""Reads a jar's manifest and the signature files that have its form, as the JAR File Specification lays them down."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from keywatch.provider.archive import ArchiveError

MANIFEST: Final = "META-INF/MANIFEST.MF"
_MOST_BYTES: Final = 32 * 1024 * 1024
_MOST_SECTIONS: Final = 200_000


class Section(NamedTuple):
    """A section: its attributes with names in small letters, and its bytes, the empty line after it included."""

    attributes: dict[str, str]
    raw: bytes


def sections(data: bytes) -> Iterator[Section]:
    """Return the sections, the main one first. Raises `ArchiveError` for more than is bearable."""
    if len(data) > _MOST_BYTES:
        raise ArchiveError(f"{MANIFEST}: has {len(data):,} bytes; {_MOST_BYTES:,} are read at most")
    begin = count = 0
    lines: list[bytes] = []
    for line in data.splitlines(keepends=True):
        lines.append(line)
        if line.strip(b"\r\n"):
            continue
        raw = b"".join(lines)
        if len(lines) > 1 or not begin:
            yield Section(_attributes(lines), raw)
            count += 1
        if count > _MOST_SECTIONS:
            raise ArchiveError(f"{MANIFEST}: has more than {_MOST_SECTIONS:,} sections")
        begin, lines = 1, []
    if lines:
        yield Section(_attributes(lines), b"".join(lines))


def main_section(data: bytes) -> dict[str, str]:
    """Return the attributes of the first section, with names in small letters."""
    return next(sections(data), Section({}, b"")).attributes


def _attributes(lines: list[bytes]) -> dict[str, str]:
    found: dict[str, str] = {}
    joined: list[bytes] = []
    for line in lines:
        words = line.rstrip(b"\r\n")
        if words.startswith(b" ") and joined:
            joined[-1] += words[1:]  # a line of 72 bytes goes on in the next
        elif words:
            joined.append(words)
    for words in joined:
        name, _, value = words.decode("utf-8", "backslashreplace").partition(":")
        found[name.strip().lower()] = value.strip()
    return found
