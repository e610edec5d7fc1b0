"""Makes the tree of an expression by the grammar of the chosen Prometheus."""

from __future__ import annotations

from typing import Final

from keywatch.rules.depth import room
from keywatch.rules.go_literals import unquoted
from keywatch.rules.prometheus import Prometheus
from keywatch.rules.promql import durations
from keywatch.rules.promql.functions import AGGREGATIONS, EXPERIMENTAL_AGGREGATIONS, FUNCTIONS
from keywatch.rules.promql.lexer import END, Lexer, Token, keywords
from keywatch.rules.promql.selectors import braces, grouping
from keywatch.rules.promql.stream import Stream
from keywatch.rules.promql.tree import (
    Aggregation,
    Binary,
    Call,
    Matching,
    Node,
    Number,
    Paren,
    PromqlError,
    Range,
    Selector,
    Subquery,
    Text,
    Unary,
)
from keywatch.rules.promql.types import check

_STRENGTH: Final = {
    "or": 1,
    **dict.fromkeys(("and", "unless"), 2),
    **dict.fromkeys(("==", "!=", "<=", "<", ">=", ">", "</", ">/"), 3),
    **dict.fromkeys(("+", "-"), 4),
    **dict.fromkeys(("*", "/", "%", "atan2"), 5),
    "^": 6,
}
_SIGN: Final = 5
_NO_NAMES: Final = frozenset({"atan2", "bool", "group_left", "group_right", "ignoring", "on"})


def parsed(text: str, prometheus: Prometheus) -> Node:
    """Return the tree of an expression whose types fit together; raises `PromqlError`."""
    with room():
        found = _Parser(text, prometheus).whole()
        check(found)
    return found


