"""Strings, numbers and durations as Go writes them, which PromQL, its durations and templates share."""

from __future__ import annotations

import re
from typing import Final

_INTEGER = re.compile(
    r"[+-]?(?:0[xX](?:_?[0-9a-fA-F])+|0[bB](?:_?[01])+|0[oO](?:_?[0-7])+|0(?:_?[0-7])*|[1-9](?:_?[0-9])*)"
)
_DECIMAL = re.compile(r"[+-]?(?:\d(?:_?\d)*\.?(?:\d(?:_?\d)*)?|\.\d(?:_?\d)*)(?:[eE][+-]?\d(?:_?\d)*)?")
_HEX = re.compile(
    r"[+-]?0[xX]_?(?:[0-9a-fA-F](?:_?[0-9a-fA-F])*\.?(?:[0-9a-fA-F](?:_?[0-9a-fA-F])*)?|\.[0-9a-fA-F](?:_?[0-9a-fA-F])*)"
    r"[pP][+-]?\d(?:_?\d)*"
)
_WORDS = re.compile(r"[+-]?(?:inf|infinity|nan)", re.IGNORECASE)
_SIMPLE: Final = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "\\": 92}
_HEX_DIGITS: Final = {"x": 2, "u": 4, "U": 8}
_DURATION = re.compile(r"(\d+)([^\d]+)", re.ASCII)
_UNITS: Final = {
    "y": 31_536_000_000,
    "w": 604_800_000,
    "d": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1000,
    "ms": 1,
}
_LONGEST_MILLISECONDS: Final = (2**63 - 1) // 1_000_000


class LiteralError(ValueError):
    """What stands there is no such literal; the text says why."""


def integer(text: str) -> int:
    """Read a whole number of any base, without bounds; raises `LiteralError`."""
    if _INTEGER.fullmatch(text) is None:
        raise LiteralError(f"{text} is no whole number")
    plain = text.replace("_", "")
    digits = plain.lstrip("+-")
    base = 10
    if len(digits) > 1 and digits[0] == "0":
        base = {"x": 16, "b": 2, "o": 8}.get(digits[1].lower(), 8)
    return int(plain, base)


def number(text: str) -> float:
    """Read a whole number of any base that fits 64 bits, or else a float; raises `LiteralError`."""
    try:
        found = integer(text)
    except LiteralError:
        pass
    else:
        if -(2**63) <= found < 2**63:
            return float(found)
    return floating(text)


def floating(text: str) -> float:
    """Read a float; raises `LiteralError` when it is none or too large."""
    plain = text.replace("_", "")
    if _WORDS.fullmatch(text):
        return float(text)
    if _DECIMAL.fullmatch(text):
        found = float(plain)
    elif _HEX.fullmatch(text):
        try:
            found = float.fromhex(plain)
        except OverflowError:
            found = float("inf")
    else:
        raise LiteralError(f"{text} is no number")
    if found in {float("inf"), float("-inf")}:
        raise LiteralError(f"the number {text} is too large")
    return found


def seconds(text: str) -> float:
    """Read a duration such as `1h30m`, units from large to small; raises `LiteralError`."""
    if text == "0":
        return 0.0
    if not text:
        raise LiteralError("the duration is empty")
    total, place, last = 0, 0, -1
    units = list(_UNITS)
    while place < len(text):
        found = _DURATION.match(text, place)
        if found is None:
            raise LiteralError(f"{text[:40]!r} is no duration; write 90s, 5m, 1h30m")
        amount, unit = found.groups()
        if unit not in _UNITS:
            raise LiteralError(f"{text[:40]!r} has the unit {unit[:10]!r}; units are y, w, d, h, m, s, ms")
        if units.index(unit) <= last:
            raise LiteralError(f"{text[:40]!r} must go from large units to small ones, each once")
        if len(amount) > 20:
            raise LiteralError(f"the duration {text[:40]!r} is too long")
        last = units.index(unit)
        total += int(amount) * _UNITS[unit]
        place = found.end()
    if total > _LONGEST_MILLISECONDS:
        raise LiteralError(f"the duration {text[:40]!r} is too long")
    return total / 1000


def unquoted(text: str) -> str:
    r"""Return what a literal in double, single or back quotes means; bytes that are no UTF-8 become surrogates.

    Raises `LiteralError`.
    """
    quote = text[:1]
    if len(text) < 2 or quote not in {'"', "'", "`"} or text[-1] != quote:
        raise LiteralError("a text has no end")
    inner = text[1:-1]
    if quote == "`":
        return inner
    if "\n" in inner:
        raise LiteralError("a quoted text must not go over a line's end")
    if "\\" not in inner:
        return inner
    parts: list[bytes] = []
    place = 0
    while place < len(inner):
        slash = inner.find("\\", place)
        if slash < 0:
            parts.append(inner[place:].encode("utf-8", "surrogateescape"))
            break
        parts.append(inner[place:slash].encode("utf-8", "surrogateescape"))
        data, place = escape(inner, slash + 1, quote)
        parts.append(data)
    return b"".join(parts).decode("utf-8", "surrogateescape")


def escape(text: str, place: int, quote: str) -> tuple[bytes, int]:
    r"""Read what follows a backslash and return its bytes and the place behind it; raises `LiteralError`."""
    sign = text[place : place + 1]
    if sign == quote:
        return sign.encode(), place + 1
    if sign in _SIMPLE:
        return bytes([_SIMPLE[sign]]), place + 1
    if sign in _HEX_DIGITS:
        size = _HEX_DIGITS[sign]
        digits = text[place + 1 : place + 1 + size]
        if re.fullmatch(rf"[0-9a-fA-F]{{{size}}}", digits) is None:
            raise LiteralError(f"the escape \\{sign}{digits} needs {size} hexadecimal digits")
        value = int(digits, 16)
        if sign == "x":
            return bytes([value]), place + 1 + size
        if value > 0x10FFFF or 0xD800 <= value < 0xE000:
            raise LiteralError(f"the escape \\{sign}{digits} is no letter of Unicode")
        return chr(value).encode(), place + 1 + size
    if sign and sign in "01234567":
        digits = text[place : place + 3]
        if re.fullmatch(r"[0-3][0-7]{2}", digits) is None:
            raise LiteralError(f"the escape \\{digits} needs three octal digits up to 377")
        return bytes([int(digits, 8)]), place + 3
    raise LiteralError(f"unknown escape sequence \\{sign}" if sign else "a text ends with a backslash")
