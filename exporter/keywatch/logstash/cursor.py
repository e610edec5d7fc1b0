"""A place in a pipeline's text: matches tokens, goes back, and remembers how far anything ever got."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import TypeVar

from keywatch.logstash.tree import Newer, Number, Text

_T = TypeVar("_T")
_SPACE = re.compile(r"[ \t\r\n]+")
# A comment ends with its line, and a carriage return alone ends no line.
_REST = re.compile(r"[ \t\r\n]+|#[^\r\n]*\r?(?:\n|\Z)")
_COMMENT = re.compile(r"#[^\r\n]*")
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]+")
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]*)?")
# Possessive, as the grammar is: a quote after a backslash never ends a string, even where nothing else does.
_TEXT = re.compile(r"\"((?:\\\"|[^\"])*+)\"|'((?:\\'|[^'])*+)'")
_DEEPEST = 400
_TELLTALE = re.compile(r"pass|secret|token|key|jaas|auth|credential|://", re.IGNORECASE)
_NEAR = 200


class MismatchError(Exception):
    """What was tried does not stand here; something else may."""


class LanguageError(Exception):
    """The text is not in Logstash's language: line and column, counted from 1, and what was expected there."""

    def __init__(self, line: int, column: int, problem: str) -> None:
        super().__init__(f"{line}:{column}: {problem}")
        self.line, self.column, self.problem = line, column, problem


class Cursor:
    """Moves over a text; whatever does not match raises `MismatchError` and is noted where it got furthest."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self._ends = [found.end() for found in re.finditer(r"\n", text)]
        self._furthest = 0
        self._expected: dict[str, None] = {}
        self._depth = 0
        self._deepest = (0, 0)
        self._comments: dict[int, str] = {}
        self._newer: dict[int, str] = {}

    @property
    def line(self) -> int:
        """The line of the place, counted from 1."""
        return bisect_right(self._ends, self.at) + 1

    def match(self, pattern: re.Pattern[str], what: str) -> re.Match[str]:
        """Move over a match of the pattern."""
        found = pattern.match(self.text, self.at)
        if found is None:
            raise self.mismatch(what)
        self.at = found.end()
        return found

    def token(self, token: str) -> None:
        """Move over these characters."""
        if not self.text.startswith(token, self.at):
            raise self.mismatch(f"'{token}'")
        self.at += len(token)

    def tokens(self, *tokens: str) -> str:
        """Move over the first of these that stands here."""
        for token in tokens:
            if self.text.startswith(token, self.at):
                self.at += len(token)
                return token
        raise self.mismatch(" ".join(tokens))

    def rest(self) -> None:
        """Move over white space and comments, if any."""
        start = self.at
        while found := _REST.match(self.text, self.at):
            self.at = found.end()
        if "#" in self.text[start : self.at]:
            for found in _COMMENT.finditer(self.text, start, self.at):
                self._comments[found.start()] = found[0]
                if found.end() == len(self.text) or self.text[found.end() :] == "\r":
                    self.newer(found.start(), "a comment in a last line that does not end")

    def space(self) -> None:
        """Move over white space, of which there must be some."""
        self.match(_SPACE, "white space")

    def name(self) -> str:
        """Move over the name of a plugin or setting, which may be quoted."""
        return self.first("a name", lambda: self.match(_NAME, "a name")[0], lambda: self.quoted().raw)

    def word(self) -> str:
        """Move over a word without quotes: two characters at least."""
        return self.match(_WORD, "a word")[0]

    def number(self) -> Number:
        """Move over a number."""
        line = self.line
        return Number(self.match(_NUMBER, "a number")[0], line)

    def quoted(self) -> Text:
        """Move over a string in quotes, which may go over several lines."""
        line = self.line
        found = self.match(_TEXT, "a string")
        return Text(found[1] if found[1] is not None else found[2], line, found[0][0])

    def first(self, what: str, *ways: Callable[[], _T]) -> _T:
        """Return what the first way that matches gives; after one that does not, go back to where it began."""
        start = self.at
        self._depth += 1
        if self._depth > _DEEPEST:
            line, column = self.place(start)
            raise LanguageError(line, column, "is nested too deeply")
        self._deepest = max(self._deepest, (self._depth, -start))
        try:
            for way in ways:
                try:
                    return way()
                except MismatchError:
                    self.at = start
        finally:
            self._depth -= 1
        raise self.mismatch(what)

    def attempt(self, way: Callable[[], _T]) -> _T | None:
        """Return what the way gives; where it does not match, None, back at where it began."""
        start = self.at
        try:
            return way()
        except MismatchError:
            self.at = start
            return None

    def repeated(self, way: Callable[[], _T], between: Callable[[], object]) -> Iterator[_T]:
        """Yield what the way gives, again and again with `between` before it, up to where it does not match."""
        found = self.attempt(way)
        while found is not None:
            yield found
            found = self.attempt(lambda: (between(), way())[1])

    def around(self, token: str) -> None:
        """Move over these characters with white space and comments, if any, before and after them."""
        self.rest()
        self.token(token)
        self.rest()

    def opening(self, token: str) -> None:
        """Move over these characters and what rests after them."""
        self.token(token)
        self.rest()

    def closing(self, token: str) -> None:
        """Move over what rests before these characters, and over them."""
        self.rest()
        self.token(token)

    def mismatch(self, what: str) -> MismatchError:
        """Note that something else was expected here, and give the error to raise."""
        if self.at > self._furthest:
            self._furthest = self.at
            self._expected.clear()
        if self.at == self._furthest:
            self._expected.setdefault(what)
        return MismatchError(what)

    def newer(self, at: int, what: str) -> None:
        """Note that only Logstash 8.15 and newer read what stands at this place."""
        self._newer.setdefault(at, what)

    def newest(self) -> tuple[Newer, ...]:
        """Return what only Logstash 8.15 and newer read, in the order in which it stands."""
        return tuple(Newer(*self.place(at), what) for at, what in sorted(self._newer.items()))

    def deepest(self) -> tuple[int, int]:
        """Return how deeply things are nested, and the line of the first that is nested so."""
        depth, start = self._deepest
        return depth, self.place(-start)[0]

    def comments(self) -> tuple[tuple[int, str], ...]:
        """Return the comments that were passed, each with its line."""
        return tuple((self.place(at)[0], text) for at, text in sorted(self._comments.items()))

    def place(self, at: int) -> tuple[int, int]:
        """Return line and column of a place in the text, counted from 1."""
        index = bisect_right(self._ends, at)
        return index + 1, at - (self._ends[index - 1] if index else 0) + 1

    def error(self) -> LanguageError:
        """Return the error that says what was expected where it got furthest."""
        line, column = self.place(self._furthest)
        found = self.text[self._furthest : self._furthest + 20].splitlines()[:1]
        seen = f"found {found[0]!r}" if found and found[0] else "the text or line ends there"
        # What stands there may be the rest of a password.
        if _TELLTALE.search(self.text, max(self._furthest - _NEAR, 0), self._furthest + _NEAR):
            seen = "found something else"
        return LanguageError(line, column, f"expected {', '.join(self._expected)}; {seen}")
