"""Cuts an expression into tokens as the chosen Prometheus does, with rules of their own in brackets and braces."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Final, NamedTuple

from keywatch.rules.go_literals import LiteralError, unquoted
from keywatch.rules.prometheus import Prometheus
from keywatch.rules.promql.functions import AGGREGATIONS
from keywatch.rules.promql.tree import PromqlError

_SPACE: Final = " \t\n\r"
_DIGITS: Final = "0123456789"
_HEX_DIGITS: Final = "0123456789abcdefABCDEF"
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_WORD = re.compile(r"[a-zA-Z_]+")
_COMMENT = re.compile(r"#[^\r\n]*")
_OLD_NUMBER = re.compile(r"(?:0[xX][0-9a-fA-F]*|\d*)(?:\.\d*)?(?:[eE][+-]?\d*)?", re.ASCII)
_DURATION_REST = re.compile(r"[smhdwy]s?(?:\d+[smhdw]s?)*", re.ASCII)
_QUOTED = re.compile(r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|`[^`]*`")
_FILL: Final = frozenset({"fill", "fill_left", "fill_right"})
_CALCULATED: Final = ("step", "range", "max_of", "min_of")
_OPERATORS: Final = ("==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "^", "=", ",", "@")


END: Final = "<end>"
"""What stands behind the last token."""


class Token(NamedTuple):
    """One token: what it is, how it is written, and where; keywords are their own kind, in small letters."""

    kind: str
    text: str
    place: int

    def __str__(self) -> str:
        """Return how messages call it."""
        if self.kind == END:
            return "the end"
        return self.text if len(self.text) <= 40 else f"{self.text[:40]}…"


@cache
def keywords(prometheus: Prometheus) -> frozenset[str]:
    """Return the words that mean something of their own somewhere."""
    found = {"and", "or", "unless", "atan2", "offset", "by", "without", "on", "ignoring", "group_left", "group_right"}
    found |= {"bool", "start", "end"} | (AGGREGATIONS.keys() - {"limitk", "limit_ratio"})
    if prometheus.since(2, 54):
        found |= {"limitk", "limit_ratio"}
    if prometheus.since(3, 4):
        found |= {"step"}
    if prometheus.since(3, 7):
        found |= {"anchored", "smoothed"}
    if prometheus.since(3, 10):
        found |= _FILL
    if prometheus.since(3, 12):
        found |= {"range"}
    if prometheus.since(3, 13):
        found |= {"max_of", "min_of"}
    return frozenset(found)


class Lexer:
    """Reads one expression."""

    def __init__(self, text: str, prometheus: Prometheus) -> None:
        """Read `text`."""
        self._text = text
        self._for = prometheus
        self._keywords = keywords(prometheus)
        self._place = 0
        self._open: list[int] = []
        self._bracket = False
        self._colon = False
        self._found: list[Token] = []

    def tokens(self) -> list[Token]:
        """Return all tokens with an `END` behind them; raises `PromqlError`."""
        state: Callable[[], bool] = self._outside
        while state():
            state = self._braces if self._found and self._found[-1].kind == "{" else self._outside
        return self._found

    def _peek(self, size: int = 1) -> str:
        return self._text[self._place : self._place + size]

    def _add(self, kind: str, size: int) -> None:
        self._found.append(Token(kind, self._peek(size), self._place))
        self._place += size

    def _fail(self, words: str) -> PromqlError:
        return PromqlError(self._place, words)

    def _blank(self) -> None:
        """Go over white space and comments."""
        while sign := self._peek():
            if sign in _SPACE:
                self._place += 1
            elif found := _COMMENT.match(self._text, self._place):
                self._place = found.end()
            else:
                return

    def _outside(self) -> bool:  # noqa: C901 - a table of cases
        """Read one token, or all of a range's beginning; says whether there is more."""
        self._blank()
        sign = self._peek()
        if not sign:
            if self._open:
                raise PromqlError(self._open[-1], "a parenthesis ( is not closed")
            if self._bracket:
                raise self._fail("a bracket [ is not closed")
            self._add(END, 0)
            return False
        if sign in _DIGITS or (sign == "." and self._peek(2)[1:] in set(_DIGITS)):
            self._number_or_duration()
        elif sign in "\"'`":
            self._quoted()
        elif _NAME.match(sign):
            self._in_range(sign) if self._bracket else self._name()
        elif sign in "()":
            self._paren(sign)
        elif sign == "{":
            self._add("{", 1)
        elif sign == "[":
            self._open_bracket()
        elif sign == "]":
            if not self._bracket:
                raise self._fail("unexpected ]")
            self._add("]", 1)
            self._bracket = False
        else:
            self._operator(sign)
        return True

    def _operator(self, sign: str) -> None:
        pair = self._peek(2)
        if pair in {"</", ">/"} and self._for.since(3, 11):
            self._add(pair, 2)
        elif pair == "=~":
            raise self._fail("unexpected =~ outside of braces")
        elif found := next((operator for operator in _OPERATORS if pair.startswith(operator)), None):
            self._add(found, len(found))
        else:
            raise self._fail(f"unexpected {sign!r}")

    def _paren(self, sign: str) -> None:
        if sign == "(":
            self._open.append(self._place)
        elif self._open:
            self._open.pop()
        else:
            raise self._fail("unexpected )")
        self._add(sign, 1)

    def _open_bracket(self) -> None:
        if self._bracket:
            raise self._fail("unexpected [ within a range")
        self._add("[", 1)
        while self._peek() and self._peek() in _SPACE:
            self._place += 1
        self._bracket = True
        self._colon = False
        if self._for.duration_expressions:
            self._calculated_range()
        elif self._for.numbers_are_durations:
            self._number_or_duration()
        else:
            self._old_duration()

    def _calculated_range(self) -> None:
        """Read up to the first number of a range: what is behind it is read as elsewhere."""
        told = False
        while True:
            sign = self._peek()
            if not sign:
                raise self._fail("a bracket [ is not closed")
            if sign in _SPACE:
                self._place += 1
            elif sign == "]":
                self._add("]", 1)
                self._bracket = False
                return
            elif sign == ":":
                if not told or self._colon:
                    raise self._fail("unexpected : in a range")
                self._add(":", 1)
                self._colon = True
            elif sign in "()":
                self._paren(sign)
            elif sign in "+-*/%^,":
                self._add(sign, 1)
            elif sign in _DIGITS or (sign == "." and self._peek(2)[1:] in set(_DIGITS)):
                self._number_or_duration()
                return
            else:
                self._calculation(sign)
                told = True

    def _calculation(self, sign: str) -> None:
        """Read a word within a range."""
        found = _WORD.match(self._text, self._place)
        word = found[0].lower() if found else ""
        if word not in _CALCULATED or word not in self._keywords:
            raise self._fail(f"unexpected {word or sign!r} in a range")
        self._add(word, len(word))

    def _in_range(self, sign: str) -> None:
        if self._for.duration_expressions and sign != ":":
            self._calculation(sign)
            return
        if sign != ":" and self._for.since(3, 0):
            raise self._fail(f"unexpected {sign!r} in a range")
        if self._colon:
            raise self._fail(f"unexpected {sign!r} in a range")
        self._add(":", 1)  # old releases take any letter for the colon
        self._colon = True

    def _name(self) -> None:
        found = _NAME.match(self._text, self._place)
        assert found is not None  # noqa: S101 - its first letter was looked at
        word = found[0]
        small = word.lower()
        if small in _FILL and small in self._keywords and not self._text[found.end() :].lstrip(_SPACE).startswith("("):
            self._add("identifier", len(word))
        elif small in self._keywords:
            self._add(small, len(word))
        elif small in {"inf", "nan"}:
            self._add("number", len(word))
        else:
            self._add("metric" if ":" in word else "identifier", len(word))

    def _braces(self) -> bool:
        """Read all that stands in braces, and the closing one."""
        while True:
            self._blank()
            sign, pair = self._peek(), self._peek(2)
            if not sign:
                raise self._fail("a brace { is not closed")
            if found := _LABEL.match(self._text, self._place):
                self._add("identifier", len(found[0]))
            elif sign in "\"'`":
                self._quoted()
            elif pair in {"=~", "!~", "!="}:
                self._add(pair, 2)
            elif sign in "=,":
                self._add(sign, 1)
            elif sign == "}":
                self._add("}", 1)
                return True
            else:
                raise self._fail(f"unexpected {sign!r} in braces")

    def _quoted(self) -> None:
        found = _QUOTED.match(self._text, self._place)
        if found is None:
            raise self._fail("a quoted text has no end")
        try:
            unquoted(found[0])
        except LiteralError as error:
            raise self._fail(str(error)) from None
        self._add("string", len(found[0]))

    def _old_duration(self) -> None:
        if self._old_number(self._place) is not None:
            raise self._fail("a duration needs a unit: 5m")
        self._duration(self._place)

    def _number_or_duration(self) -> None:
        start = self._place
        end = self._scan_number(start) if self._for.numbers_are_durations else self._old_number(start)
        if end is not None:
            self._add("number", end - start)
        else:
            self._duration(start)

    def _duration(self, start: int) -> None:
        found = _DURATION_REST.match(self._text, self._number_end)
        if found is None or self._follows_word(found.end()):
            words = self._text[start : self._number_end + 1]
            raise PromqlError(start, f"{words[:40]!r} is no number and no duration")
        self._add("duration", found.end() - start)

    def _follows_word(self, place: int) -> bool:
        return _WORD.match(self._text, place) is not None or self._text[place : place + 1] in set(_DIGITS)

    def _old_number(self, start: int) -> int | None:
        """Return the end of a number as 2.42 reads it; `_number_end` is how far it came in any case."""
        found = _OLD_NUMBER.match(self._text, start)
        self._number_end = found.end() if found else start
        return None if self._follows_word(self._number_end) else self._number_end

    def _scan_number(self, start: int) -> int | None:  # noqa: C901 - a table of cases
        """Return the end of a number with underscores; `_number_end` is how far it came in any case."""
        text, end = self._text, start
        digits = _DIGITS
        if text[end : end + 2].lower() == "0x":
            digits = _HEX_DIGITS
            end += 3 if text[end + 2 : end + 3] == "_" else 2
        elif text[end : end + 1] == "0":
            end += 1
        end += text[end : end + 1] == "."
        end += text[end : end + 1] in set(digits)
        dot = exponent = False
        while (sign := text[end : end + 1]) and sign in f"{digits}._eE":
            self._number_end = end + 1
            behind = text[end + 1 : end + 2]
            if sign == ".":
                if dot or (behind and behind in "._") or digits is _HEX_DIGITS:
                    return None
                dot = True
                end += 1
            elif sign in "eE":  # of hexadecimal numbers as well, which so may have one e only
                end += 1 + (behind in {"+", "-"})
                behind = text[end : end + 1]
                if exponent or not behind or behind in "._eE":
                    self._number_end = end
                    return None
                exponent = True
            elif sign == "_":
                if not behind or behind in "._eE":
                    return None
                end += 1
            else:
                while (more := text[end : end + 1]) and more in digits:
                    end += 1
        self._number_end = end
        return None if end == start or self._follows_word(end) else end
