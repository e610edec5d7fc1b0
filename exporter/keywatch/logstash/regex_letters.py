"""Reads a regular expression letter by letter: escapes, and classes of characters in brackets, as Ruby does."""

from __future__ import annotations

import re

DEEPEST = 150
_KINDS = "dDwWsShHpP"
_POSIX = frozenset(
    {"alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph"}
    | {"lower", "print", "punct", "space", "upper", "xdigit", "word"}
)
_PROPERTY = re.compile(r"\{\^?([^}]*)\}")
_HEXADECIMAL = re.compile(r"[0-9A-Fa-f]{1,2}")
_CODE_POINT = re.compile(r"[0-9A-Fa-f]{4}|\{\s*[0-9A-Fa-f]{1,6}(?:\s+[0-9A-Fa-f]{1,6})*\s*\}")
OCTAL = re.compile(r"[0-7]{0,2}")
_POSIX_BRACKET = re.compile(r":\^?(\w+):\]")
# Letters, marks, numbers and the like, as Unicode names them by one or two letters.
_CATEGORY = re.compile(r"(?:L[lutmoC]?|M[nce]?|N[dlo]?|P[cdsefio]?|S[mcko]?|Z[slp]?|C[cfsno]?)\Z", re.IGNORECASE)
_UNCLOSED = "a class of characters is opened and never closed"


class FlawError(Exception):
    """What makes a pattern unreadable; the text says it."""


class Letters:
    """A place in a pattern, which moves over what stands there; raises `FlawError`."""

    def __init__(self, text: str) -> None:
        self.text, self.at, self.depth = text, 0, 0

    def peek(self, size: int = 1) -> str:
        """Return what stands here, without moving."""
        return self.text[self.at : self.at + size]

    def take(self, words: str) -> str:
        """Move over a letter; `words` say what is wrong where there is none."""
        if self.at >= len(self.text):
            raise FlawError(words)
        self.at += 1
        return self.text[self.at - 1]

    def skip(self, pattern: re.Pattern[str]) -> str:
        """Move over a match of the pattern, if any, and return it."""
        found = pattern.match(self.text, self.at)
        if found is None:
            return ""
        self.at = found.end()
        return found[0]

    def code(self, letter: str) -> None:
        """Move over the digits that belong to an x or u behind a backslash."""
        if not self.skip(_HEXADECIMAL if letter == "x" else _CODE_POINT):
            raise FlawError(f"\\{letter} is followed by hexadecimal digits")

    def control(self, letter: str) -> None:
        """Move over what belongs to a c, C or M behind a backslash."""
        if letter == "M":
            raise FlawError("\\M names no letter of UTF-8")
        if letter == "C" and self.take("it ends within a control character") != "-":
            raise FlawError(f"\\{letter} is followed by - and a letter")
        if self.take("it ends within a control character") == "\\":
            self.take("it ends within a control character")

    def properties(self) -> None:
        """Move over the name of a property of characters, where one follows."""
        found = _PROPERTY.match(self.text, self.at)
        if found is None:
            return
        self.at = found.end()
        if not re.fullmatch(r"[\w -]+", found[1]):
            raise FlawError(f"\\p{found[0]} is no property of characters")
        if len(found[1]) <= 2 and not _CATEGORY.match(found[1]):
            raise FlawError(f"\\p{found[0]} is no property of characters")

    def bracket(self) -> None:
        """Read a class of characters up to its end; nested ones too."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise FlawError("it is nested too deeply")
        if self.peek() == "^":
            self.at += 1
        if self.peek() == "]":
            if "]" not in self.text[self.at + 1 :]:
                raise FlawError("a class of characters is empty")
            self.at += 1
        before: str | None = None
        while (letter := self.take(_UNCLOSED)) != "]":
            before = self.member(letter, before)
        self.depth -= 1

    def member(self, letter: str, before: str | None) -> str | None:
        """Read on from a letter of a class; what it returns a range may begin with."""
        if letter == "[":
            if self.posix_or_nested():
                self.no_range()
            return None
        if letter == "\\":
            kind = self.peek() != "" and self.peek() in _KINDS
            before = self.class_escape()
            if kind:
                self.no_range()
            return before
        if letter == "&" and self.peek() == "&":
            self.at += 1
            return None
        if letter == "-" and before is not None and self.peek() not in {"]", ""}:
            self.span(before)
            return None
        return letter

    def no_range(self) -> None:
        """Refuse a range that begins with a kind of characters."""
        if self.peek() == "-" and self.peek(2) != "-]" and self.peek(3) != "-&&":
            raise FlawError("a range begins with a kind of characters; - goes last")

    def posix_or_nested(self) -> bool:
        """Read what a bracket within a class opens; true when it names a kind of characters."""
        found = _POSIX_BRACKET.match(self.text, self.at)
        if found is None:
            self.bracket()
            return False
        if found[1] not in _POSIX:
            raise FlawError(f"[{found[0]} is no class of characters")
        self.at = found.end()
        return True

    def class_escape(self) -> str | None:
        """Return the character that stands here as itself; None for a kind of characters, or what is not reckoned."""
        letter = self.take(_UNCLOSED)
        if letter in "pP":
            self.properties()
        elif letter in "cCM":
            self.control(letter)
        elif letter in "xu":
            self.code(letter)
        elif letter.isdigit():
            self.skip(OCTAL)
        elif not letter.isalnum():
            return letter
        return None

    def span(self, low: str) -> None:
        """Read the end of a range that begins with `low`."""
        high = self.take(_UNCLOSED)
        if high == "\\":
            kind = self.peek()
            if kind and kind in _KINDS:
                raise FlawError("a range ends with a kind of characters")
            escaped = self.class_escape()
            if escaped is None:
                return
            high = escaped
        elif high == "[":
            self.posix_or_nested()
            return
        if high < low:
            raise FlawError(f"the range {low}-{high} ends before it begins")
