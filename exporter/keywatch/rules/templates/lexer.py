"""Cuts a template into text and the tokens of its actions, as Go does."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_SPACE: Final = " \t\r\n"
_QUOTED = re.compile(r'"(?:[^"\\\n]|\\[^\n])*"')
_RAW = re.compile(r"`[^`]*`")
_CHARACTER = re.compile(r"'(?:[^'\\\n]|\\[^\n])*'")
_DECIMAL: Final = "0123456789_"
_BASES: Final = {"x": "0123456789abcdefABCDEF_", "o": "01234567_", "b": "01_"}
KEYWORDS: Final = frozenset(
    {"block", "break", "continue", "define", "else", "end", "if", "nil", "range", "template", "with"}
)


class TemplateError(Exception):
    """The text is no template; the words say why, `place` is where, in letters."""

    def __init__(self, place: int, words: str) -> None:
        super().__init__(words)
        self.place = place


class Token(NamedTuple):
    """One token; keywords are their own kind, other kinds are Go's."""

    kind: str
    text: str
    place: int

    def __str__(self) -> str:
        """Return how messages call it."""
        if self.kind == "EOF":
            return "the end"
        if self.kind in KEYWORDS:
            return f"{{{{{self.kind}}}}}"
        return repr(self.text if len(self.text) <= 40 else f"{self.text[:40]}…")


def is_word(sign: str) -> bool:
    """Return whether a letter may be part of a name."""
    return bool(sign) and (sign == "_" or sign.isalpha() or sign.isdecimal())


