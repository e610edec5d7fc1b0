"""Durations that are calculated: `[5m * 2]`, `offset -(step() + 1m)`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from keywatch.rules.go_literals import LiteralError, number, seconds
from keywatch.rules.promql.lexer import Token
from keywatch.rules.promql.stream import Stream
from keywatch.rules.promql.tree import PromqlError

_STRENGTH: Final = {"+": 1, "-": 1, "*": 2, "/": 2, "%": 2, "^": 3}
_SIGN: Final = 2
# More than this many seconds are more nanoseconds than 64 bits hold.
_LONGEST: Final = 2**63 / 1e9


@dataclass(slots=True)
class Duration:
    """A duration in seconds; none when it can be told at evaluation only."""

    value: float | None


def literal(token: Token) -> float:
    """Return the value of a number, or of a duration in seconds; raises `PromqlError`."""
    try:
        return number(token.text) if token.kind == "number" else seconds(token.text)
    except LiteralError as error:
        raise PromqlError(token.place, str(error)) from None


def positive(stream: Stream) -> Duration:
    """Read the duration of a range; raises `PromqlError` when it is none or not above 0."""
    place = stream.next.place
    found = duration(stream)
    if found.value is not None and found.value <= 0:
        raise PromqlError(place, "a range must be longer than 0")
    return found


def offset(stream: Stream) -> Duration:
    """Read what follows `offset`, which ends before an operator unless it begins with a parenthesis."""
    if not stream.prometheus.duration_expressions:
        return _plain(stream)
    ahead = 1 if stream.next.kind in {"+", "-"} else 0
    if stream.ahead(ahead).kind in {"number", "duration", *_CALLS} or (ahead and stream.ahead(1).kind == "("):
        negative = ahead and stream.take().kind == "-"
        found = _atom(stream)
        return _negated(found) if negative else found
    return duration(stream)


def duration(stream: Stream, least: int = 0) -> Duration:
    """Read a calculation whose operators bind as strong as `least` or stronger."""
    if not stream.prometheus.duration_expressions:
        return _plain(stream)
    if stream.next.kind in {"+", "-"}:
        sign = stream.take()
        inner = duration(stream, _SIGN + 1)
        found = _negated(inner) if sign.kind == "-" else inner
    else:
        found = _atom(stream)
    while (strength := _STRENGTH.get(stream.next.kind, -1)) >= least:
        operator = stream.take()
        right = duration(stream, strength if operator.kind == "^" else strength + 1)
        if operator.kind in {"/", "%"} and right.value == 0:
            raise PromqlError(operator.place, "division by zero in a duration")
        found = Duration(None)
    return found


_CALLS: Final = ("step", "range", "max_of", "min_of")


def _atom(stream: Stream) -> Duration:
    token = stream.take()
    if token.kind in {"number", "duration"}:
        return Duration(_bounded(token, literal(token)))
    if token.kind in {"step", "range"}:
        stream.expect("(", "a duration")
        stream.expect(")", "a duration")
        return Duration(None)
    if token.kind in {"max_of", "min_of"}:
        stream.expect("(", "a duration")
        duration(stream)
        stream.expect(",", "a duration")
        duration(stream)
        stream.expect(")", "a duration")
        return Duration(None)
    if token.kind == "(":
        duration(stream)
        stream.expect(")", "a duration")
        return Duration(None)
    raise stream.unexpected(token, "a duration", "a duration such as 5m")


def _plain(stream: Stream) -> Duration:
    sign = stream.take().kind if stream.next.kind in {"+", "-"} and stream.signed else ""
    token = stream.take()
    allowed = {"number", "duration"} if stream.prometheus.numbers_are_durations else {"duration"}
    if token.kind not in allowed:
        raise stream.unexpected(token, "a duration", "a duration such as 5m")
    value = _bounded(token, literal(token))
    if value == 0 and not stream.prometheus.numbers_are_durations:
        raise PromqlError(token.place, "a duration must be longer than 0")
    return Duration(-value if sign == "-" else value)


def _negated(found: Duration) -> Duration:
    return Duration(None if found.value is None else -found.value)


def _bounded(token: Token, value: float) -> float:
    if not -_LONGEST <= value <= _LONGEST:
        raise PromqlError(token.place, "the duration is too long")
    return value
