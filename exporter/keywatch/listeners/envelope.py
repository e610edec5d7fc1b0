"""Reads a few fields of a JSON object and builds nothing of all the rest, however much or deep it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any

import msgspec

from keywatch.listeners.profile import MalformedReason

_ABSENT = "absent"
_Tree = dict[str, Any]  # a field's name → the place of its value in the result, or the tree of its fields


class EnvelopeError(Exception):
    """The bytes are no JSON object that the fields can be taken from."""

    def __init__(self, reason: MalformedReason) -> None:
        super().__init__(reason)
        self.reason = reason


class Envelope:
    """A reader of the fields at `paths` (names joined by dots; None gives None), in that order.

    Raises `ValueError` when one path leads through another.
    """

    def __init__(self, paths: Sequence[str | None]) -> None:
        tree: _Tree = {}
        for path in paths:
            if path is not None:
                _plant(tree, path)
        shape = _shape(tree)
        self._decode: Callable[[bytes], Any] = msgspec.json.Decoder(shape).decode
        self._take: Callable[[Any], tuple[Any, ...]] = attrgetter(*(_place(tree, path) for path in paths))

    def parse(self, value: bytes) -> tuple[Any, ...]:
        """Return the values at the paths, None for what is missing or null; raises `EnvelopeError`."""
        # The decoder passes over the text of all other fields without looking whether it is UTF-8.
        if not value.isascii() and not _is_utf8(value):
            raise EnvelopeError(MalformedReason.NOT_UTF8)
        try:
            return self._take(self._decode(value))
        except msgspec.ValidationError:
            raise EnvelopeError(_refused(value)) from None
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise EnvelopeError(MalformedReason.NOT_JSON) from None
        except RecursionError:
            raise EnvelopeError(MalformedReason.TOO_DEEP) from None


def _plant(tree: _Tree, path: str) -> None:
    first, _, rest = path.partition(".")
    if not first or path.endswith("."):
        raise ValueError(f"{path!r} is not a field's name, or names joined by dots")
    if not rest:
        if tree.setdefault(first, None) is not None:
            raise ValueError(f"{path!r} is a field and leads to others")
        return
    inner = tree.setdefault(first, {})
    if inner is None:
        raise ValueError(f"{first!r} is a field and leads to others")
    _plant(inner, rest)


def _shape(tree: Mapping[str, Any]) -> type[msgspec.Struct]:
    """Make the class that the decoder fills; its attributes are numbered, since JSON's names may be anything."""
    fields: list[tuple[str, Any, Any]] = []
    names: dict[str, str] = {}
    for number, (name, inner) in enumerate(tree.items()):
        attribute = f"f{number}"
        names[attribute] = name
        if inner is None:
            fields.append((attribute, object, None))
        else:
            shape = _shape(inner)
            fields.append((attribute, shape, msgspec.field(default_factory=shape)))
    return msgspec.defstruct("Envelope", fields, rename=names, namespace={_ABSENT: None}, gc=False)


def _place(tree: Mapping[str, Any], path: str | None) -> str:
    if path is None:
        return _ABSENT
    first, _, rest = path.partition(".")
    attribute = f"f{list(tree).index(first)}"
    return f"{attribute}.{_place(tree[first], rest)}" if rest else attribute


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _refused(value: bytes) -> MalformedReason:
    """Name why the decoder refused what it got: it does so before it has seen whether the rest is JSON."""
    try:
        msgspec.json.decode(value, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return MalformedReason.NOT_JSON
    except RecursionError:
        return MalformedReason.TOO_DEEP
    # Of an object it refuses a wanted number beyond all bounds, and a field that should lead to others.
    return MalformedReason.FIELD_TYPE if value.lstrip()[:1] == b"{" else MalformedReason.NOT_OBJECT
