"""An event of the model: fields by reference, as Logstash's event API has them."""

from __future__ import annotations

import copy
import re
from typing import Any

_PARTS = re.compile(r"\[([^\[\]]+)\]")
_SPRINTF = re.compile(r"%\{([^}]+)\}")

Path = tuple[str, ...]
_ABSENT = object()


def path_of(reference: str) -> Path:
    """Return the keys of a field reference; one without brackets is a single key."""
    return tuple(_PARTS.findall(reference)) if reference.startswith("[") else (reference,)


class Event:
    """Fields and metadata, and whether a filter dropped it."""

    __slots__ = ("data", "dropped")

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data
        self.dropped = False

    def get(self, path: Path) -> Any:
        """Return the value, None where there is none."""
        found = self.look(path)
        return None if found is _ABSENT else found

    def has(self, path: Path) -> bool:
        """Return whether the field is there, be it null."""
        return self.look(path) is not _ABSENT

    def look(self, path: Path) -> Any:
        """Return the value or a mark of its absence; a list has its entries under their numbers."""
        found: Any = self.data
        for key in path:
            if isinstance(found, dict):
                if key not in found:
                    return _ABSENT
                found = found[key]
            elif isinstance(found, list) and key.isdigit() and int(key) < len(found):
                found = found[int(key)]
            else:
                return _ABSENT
        return found

    def set(self, path: Path, value: Any) -> None:
        """Put the value there, making what leads to it; refuses to go through a scalar, as Logstash does."""
        found = self.data
        for key in path[:-1]:
            inner = found.setdefault(key, {})
            if not isinstance(inner, dict):
                raise TypeError(f"{path} leads through a value")
            found = inner
        found[path[-1]] = value

    def remove(self, path: Path) -> Any:
        """Take the field out and give its value; an object that gets empty stays."""
        parent = self.get(path[:-1]) if path[:-1] else self.data
        return parent.pop(path[-1], None) if isinstance(parent, dict) else None

    def tag(self, tag: str) -> None:
        """Add a tag once."""
        tags = self.data.setdefault("tags", [])
        if tag not in tags:
            tags.append(tag)

    def sprintf(self, text: str) -> str:
        """Put fields in for `%{…}`; what is missing stays as it is written."""
        if "%{" not in text:
            return text

        def value(found: re.Match[str]) -> str:
            put = self.get(path_of(found[1]))
            return found[0] if put is None else str(put)

        return _SPRINTF.sub(value, text)

    def document(self) -> dict[str, Any]:
        """Return what an output would write: everything but the metadata."""
        return {key: value for key, value in self.data.items() if key != "@metadata"}


def cloned(value: Any) -> Any:
    """Copy a value with all that is in it."""
    return copy.deepcopy(value) if isinstance(value, dict | list) else value
