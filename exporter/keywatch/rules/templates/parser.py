"""Reads a template by the grammar of Go's text/template."""

from __future__ import annotations

import re
from typing import Final

from keywatch.rules.depth import DEEPEST, room
from keywatch.rules.go_literals import LiteralError, escape, floating, integer, unquoted
from keywatch.rules.prometheus import Prometheus
from keywatch.rules.templates.functions import missing
from keywatch.rules.templates.lexer import Lexer, TemplateError, Token
from keywatch.rules.templates.tree import Pipeline, Template, Word

# What Prometheus defines before each annotation and label.
_GIVEN: Final = ("$", "$labels", "$externalLabels", "$externalURL", "$value")
_OPERANDS: Final = frozenset({"bool", "constant", "complex", "dot", "field", "identifier", "number", "nil", "string"})
_LITERALS: Final = frozenset({"bool", "constant", "complex", "dot", "number", "nil", "string"})
_COMPLEX = re.compile(r"(.*?[^eEpP+-])([+-].*)i", re.DOTALL)


def parsed(text: str, prometheus: Prometheus) -> Template:
    """Return what a template holds; raises `TemplateError`."""
    found = Template()
    if "{{" not in text:
        return found
    with room():
        _Parser(Lexer(text).tokens(), prometheus, found).whole()
    return found


class _Scope:
    """What is known within one template, defined or given: variables, and how many `range` are around."""

    def __init__(self, variables: tuple[str, ...], *, top: bool) -> None:
        self.variables = list(variables)
        self.ranges = 0
        self.moved = 0
        """How many actions around have set the dot."""
        self.top = top


