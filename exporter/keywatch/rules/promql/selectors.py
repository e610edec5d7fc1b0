"""Reads what stands in braces and in lists of labels."""

from __future__ import annotations

import re
from typing import Final

from keywatch.rules.go_literals import unquoted
from keywatch.rules.prometheus import Prometheus
from keywatch.rules.promql.functions import AGGREGATIONS
from keywatch.rules.promql.lexer import Token
from keywatch.rules.promql.stream import Stream
from keywatch.rules.promql.tree import Matcher, PromqlError
from keywatch.rules.regex import RegexError, fits_nothing

_SIGNS: Final = ("=", "!=", "=~", "!~")
_OLD_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
# Words that may be labels in lists; `without` is none of them.
_LABEL_WORDS: Final = frozenset(
    {"identifier", "metric", "and", "or", "unless", "atan2", "offset", "by", "on", "ignoring", "bool", "start", "end"}
    | {"group_left", "group_right", "fill", "fill_left", "fill_right", "step", "range", "anchored", "smoothed"}
    | {"max_of", "min_of"}
    | AGGREGATIONS.keys()
)


def braces(stream: Stream) -> list[Matcher]:
    """Read the conditions behind an opening brace, and the closing one; raises `PromqlError`."""
    found: list[Matcher] = []
    while not stream.accept("}"):
        found.append(_matcher(stream))
        if stream.accept(","):
            continue
        stream.expect("}", "braces", ", or }")
        break
    return found


def _matcher(stream: Stream) -> Matcher:
    name = stream.take()
    quoted = name.kind == "string" and stream.prometheus.utf8
    if name.kind != "identifier" and not quoted:
        raise stream.unexpected(name, "braces", "a label or }")
    label = unquoted(name.text) if quoted else name.text
    if quoted and stream.next.kind in {",", "}"}:
        return Matcher("__name__", "=", label, matches_nothing=not label)
    sign = stream.take()
    if sign.kind not in _SIGNS:
        raise stream.unexpected(sign, "braces", "=, !=, =~ or !~")
    value = stream.expect("string", "braces", "a quoted text")
    return _made(label, sign.kind, value, stream.prometheus)


def _made(label: str, sign: str, token: Token, prometheus: Prometheus) -> Matcher:
    value = unquoted(token.text)
    if sign in {"=", "!="}:
        fits = not value
    else:
        try:
            fits = fits_nothing(value, prometheus)
        except RegexError as error:
            raise PromqlError(token.place, f"{token} is no regular expression of RE2: {error}") from None
    return Matcher(label, sign, value, matches_nothing=fits == (sign in {"=", "=~"}))


def grouping(stream: Stream) -> list[str]:
    """Read a list of labels in parentheses; raises `PromqlError`."""
    stream.expect("(", "a list of labels")
    found: list[str] = []
    while not stream.accept(")"):
        token = stream.take()
        utf8 = stream.prometheus.utf8
        if token.kind == "string" and utf8:
            label = unquoted(token.text)
            if not label or not _is_text(label):
                raise PromqlError(token.place, f"{token} is no name of a label")
        elif token.kind in _LABEL_WORDS and (utf8 or _OLD_LABEL.fullmatch(token.text)):
            label = token.text
        else:
            raise stream.unexpected(token, "a list of labels", "a label or )")
        found.append(label)
        if stream.accept(","):
            continue
        stream.expect(")", "a list of labels", ", or )")
        break
    return found


def _is_text(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)