class _Parser:
    """Reads one expression."""

    def __init__(self, text: str, prometheus: Prometheus) -> None:
        self._for = prometheus
        self._stream = Stream(Lexer(text, prometheus).tokens(), prometheus)
        self._names = (keywords(prometheus) - _NO_NAMES) | {"identifier", "metric"}

    def whole(self) -> Node:
        if self._stream.next.kind == END:
            raise PromqlError(0, "there is no expression")
        found = self._expression(0)
        if self._stream.next.kind != END:
            raise self._stream.unexpected(self._stream.next, "the expression", "an operator or the end")
        return found

    def _expression(self, least: int) -> Node:
        """Read an expression whose operators bind as strong as `least` or stronger."""
        self._stream.deeper(self._stream.next)
        sign = self._stream.accept("+", "-")
        left = self._signed(sign) if sign else self._modified(self._operand())
        while (strength := _STRENGTH.get(self._stream.next.kind, -1)) >= least and strength > 0:
            operator = self._stream.take()
            returns_bool, matching = self._matching()
            right = self._expression(strength if operator.kind == "^" else strength + 1)
            left = Binary(operator.place, operator.kind, left, right, returns_bool, matching)
        self._stream.higher()
        return left

    def _signed(self, sign: Token) -> Node:
        inner = self._expression(_SIGN + 1)
        if isinstance(inner, Number):
            return Number(sign.place, -inner.value if sign.kind == "-" else inner.value)
        return Unary(sign.place, sign.kind, inner)

    def _operand(self) -> Node:
        stream = self._stream
        token = stream.take()
        called = stream.next.kind == "("
        if token.kind == "(":
            inner = self._expression(0)
            stream.expect(")", "parentheses")
            return Paren(token.place, inner)
        if token.kind == "number" or (token.kind == "duration" and self._for.numbers_are_durations):
            return Number(token.place, durations.literal(token))
        if token.kind == "string":
            return Text(token.place, unquoted(token.text))
        if token.kind in AGGREGATIONS and (called or stream.next.kind in {"by", "without"}):
            return self._aggregation(token)
        if called and (token.kind == "identifier" or (self._for.since(3, 12) and token.kind in _FUNCTION_WORDS)):
            return self._call(token)
        if token.kind == "{":
            return Selector(token.place, "", braces(stream))
        if token.kind in self._names:
            matchers = braces(stream) if stream.accept("{") else []
            return Selector(token.place, token.text, matchers)
        raise stream.unexpected(token, "the expression", "a series, a number, a function or (")

    def _call(self, token: Token) -> Node:
        function = FUNCTIONS.get(token.text)
        if function is None or not function.known(self._for):
            raise PromqlError(token.place, f"unknown function {token}{_newer(token.text, self._for)}")
        if not function.allowed(self._for):
            raise PromqlError(token.place, f"the function {token} is experimental and not enabled")
        return Call(token.place, token.text, self._arguments(f"the call of {token}"))

    def _arguments(self, where: str) -> list[Node]:
        self._stream.expect("(", where)
        if self._stream.accept(")"):
            return []
        found = [self._expression(0)]
        while comma := self._stream.accept(","):
            if self._stream.next.kind == ")":
                raise PromqlError(comma.place, f"no comma may stand at the end in {where}")
            found.append(self._expression(0))
        self._stream.expect(")", where, ", or )")
        return found

    def _aggregation(self, token: Token) -> Node:
        by = self._stream.accept("by", "without")
        labels = grouping(self._stream) if by else []
        arguments = self._arguments(token.kind)
        if by is None and (by := self._stream.accept("by", "without")):
            labels = grouping(self._stream)
        flag = EXPERIMENTAL_AGGREGATIONS.get(token.kind)
        if flag and not self._for.flagged(flag, None):
            raise PromqlError(token.place, f"the aggregation {token.kind} is experimental and not enabled")
        wanted = 1 if AGGREGATIONS[token.kind] is None else 2
        if len(arguments) != wanted:
            raise PromqlError(token.place, f"{token.kind} takes {wanted} arguments, not {len(arguments)}")
        return Aggregation(
            *(token.place, token.kind, arguments[-1], arguments[0] if wanted == 2 else None),
            *(labels, by is not None and by.kind == "without"),
        )

    def _matching(self) -> tuple[bool, Matching]:
        """Read what may stand behind an operator."""
        stream, found = self._stream, Matching()
        returns_bool = stream.accept("bool") is not None
        if on := stream.accept("on", "ignoring"):
            found.on = on.kind == "on"
            found.labels = grouping(stream)
            if group := stream.accept("group_left", "group_right"):
                found.group = group.kind
                found.include = grouping(stream) if stream.next.kind == "(" else []
        first = stream.accept("fill", "fill_left", "fill_right")
        if first:
            if not self._for.experimental:
                raise PromqlError(first.place, f"{first.kind} is experimental and not enabled")
            found.fill = True
            self._fill_value()
            other = {"fill_left": "fill_right", "fill_right": "fill_left"}.get(first.kind, "")
            if stream.accept(other):
                self._fill_value()
        return returns_bool, found

    def _fill_value(self) -> None:
        stream = self._stream
        stream.expect("(", "fill")
        stream.accept("+", "-")
        token = stream.take()
        if token.kind not in {"number", "duration"}:
            raise stream.unexpected(token, "fill", "a number")
        durations.literal(token)
        stream.expect(")", "fill")

    def _modified(self, node: Node) -> Node:
        """Read ranges, offsets and times behind an operand."""
        while True:
            token = self._stream.next
            if token.kind == "[":
                node = self._range(node)
            elif token.kind == "offset":
                self._stream.take()
                self._offset(node, token)
            elif token.kind == "@":
                self._stream.take()
                self._at(node, token)
            elif token.kind in {"anchored", "smoothed"}:
                self._stream.take()
                self._extend(node, token)
            else:
                return node

    def _range(self, node: Node) -> Node:
        bracket = self._stream.take()
        duration = durations.positive(self._stream)
        if self._stream.accept(":"):
            if self._stream.next.kind != "]":
                durations.positive(self._stream)
            self._stream.expect("]", "a subquery")
            return Subquery(bracket.place, node)
        self._stream.expect("]", "a range", ": or ]")
        if not isinstance(node, Selector):
            raise PromqlError(bracket.place, "a range may follow a selector only; a subquery has a colon: [5m:]")
        if (node.offset or node.at) and (not node.late or self._for.since(3, 15)):
            raise PromqlError(bracket.place, "offset and @ belong behind the range")
        return Range(node.place, node, duration.value)

    def _modifiable(self, node: Node, token: Token) -> Selector | Subquery:
        found = node.selector if isinstance(node, Range) else node
        if not isinstance(found, Selector | Subquery):
            raise PromqlError(token.place, f"{token.kind} may follow a selector, a range or a subquery only")
        return found

    def _offset(self, node: Node, token: Token) -> None:
        self._stream.signed = True
        found = durations.offset(self._stream)
        self._stream.signed = False
        target = self._modifiable(node, token)
        if target.offset:
            raise PromqlError(token.place, "offset is given twice")
        target.offset = found.value != 0
        target.late |= found.value is None

    def _at(self, node: Node, token: Token) -> None:
        stream = self._stream
        late = stream.accept("start", "end") is not None
        if late:
            stream.expect("(", "@")
            stream.expect(")", "@")
        else:
            stream.accept("+", "-")
            found = stream.take()
            if found.kind != "number" and not (found.kind == "duration" and self._for.numbers_are_durations):
                raise stream.unexpected(found, "@", "a time in seconds, start() or end()")
            if not abs(durations.literal(found)) < 2**63:
                raise PromqlError(found.place, "the time behind @ is too far")
        target = self._modifiable(node, token)
        if target.at:
            raise PromqlError(token.place, "@ is given twice")
        target.at = True
        target.late |= late

    def _extend(self, node: Node, token: Token) -> None:
        if not self._for.extended_ranges:
            raise PromqlError(token.place, f"{token.kind} is experimental and not enabled")
        found = node.selector if isinstance(node, Range) else node
        if not isinstance(found, Selector):
            raise PromqlError(token.place, f"{token.kind} may follow a selector or a range only")
        found.anchored |= token.kind == "anchored"
        found.smoothed |= token.kind == "smoothed"
        if found.anchored and found.smoothed:
            raise PromqlError(token.place, "anchored and smoothed exclude each other")


_FUNCTION_WORDS: Final = frozenset({"start", "end", "step", "range", "max_of", "min_of"})


def _newer(name: str, prometheus: Prometheus) -> str:
    function = FUNCTIONS.get(name)
    if function is None:
        return ""
    if function.until and prometheus.release >= function.until:
        return f", which is gone since {function.until[0]}.{function.until[1]}"
    return f", which came with {function.since[0]}.{function.since[1]}"
