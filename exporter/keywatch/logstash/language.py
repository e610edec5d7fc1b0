"""Reads Logstash's pipeline language as strictly as Logstash itself does."""

from __future__ import annotations

import sys
from collections.abc import Callable

from keywatch.logstash.conditions import condition
from keywatch.logstash.cursor import Cursor, MismatchError
from keywatch.logstash.tree import Branch, Case, PipelineFile, PipelineSection, Step
from keywatch.logstash.values import plugin

_KINDS = ("input", "filter", "output")
# What is nested as deeply as the cursor allows needs some nine frames each; none of them is on C's stack.
_FRAMES = 6000


def parse(text: str) -> PipelineFile:
    """Read the text of one pipeline file as Logstash 9 does; raises `LanguageError`.

    `newer` of what it returns says where Logstash before 8.15 would have stopped; all else is the same to it.
    """
    cursor = Cursor(text)
    sections: list[PipelineSection] = []
    allowed = sys.getrecursionlimit()
    sys.setrecursionlimit(max(allowed, _FRAMES))
    try:
        cursor.rest()
        while cursor.at < len(text):
            sections.append(_section(cursor))
            cursor.rest()
    except MismatchError:
        raise cursor.error() from None
    finally:
        sys.setrecursionlimit(allowed)
    return PipelineFile(tuple(sections), cursor.comments(), cursor.newest(), *cursor.deepest())


def _section(cursor: Cursor) -> PipelineSection:
    line = cursor.line
    kind = cursor.tokens(*_KINDS)
    cursor.rest()
    return PipelineSection(kind, _body(cursor), line)


def _body(cursor: Cursor) -> tuple[Step, ...]:
    """Read steps in braces."""
    cursor.opening("{")
    steps: list[Step] = []
    ways: tuple[Callable[[], Step], ...] = (lambda: _branch(cursor), lambda: plugin(cursor))
    while not cursor.text.startswith("}", cursor.at):
        steps.append(cursor.first("a plugin, if or '}'", *ways))
        cursor.rest()
    cursor.token("}")
    return tuple(steps)


def _branch(cursor: Cursor) -> Branch:
    line = cursor.line
    cursor.token("if")
    cases = [_case(cursor, line)]
    while (case := cursor.attempt(lambda: _else_if(cursor))) is not None:
        cases.append(case)
    if (case := cursor.attempt(lambda: _else(cursor))) is not None:
        cases.append(case)
    return Branch(tuple(cases), line)


def _else_if(cursor: Cursor) -> Case:
    cursor.rest()
    line = cursor.line
    cursor.opening("else")
    cursor.token("if")
    return _case(cursor, line)


def _else(cursor: Cursor) -> Case:
    cursor.rest()
    line = cursor.line
    cursor.opening("else")
    return Case(None, _body(cursor), line)


def _case(cursor: Cursor, line: int) -> Case:
    cursor.rest()
    found = condition(cursor)
    cursor.rest()
    return Case(found, _body(cursor), line)