class Lexer:
    """Reads one template."""

    def __init__(self, text: str) -> None:
        """Read `text`."""
        self._text = text
        self._place = 0
        self._found: list[Token] = []

    def tokens(self) -> list[Token]:
        """Return all tokens with an `EOF` behind them; raises `TemplateError`."""
        while self._place < len(self._text):
            start = self._text.find("{{", self._place)
            if start < 0:
                self._add("text", len(self._text) - self._place)
                break
            self._words(start)
            self._action()
        self._found.append(Token("EOF", "", len(self._text)))
        return self._found

    def _add(self, kind: str, size: int) -> None:
        self._found.append(Token(kind, self._text[self._place : self._place + size], self._place))
        self._place += size

    def _words(self, start: int) -> None:
        """Add the text before an action, without what the action trims."""
        words = self._text[self._place : start]
        if self._trims(start + 2):
            words = words.rstrip(_SPACE)
        if words:
            self._found.append(Token("text", words, self._place))
        self._place = start

    def _trims(self, place: int) -> bool:
        behind = self._text[place + 1 : place + 2]
        return self._text[place : place + 1] == "-" and behind != "" and behind in _SPACE

    def _closing(self) -> tuple[int, bool]:
        """Return the size of the end of an action if it is next, and whether it trims what follows."""
        sign = self._text[self._place : self._place + 1]
        if sign and sign in _SPACE and self._text.startswith("-}}", self._place + 1):
            return 4, True
        return (2, False) if self._text.startswith("}}", self._place) else (0, False)

    def _close(self, size: int, *, trims: bool) -> None:
        self._place += size
        while trims and self._place < len(self._text) and self._text[self._place] in _SPACE:
            self._place += 1

    def _action(self) -> None:
        start = self._place
        inner = start + (4 if self._trims(start + 2) else 2)
        if self._text.startswith("/*", inner):
            end = self._text.find("*/", inner + 2)
            if end < 0:
                raise TemplateError(start, "unclosed comment")
            self._place = end + 2
            size, trims = self._closing()
            if not size:
                raise TemplateError(self._place, "the comment ends before }}")
            self._close(size, trims=trims)
            return
        self._found.append(Token("{{", "{{", start))
        self._place = inner
        depth = 0
        while True:
            size, trims = self._closing()
            if size:
                if depth:
                    raise TemplateError(self._place, "a parenthesis ( is not closed")
                self._found.append(Token("}}", "}}", self._place))
                self._close(size, trims=trims)
                return
            if self._place >= len(self._text):
                raise TemplateError(start, "an action is not closed: }} is missing")
            self._one()
            kind = self._found[-1].kind
            depth += (kind == "(") - (kind == ")")
            if depth < 0:
                raise TemplateError(self._found[-1].place, "unexpected )")

    def _one(self) -> None:  # noqa: C901 - a table of cases
        """Read one token of an action."""
        text, place = self._text, self._place
        sign, behind = text[place], text[place + 1 : place + 2]
        if sign in _SPACE:
            size = 1
            while text[place + size : place + size + 1] and text[place + size] in _SPACE:
                size += 1
            size -= size > 1 and text.startswith("-}}", place + size)
            self._add("space", size)
        elif sign == ":":
            if behind != "=":
                raise TemplateError(place, "expected :=")
            self._add(":=", 2)
        elif sign in "=|()":
            self._add(sign, 1)
        elif sign in "\"`'":
            self._quoted(sign)
        elif sign == "$" or (sign == "." and not ("0" <= behind <= "9")):
            self._field_or_variable(sign)
        elif sign in "+-." or "0" <= sign <= "9":
            self._number()
        elif is_word(sign):
            self._word()
        elif " " <= sign <= "~":
            self._add("character", 1)
        else:
            raise TemplateError(place, f"unrecognized character in action: {sign!r}")

    def _quoted(self, sign: str) -> None:
        kind, pattern = {'"': ("string", _QUOTED), "`": ("string", _RAW), "'": ("constant", _CHARACTER)}[sign]
        found = pattern.match(self._text, self._place)
        if found is None:
            raise TemplateError(self._place, "a quoted text has no end")
        self._add(kind, len(found[0]))

    def _terminated(self, place: int) -> bool:
        """Return whether what stands there may follow a name."""
        sign = self._text[place : place + 1]
        return not sign or sign in _SPACE or sign in ".,|:)(" or self._text.startswith("}}", place)

    def _end_of_word(self, place: int) -> int:
        while is_word(self._text[place : place + 1]):
            place += 1
        if not self._terminated(place):
            raise TemplateError(place, f"bad character {self._text[place]!r}")
        return place

    def _field_or_variable(self, sign: str) -> None:
        if self._terminated(self._place + 1):
            self._add("variable" if sign == "$" else "dot", 1)
            return
        end = self._end_of_word(self._place + 1)
        self._add("variable" if sign == "$" else "field", end - self._place)

    def _word(self) -> None:
        end = self._end_of_word(self._place)
        word = self._text[self._place : end]
        kind = word if word in KEYWORDS else "bool" if word in {"true", "false"} else "identifier"
        self._add(kind, end - self._place)

    def _number(self) -> None:
        start = self._place
        end = self._scan_number(start)
        kind = "number"
        if self._text[end : end + 1] in {"+", "-"}:
            end = self._scan_number(end)
            if self._text[end - 1] != "i":
                raise TemplateError(start, f"bad number syntax: {self._text[start:end][:40]!r}")
            kind = "complex"
        self._add(kind, end - start)

    def _scan_number(self, start: int) -> int:
        text = self._text

        def run(place: int, signs: str) -> int:
            while text[place : place + 1] and text[place] in signs:
                place += 1
            return place

        end = start + (text[start : start + 1] in {"+", "-"})
        digits = _DECIMAL
        if text[end : end + 1] == "0":
            end += 1
            if (base := text[end : end + 1].lower()) in _BASES:
                digits = _BASES[base]
                end += 1
        end = run(end, digits)
        if text[end : end + 1] == ".":
            end = run(end + 1, digits)
        exponent = {_DECIMAL: "eE", _BASES["x"]: "pP"}.get(digits, "")
        if text[end : end + 1] and text[end] in exponent:
            end += 1
            end = run(end + (text[end : end + 1] in {"+", "-"}), _DECIMAL)
        end += text[end : end + 1] == "i"
        if is_word(text[end : end + 1]):
            raise TemplateError(start, f"bad number syntax: {text[start : end + 1][:40]!r}")
        return end
