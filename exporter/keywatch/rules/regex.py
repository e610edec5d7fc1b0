r"""Reads regular expressions as RE2 of Go does, which has no backreferences, no look-around, and bounds for repeats."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from keywatch.rules.prometheus import Prometheus
from keywatch.rules.regex_classes import known_class

_MOST_REPEATS: Final = 1000
_DEEPEST: Final = 1000
_MEANING: Final = frozenset("\\.+*?()[]{}^$")
# Instructions of a compiled expression: 128 MB of 40 bytes each.
_LARGEST: Final = (128 << 20) // 40
_REPEAT = re.compile(r"\{(0|[1-9]\d*)(?:(,)(0|[1-9]\d*)?)?\}", re.ASCII)
_FLAGS = re.compile(r"\(\?([imsU]*)(-[imsU]+)?([:)])")
_NAMED = re.compile(r"\(\?P?<([^>]*)>")
_NAME = re.compile(r"\w+", re.ASCII)
_OCTAL = re.compile(r"0[0-7]{0,2}|[1-7][0-7]{1,2}")
_HEX = re.compile(r"x(?:\{([0-9a-fA-F]+)\}|([0-9a-fA-F]{2}))")
_POSIX = re.compile(r"\[:(.*?):\]", re.DOTALL)
_POSIX_NAMES: Final = frozenset(
    {"alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "word"}
    | {"xdigit"}
)


class RegexError(ValueError):
    """This is no expression of RE2; the text says why."""


class _Part(NamedTuple):
    """What has been read of an expression, as far as its bounds and the empty text go."""

    fits_nothing: bool = False
    size: int = 1
    repeats: int = 1
    """The largest product of counts that stand one within another."""
    height: int = 1


@dataclass(slots=True)
class _Group:
    """An open parenthesis: the branches that are complete, and the one that is read."""

    branches: list[list[_Part]]


@lru_cache(maxsize=4096)
def fits_nothing(text: str, prometheus: Prometheus) -> bool:
    """Return whether the expression, held against a whole text, fits the empty one; raises `RegexError`."""
    if prometheus.since(3, 0) and not _MEANING.intersection(text):
        return "" in text.split("|")  # it is not compiled then, so that even bytes that are no UTF-8 pass
    return _Reader(text, prometheus).whole()


class _Reader:
    def __init__(self, text: str, prometheus: Prometheus) -> None:
        self._text = text
        self._for = prometheus
        self._place = 0
        self._open = [_Group([[]])]
        self._after_repeat = False

    def whole(self) -> bool:
        while self._place < len(self._text):
            self._one()
        if len(self._open) > 1:
            raise RegexError("missing closing )")
        return self._closed().fits_nothing

    def _one(self) -> None:
        text, place = self._text, self._place
        sign = text[place]
        repeated, self._after_repeat = self._after_repeat, False
        if sign == "(":
            self._group()
        elif sign == ")":
            if len(self._open) == 1:
                raise RegexError("unexpected )")
            part = self._closed()
            self._open.pop()
            self._push(part._replace(size=part.size + 2, height=part.height + 1))
            self._place += 1
        elif sign == "|":
            self._open[-1].branches.append([])
            self._place += 1
        elif sign in "^$":
            self._push(_Part(fits_nothing=True))
            self._place += 1
        elif sign == "[":
            self._class()
        elif sign in "*+?":
            self._repeat(sign, place + 1, 1, None, repeated=repeated)
        elif sign == "{" and (found := _REPEAT.match(text, place)):
            self._counted(found, repeated=repeated)
        elif sign == "\\":
            self._escape()
        else:
            self._letter(sign)
            self._push(_Part())
            self._place += 1

    def _letter(self, sign: str) -> None:
        if "\ud800" <= sign <= "\udfff":
            raise RegexError("invalid UTF-8")

    def _push(self, part: _Part) -> None:
        if part.height > _DEEPEST:
            raise RegexError("expression nests too deeply")
        if part.size > _LARGEST:
            raise RegexError("expression too large")
        self._open[-1].branches[-1].append(part)

    def _closed(self) -> _Part:
        """Return the group that is read as one part."""
        branches = [_joined(parts) for parts in self._open[-1].branches]
        if len(branches) == 1:
            return branches[0]
        return _Part(
            any(branch.fits_nothing for branch in branches),
            sum(branch.size for branch in branches) + len(branches) - 1,
            max(branch.repeats for branch in branches),
            max(branch.height for branch in branches) + 1,
        )

    def _group(self) -> None:
        text, place = self._text, self._place
        if not text.startswith("(?", place):
            self._place += 1
            self._open.append(_Group([[]]))
            return
        if text.startswith(("(?P<", "(?<"), place) and (text[place + 2] == "P" or self._for.since(2, 50)):
            named = _NAMED.match(text, place)
            if named is None or _NAME.fullmatch(named[1]) is None:
                raise RegexError("invalid named capture")
            self._place = named.end()
            self._open.append(_Group([[]]))
            return
        flags = _FLAGS.match(text, place)
        if flags is None:
            raise RegexError(f"invalid or unsupported Perl syntax: {text[place : place + 4]}")
        self._place = flags.end()
        if flags[3] == ":":
            self._open.append(_Group([[]]))

    def _counted(self, found: re.Match[str], *, repeated: bool) -> None:
        least, comma, most = found.groups()
        low = int(least) if len(least) < 6 else _MOST_REPEATS + 1
        high = low if not comma else None if most is None else int(most) if len(most) < 6 else _MOST_REPEATS + 1
        if low > _MOST_REPEATS or (high is not None and (high > _MOST_REPEATS or low > high)):
            raise RegexError(f"invalid repeat count {found[0]}, {_MOST_REPEATS} is the most")
        self._repeat("{", found.end(), low, high, repeated=repeated)

    def _repeat(self, sign: str, end: int, least: int, most: int | None, *, repeated: bool) -> None:
        if self._text[end : end + 1] == "?":
            end += 1
        if repeated:
            raise RegexError("invalid nested repetition operator")
        parts = self._open[-1].branches[-1]
        if not parts:
            raise RegexError(f"missing argument to repetition operator {sign}")
        inner = parts.pop()
        empty = inner.fits_nothing or sign in "*?" or (sign == "{" and least == 0)
        if sign != "{":
            made = inner._replace(fits_nothing=empty, size=inner.size + 2, height=inner.height + 1)
        else:
            count = least if most is None else most
            repeats = 1 if most == 0 else max(count, 1) * inner.repeats
            if max(least, most or 0) >= 2 and repeats > _MOST_REPEATS:
                raise RegexError(f"invalid repeat count, {_MOST_REPEATS} is the most of all together")
            size = max(1, inner.size * max(count, 1) + 2)
            made = _Part(empty, size, repeats, inner.height + 1)
        self._push(made)
        self._place = end
        self._after_repeat = True

    def _escape(self) -> None:
        text, place = self._text, self._place
        kind = text[place + 1 : place + 2]
        if kind in {"A", "z", "B"} or kind == "b":
            self._push(_Part(fits_nothing=kind != "b"))
            self._place += 2
        elif kind == "C":
            raise RegexError("invalid escape sequence \\C")
        elif kind == "Q":
            end = text.find("\\E", place + 2)
            if end < 0 and not self._for.since(3, 0):  # which puts the expression in parentheses before it reads it
                raise RegexError("\\Q without \\E takes the closing ) away that Prometheus puts behind the expression")
            literal = text[place + 2 : end if end >= 0 else len(text)]
            for sign in literal:
                self._letter(sign)
                self._push(_Part())
            self._place = end + 2 if end >= 0 else len(text)
        else:
            if self._class_escape() is None:
                self._single_escape()
            self._push(_Part())

    def _class_escape(self) -> str | None:
        """Go over an escape that stands for a class, if one is there."""
        text, place = self._text, self._place
        kind = text[place + 1 : place + 2]
        if kind and kind in "dDsSwW":
            self._place += 2
            return kind
        if kind not in {"p", "P"}:
            return None
        if text[place + 2 : place + 3] == "{":
            end = text.find("}", place)
            if end < 0:
                raise RegexError("invalid character class range")
            name, self._place = text[place + 3 : end], end + 1
        else:
            name, self._place = text[place + 2 : place + 3], place + 3
        if not known_class(name.removeprefix("^"), self._for):
            raise RegexError(f"invalid character class range {text[place : self._place]}")
        return kind

    def _single_escape(self) -> int:
        """Go over an escape that stands for a letter and return its number."""
        text, place = self._text, self._place + 1
        sign = text[place : place + 1]
        if not sign:
            raise RegexError("trailing backslash at end of expression")
        if found := _OCTAL.match(text, place):
            self._place = found.end()
            return int(found[0], 8)
        if found := _HEX.match(text, place):
            value = int(found[1] or found[2], 16)
            if value <= 0x10FFFF:
                self._place = found.end()
                return value
        elif sign in "afnrtv":
            self._place += 2
            return {"a": 7, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}[sign]
        elif sign.isascii() and not sign.isalnum():
            self._place += 2
            return ord(sign)
        raise RegexError(f"invalid escape sequence \\{sign}")

    def _class(self) -> None:
        text = self._text
        self._place += 1
        if text[self._place : self._place + 1] == "^":
            self._place += 1
        first = True
        while first or text[self._place : self._place + 1] != "]":
            first = False
            if posix := _POSIX.match(text, self._place):
                if posix[1].removeprefix("^") not in _POSIX_NAMES:
                    raise RegexError(f"invalid character class range {posix[0][:40]}")
                self._place = posix.end()
                continue
            if text[self._place : self._place + 1] == "\\" and self._class_escape() is not None:
                continue
            low = self._class_letter()
            if text[self._place : self._place + 1] == "-" and text[self._place + 1 : self._place + 2] not in {"", "]"}:
                self._place += 1
                if self._class_letter() < low:
                    raise RegexError("invalid character class range: its end comes before its beginning")
        self._place += 1
        self._push(_Part())

    def _class_letter(self) -> int:
        sign = self._text[self._place : self._place + 1]
        if not sign:
            raise RegexError("missing closing ]")
        if sign == "\\":
            return self._single_escape()
        self._letter(sign)
        self._place += 1
        return ord(sign)


def _joined(parts: list[_Part]) -> _Part:
    if len(parts) == 1:
        return parts[0]
    return _Part(
        all(part.fits_nothing for part in parts),
        max(1, sum(part.size for part in parts)),
        max((part.repeats for part in parts), default=1),
        max((part.height for part in parts), default=0) + 1,
    )
