"""The tokens of an expression, read one after the other."""

from __future__ import annotations

from collections.abc import Sequence

from keywatch.rules.depth import DEEPEST
from keywatch.rules.prometheus import Prometheus
from keywatch.rules.promql.lexer import END, Token
from keywatch.rules.promql.tree import PromqlError


class Stream:
    """What is left of the tokens."""

    def __init__(self, tokens: Sequence[Token], prometheus: Prometheus) -> None:
        """Begin with the first token; the last one is `END`."""
        self._tokens = tokens
        self._at = 0
        self._depth = 0
        self.prometheus = prometheus
        self.signed = False
        """Whether a plain duration may have a sign here: behind `offset`."""

    @property
    def next(self) -> Token:
        """The token that comes next."""
        return self._tokens[self._at]

    def ahead(self, count: int) -> Token:
        """Return the token that comes `count` tokens after the next one."""
        return self._tokens[min(self._at + count, len(self._tokens) - 1)]

    def take(self) -> Token:
        """Go over the next token and return it; the end stays."""
        found = self.next
        if found.kind != END:
            self._at += 1
        return found

    def accept(self, *kinds: str) -> Token | None:
        """Take the next token if it is one of these."""
        return self.take() if self.next.kind in kinds else None

    def expect(self, kind: str, where: str, words: str = "") -> Token:
        """Take the next token, which must be this one; raises `PromqlError`."""
        found = self.take()
        if found.kind != kind:
            raise self.unexpected(found, where, words or kind)
        return found

    def unexpected(self, token: Token, where: str, expected: str) -> PromqlError:
        """Return the error for a token that may not stand there."""
        return PromqlError(token.place, f"unexpected {token} in {where}, expected {expected}")

    def deeper(self, token: Token) -> None:
        """Count one more level of nesting; raises `PromqlError` beyond what is read."""
        self._depth += 1
        if self._depth > DEEPEST:
            raise PromqlError(token.place, f"nests deeper than {DEEPEST} levels, which keywatch does not read")

    def higher(self) -> None:
        """Count one level of nesting less."""
        self._depth -= 1
