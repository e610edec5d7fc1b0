"""Reads single metrics out of a page of Prometheus' or OpenMetrics' text, in time that grows with its length alone."""

from __future__ import annotations

import re
from collections.abc import Iterator

# Each part takes what it can and gives none of it back, so that no line is looked at twice however it is made.
_PAIR = rb'[ \t]*+[A-Za-z_][A-Za-z0-9_]*+[ \t]*+=[ \t]*+"[^"\\]*+(?:\\.[^"\\]*+)*+"[ \t]*+'
_SAMPLE = re.compile(
    rb"(?:\{((?:" + _PAIR + rb"(?:," + _PAIR + rb")*+,?+)?+)[ \t]*+\})?+[ \t]++([^ \t]++)(?:[ \t].*+)?+"
)
_LABEL = re.compile(rb'([A-Za-z_][A-Za-z0-9_]*+)[ \t]*+=[ \t]*+"([^"\\]*+(?:\\.[^"\\]*+)*+)"')
_NUMBER = re.compile(rb"[+-]?+[0-9]{1,25}+(?:\.[0-9]{0,25}+)?+(?:[eE][+-]?+[0-9]{1,3}+)?+")
_ESCAPED = re.compile(rb"\\(.)")
_NAMES_ON = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_:")
# What a person reads of a line that is malformed.
_SHOWN = 120


def lines_of(page: bytes, start: bytes) -> Iterator[bytes]:
    """Give the rest of each line that begins with `start`, a name or the beginning of a comment that ends with one."""
    at = page.find(start)
    while at >= 0:
        after = at + len(start)
        end = page.find(b"\n", after)
        end = len(page) if end < 0 else end
        begins_line = not at or page[at - 1] == 0x0A
        if begins_line and (after == end or page[after] not in _NAMES_ON):
            yield page[after:end].rstrip(b"\r")
        at = page.find(start, end if begins_line else after)


def sample_of(line: bytes) -> tuple[bytes, bytes] | None:
    """Return the label set, without braces, and the value of a sample's line behind its name; None: it is none."""
    match = _SAMPLE.fullmatch(line)
    return (match[1] or b"", match[2]) if match is not None else None


def labels_of(text: bytes) -> dict[str, str] | None:
    """Read a label set that `sample_of` gave; None for one that names a label twice. Empty ones are left out."""
    pairs = [(name.decode(), _plain(value)) for name, value in _LABEL.findall(text)]
    labels = dict(pairs)
    return {name: value for name, value in labels.items() if value} if len(labels) == len(pairs) else None


def number_of(text: bytes) -> float | None:
    """Read a value; None for NaN, for what is infinite, and for what is no number."""
    if _NUMBER.fullmatch(text) is None:
        return None
    number = float(text)
    return number if abs(number) != float("inf") else None


def type_of(page: bytes, family: bytes) -> str:
    """Return the type that the page gives to a metric; empty when it says none."""
    for line in lines_of(page, b"# TYPE " + family):
        return line.strip().decode("ascii", "replace").lower()[:_SHOWN]
    return ""


def shown(line: bytes) -> str:
    """Return a line as it may stand in a message: printable, and not long."""
    text = ascii(line[:_SHOWN].decode("utf-8", "replace"))[1:-1]
    return f"{text}…" if len(line) > _SHOWN else text


def _plain(value: bytes) -> str:
    if b"\\" in value:
        value = _ESCAPED.sub(lambda match: b"\n" if match[1] == b"n" else match[1], value)
    return value.decode("utf-8", "replace")
