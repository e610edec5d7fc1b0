"""Which letters are meant: by time, reason, realm, type, partition, offset and key."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from keywatch.probes.dead_letters.letter import DeadLetterReason, Sources
from keywatch.redrive.letter import Letter

_MOST_PARSED = 1 << 20


@dataclass(frozen=True, slots=True)
class Selection:
    """What is empty or None does not matter; moments are milliseconds since 1970, ranges include both ends."""

    since: int | None = None
    until: int | None = None
    reasons: frozenset[DeadLetterReason] = frozenset()
    realm: str = ""
    type: str = ""
    key: bytes | None = None
    partitions: frozenset[int] = frozenset()
    offsets: tuple[int, int] | None = None
    file: str = ""

    @property
    def everything(self) -> bool:
        """Whether every letter is meant."""
        return self == Selection()

    def __contains__(self, letter: Letter) -> bool:
        """Return whether the letter is meant, but for its reason, which `meant` looks at."""
        place, raw = letter.place, letter.raw
        if self.partitions and place.partition not in self.partitions:
            return False
        if self.offsets is not None and not self.offsets[0] <= place.offset <= self.offsets[1]:
            return False
        if self.file and place.file != self.file:
            return False
        if self.key is not None and letter.key != self.key:
            return False
        written = raw.timestamp
        if self.since is not None and (written is None or written < self.since):
            return False
        if self.until is not None and (written is None or written > self.until):
            return False
        return not (self.realm or self.type) or self._of_event(letter)

    def meant(self, letter: Letter, sources: Sources) -> bool:
        """Return whether the letter is meant."""
        if letter not in self:
            return False
        return not self.reasons or sources.of_record(letter.raw.headers, letter.raw.value) in self.reasons

    def _of_event(self, letter: Letter) -> bool:
        realms, types = event_names(letter)
        return (not self.realm or self.realm in realms) and (not self.type or self.type in types)

    def words(self) -> str:
        """Say what is meant, as the audit trail keeps it."""
        parts: list[str] = []
        named = {name: getattr(self, name) for name in ("since", "until", "realm", "type", "file")}
        parts += [f"{name}={value}" for name, value in named.items() if value not in (None, "")]
        if self.reasons:
            parts.append("reason=" + ",".join(sorted(self.reasons)))
        if self.key is not None:
            parts.append("key given")  # a key may name a person
        if self.partitions:
            parts.append("partition=" + ",".join(map(str, sorted(self.partitions))))
        if self.offsets is not None:
            parts.append(f"offset={self.offsets[0]}-{self.offsets[1]}")
        return " ".join(parts) or "all"


def event_names(letter: Letter) -> tuple[set[str], set[str]]:
    """Return the names of the realm and of the type that an event gives; empty for what is no event."""
    found: list[Any] = [_object(letter.value)]
    if letter.raw.value is not letter.value:
        found.append(_object(letter.raw.value))
    realms: set[str] = set()
    types: set[str] = set()
    for one in found:
        for names, keys in ((realms, ("realmId", "realmName", "realm")), (types, _TYPES)):
            names.update(one[key] for key in keys if isinstance(one.get(key), str))
    return realms, types


_TYPES = ("type", "eventType", "operationType")


def _object(value: bytes | None) -> dict[str, Any]:
    if not value or len(value) > _MOST_PARSED or value.lstrip()[:1] != b"{":
        return {}
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
