"""What the chosen Prometheus refuses in groups of rules when it loads them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from keywatch.config.messages import Place
from keywatch.rules.decoding import Field, Group, Problem, Rule
from keywatch.rules.prometheus import Prometheus
from keywatch.rules.promql.parser import parsed as parsed_promql
from keywatch.rules.promql.tree import Node, PromqlError
from keywatch.rules.templates.lexer import TemplateError
from keywatch.rules.templates.parser import parsed as parsed_template
from keywatch.rules.templates.tree import Template

_OLD_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_OLD_METRIC: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")


class Loader:
    """Reads what groups say; `problems` is what would be refused, the rest what was understood."""

    def __init__(self, prometheus: Prometheus) -> None:
        """Read for that Prometheus."""
        self.prometheus = prometheus
        self.problems: list[Problem] = []
        self.expressions: dict[Place, Node] = {}
        """A rule's place → its expression."""
        self.templates: dict[Place, Template] = {}
        """The place of an annotation or label → its template, of those that have actions."""
        self._trees: dict[str, Node] = {}

    def load(self, groups: Sequence[Group]) -> None:
        """Judge the groups of one file."""
        lines: dict[str, int] = {}
        for group in groups:
            if not group.name:
                self._say(Problem(group.line, group.place, "the group has no name"))
            elif group.name in lines:
                words = f"the group {group.name} stands already in line {lines[group.name]}"
                self._say(Problem(group.line, (*group.place, "name"), words))
            lines.setdefault(group.name, group.line)
            self._labels(group.labels, (*group.place, "labels"), "")
            for rule in group.rules:
                self._rule(rule)

    def _say(self, problem: Problem) -> None:
        self.problems.append(problem)

    def _rule(self, rule: Rule) -> None:
        name, place = rule.name, rule.place

        def say(key: str, line: int, words: str) -> None:
            self._say(Problem(line, (*place, key) if key else place, words, name))

        if not name:
            say("", rule.line, "alert or record is missing")
        if rule.expr is None:
            say("", rule.line, "expr is missing")
        else:
            self._expression(rule, rule.expr)
        if rule.record:
            self._recording(rule, rule.record)
        self._labels(rule.labels, (*place, "labels"), name)
        for key, value in rule.annotations.items():
            if not self._is_label(key):
                self._say(Problem(value.line, (*place, "annotations", key), "is no name of an annotation", name))
        if rule.alert:
            for section, texts in (("labels", rule.labels), ("annotations", rule.annotations)):
                for key, value in texts.items():
                    self._template(value, (*place, section, key), name)

    def _recording(self, rule: Rule, record: Field) -> None:
        """Judge what only rules that record may not have."""
        wrong = {
            "alert": "a rule has alert or record, not both" if rule.alert else "",
            "annotations": "a recording rule has no annotations" if rule.annotations else "",
            "for": "a recording rule has no for" if rule.waits else "",
            "keep_firing_for": "a recording rule has no keep_firing_for" if rule.keeps else "",
            "record": self._no_metric(record.text),
        }
        for key, words in wrong.items():
            if words:
                self._say(Problem(record.line, (*rule.place, key), words, rule.name))

    def _expression(self, rule: Rule, expr: Field) -> None:
        text = expr.text
        try:
            if text not in self._trees:
                self._trees[text] = parsed_promql(text, self.prometheus)
            self.expressions[rule.place] = self._trees[text]
        except PromqlError as error:
            where = column(text, error.place)
            line = expr.line_at(error.place)
            self._say(Problem(line, (*rule.place, "expr"), f"is no PromQL: {where}{error}", rule.name))

    def _template(self, value: Field, place: Place, name: str) -> None:
        try:
            found = parsed_template(value.text, self.prometheus)
        except TemplateError as error:
            where = column(value.text, error.place)
            self._say(Problem(value.line_at(error.place), place, f"is no template: {where}{error}", name))
            return
        if not found.empty:
            self.templates[place] = found

    def _labels(self, labels: Mapping[str, Field], place: Place, name: str) -> None:
        for key, value in labels.items():
            if key == "__name__" or not self._is_label(key):
                self._say(Problem(value.line, (*place, key), f"{key!r} may be no label", name))
            elif not _is_text(value.text):
                self._say(Problem(value.line, (*place, key), "is no UTF-8", name))

    def _is_label(self, name: str) -> bool:
        if self.prometheus.utf8:
            return name != "" and _is_text(name)
        return _OLD_LABEL.fullmatch(name) is not None

    def _no_metric(self, name: str) -> str:
        if not self.prometheus.utf8:
            return "" if _OLD_METRIC.fullmatch(name) else f"{name[:60]!r} is no name of a series"
        if "{" in name or "}" in name:
            return f"{name[:60]!r} has braces; labels belong below labels"
        return "" if _is_text(name) else f"{name[:60]!r} is no UTF-8"


def _is_text(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)


def column(text: str, place: int) -> str:
    """Return `line:column: ` of a letter of a text, both from 1, as Prometheus counts them."""
    line = text.count("\n", 0, place) + 1
    return f"{line}:{place - text.rfind(chr(10), 0, place)}: "


def names(groups: Sequence[Group]) -> Iterator[str]:
    """Return the series that the groups record."""
    for group in groups:
        for rule in group.rules:
            if rule.record:
                yield rule.record.text