class _Parser:
    def __init__(self, tokens: list[Token], prometheus: Prometheus, found: Template) -> None:
        self._tokens = tokens
        self._at = 0
        self._for = prometheus
        self._found = found
        self._scope = _Scope(_GIVEN, top=True)
        self._depth = 0
        self._full: set[str] = set()

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _take(self) -> Token:
        found = self._tokens[self._at]
        if found.kind != "EOF":
            self._at += 1
        return found

    def _beyond_space(self) -> Token:
        while self._next.kind == "space":
            self._at += 1
        return self._next

    def _take_beyond_space(self) -> Token:
        self._beyond_space()
        return self._take()

    def _expect(self, kind: str, where: str) -> Token:
        token = self._take_beyond_space()
        if token.kind != kind:
            raise _unexpected(token, where)
        return token

    def whole(self) -> None:
        while self._next.kind != "EOF":
            if self._next.kind == "{{" and self._second() == "define":
                self._take()
                self._take_beyond_space()
                self._definition()
                continue
            ended, _ = self._item()
            if ended:
                raise TemplateError(ended.place, f"unexpected {ended}")

    def _second(self) -> str:
        place = self._at + 1
        while self._tokens[place].kind == "space":
            place += 1
        return self._tokens[place].kind

    def _definition(self) -> None:
        name = self._name(self._take_beyond_space(), "define")
        self._expect("}}", "define")
        self._body(name, "define")

    def _body(self, name: str, where: str) -> None:
        """Read the body of a definition, which knows no variable from outside."""
        outer, self._scope = self._scope, _Scope(("$",), top=False)
        ended, full = self._items()
        self._scope = outer
        if ended.kind != "end":
            raise TemplateError(ended.place, f"unexpected {ended} in {where}")
        if full and name in self._full:
            raise TemplateError(ended.place, f"the template {name!r} is defined twice")
        if full:
            self._full.add(name)
        self._found.defined.add(name)

    def _name(self, token: Token, where: str) -> str:
        if token.kind != "string":
            raise _unexpected(token, where)
        return _unquoted(token)

    def _items(self) -> tuple[Token, bool]:
        """Read up to an end or else, and return it and whether there was more than white space."""
        full = False
        while self._beyond_space().kind != "EOF":
            ended, some = self._item()
            if ended:
                return ended, full
            full |= some
        raise TemplateError(self._next.place, "unexpected end of the text: {{ end }} is missing")

    def _item(self) -> tuple[Token | None, bool]:
        token = self._take_beyond_space()
        if token.kind == "text":
            return None, not token.text.isspace()
        if token.kind == "{{":
            return self._action(), True
        raise _unexpected(token, "the text")

    def _action(self) -> Token | None:  # noqa: C901 - a table of cases
        """Read an action and return it when it is an end or else."""
        token = self._beyond_space()
        match token.kind:
            case "block":
                self._take()
                self._block()
            case "break" | "continue":
                self._take()
                if (behind := self._take_beyond_space()).kind != "}}":
                    raise _unexpected(behind, f"{token}")
                if not self._scope.ranges:
                    raise TemplateError(token.place, f"{token} outside of {{{{range}}}}")
            case "end":
                self._take()
                self._expect("}}", "end")
                return token
            case "else":
                self._take()
                if self._beyond_space().kind not in {"if", "with"}:
                    self._expect("}}", "else")
                return token
            case "if" | "range" | "with":
                self._take()
                self._control(token.kind)
            case "template":
                self._take()
                name = self._name(self._take_beyond_space(), "template")
                self._found.called.append((name, token.place))
                if self._beyond_space().kind == "}}":
                    self._take()
                else:
                    self._pipeline("template", "}}")
            case _:
                self._pipeline("command", "}}")
        return None

    def _block(self) -> None:
        name = self._name(self._take_beyond_space(), "block")
        self._pipeline("block", "}}")
        self._body(name, "block")

    def _control(self, kind: str) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            raise TemplateError(self._next.place, f"nests deeper than {DEEPEST} levels, which keywatch does not read")
        scope = self._scope
        known = len(scope.variables)
        self._pipeline(kind, "}}")
        scope.ranges += kind == "range"
        scope.moved += kind != "if"
        ended, _ = self._items()
        scope.ranges -= kind == "range"
        scope.moved -= kind != "if"
        if ended.kind == "else":
            again = self._next.kind
            if again == kind == "if" or (again == kind == "with" and self._for.since(3, 0)):
                self._take()
                self._control(kind)
            elif again in {"if", "with"}:
                raise _unexpected(self._next, "the text")
            else:
                ended, _ = self._items()
                if ended.kind != "end":
                    raise TemplateError(ended.place, f"expected end; found {ended}")
        del scope.variables[known:]
        self._depth -= 1

    def _pipeline(self, where: str, end: str) -> Pipeline:
        found = Pipeline(self._beyond_space().place)
        self._declarations(where)
        while True:
            token = self._take_beyond_space()
            if token.kind == end:
                break
            if token.kind not in _OPERANDS and token.kind not in {"variable", "("}:
                raise _unexpected(token, where)
            self._at -= 1
            found.commands.append(self._command())
        if not found.commands:
            raise TemplateError(token.place, f"missing value for {where}")
        for words in found.commands[1:]:
            if words[0].kind in _LITERALS:
                raise TemplateError(words[0].place, f"{words[0].text} is no command that a value can go to")
        scope = self._scope
        self._found.pipelines.append((found, scope.top and not scope.moved))
        return found

    def _declarations(self, where: str) -> None:
        count = 0
        while self._beyond_space().kind == "variable":
            start = self._at
            variable = self._take()
            sign = self._beyond_space()
            if sign.kind in {"=", ":="}:
                self._take()
                self._scope.variables.append(variable.text)
                return
            if sign.kind != "character" or sign.text != ",":
                self._at = start
                return
            self._take()
            count += 1
            self._scope.variables.append(variable.text)
            if where != "range" or count > 1:
                raise TemplateError(sign.place, f"too many declarations in {where}")
            if self._beyond_space().kind not in {"variable", "}}", ")"}:
                raise TemplateError(self._next.place, "range can only initialize variables")

    def _command(self) -> list[Word]:
        found: list[Word] = []
        while True:
            self._beyond_space()
            word = self._operand()
            if word is not None:
                found.append(word)
            token = self._take()
            if token.kind == "space":
                continue
            if token.kind in {"}}", ")"}:
                self._at -= 1
            elif token.kind != "|":
                raise _unexpected(token, "operand")
            break
        if not found:
            raise TemplateError(token.place, "empty command")
        return found

    def _operand(self) -> Word | None:
        word = self._term()
        if word is None or self._next.kind != "field":
            return word
        fields = ""
        while self._next.kind == "field":
            fields += self._take().text
        if word.kind in _LITERALS:
            raise TemplateError(word.place, f"unexpected . after term {word.text}")
        if word.kind in {"field", "variable"}:
            word.text += fields
            return word
        return Word("chain", word.text, word.place, word.inner)

    def _term(self) -> Word | None:
        token = self._next
        if token.kind == "(":
            self._take()
            self._depth += 1
            if self._depth > DEEPEST:
                raise TemplateError(token.place, f"nests deeper than {DEEPEST} levels, which keywatch does not read")
            inner = self._pipeline("parentheses", ")")
            self._depth -= 1
            return Word("pipeline", "(…)", token.place, inner)
        if token.kind not in _OPERANDS and token.kind != "variable":
            return None
        self._take()
        text = token.text
        if token.kind == "identifier" and (why := missing(text, self._for)):
            raise TemplateError(token.place, why)
        if token.kind == "variable" and text not in self._scope.variables:
            raise TemplateError(token.place, f"undefined variable {text}")
        if token.kind in {"number", "complex", "constant"}:
            _check_number(token)
        elif token.kind == "string":
            text = _unquoted(token)
        return Word(token.kind, text, token.place)


def _unexpected(token: Token, where: str) -> TemplateError:
    return TemplateError(token.place, f"unexpected {token} in {where}")


def _unquoted(token: Token) -> str:
    try:
        return unquoted(token.text)
    except LiteralError as error:
        raise TemplateError(token.place, str(error)) from None


def _check_number(token: Token) -> None:
    """Raise `TemplateError` when it is no number."""
    text = token.text
    try:
        if token.kind == "constant":
            _check_constant(text[1:-1])
        elif token.kind == "complex":
            found = _COMPLEX.fullmatch(text)
            if found is None:
                raise LiteralError(f"{text} is no number")  # noqa: TRY301 - one place words it
            floating(found[1])
            floating(found[2])
        elif text.endswith("i"):
            floating(text[:-1])
        else:
            _check_plain(text)
    except LiteralError as error:
        raise TemplateError(token.place, str(error)) from None


def _check_constant(inner: str) -> None:
    if inner.startswith("\\"):
        _, end = escape(inner, 1, "'")
    else:
        end = 1
    if len(inner) != end:
        raise LiteralError(f"malformed character constant: '{inner[:40]}'")


def _check_plain(text: str) -> None:
    try:
        found = integer(text)
    except LiteralError:
        floating(text)
        if not set(text) & set(".eEpP"):
            raise
        return
    if not -(2**63) <= found < 2**64:
        raise LiteralError(f"integer overflow: {text[:40]}")
