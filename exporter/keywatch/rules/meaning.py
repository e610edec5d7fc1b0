"""What loads, but will not work as it is meant: every evaluation fails, or something is never used."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from keywatch.config.messages import Place
from keywatch.rules.decoding import Group, Problem, Rule
from keywatch.rules.loading import Loader
from keywatch.rules.prometheus import Prometheus
from keywatch.rules.promql.parser import parsed
from keywatch.rules.promql.tree import Call, Node, PromqlError, Text, walk
from keywatch.rules.promql.types import check
from keywatch.rules.regex import RegexError, fits_nothing
from keywatch.rules.templates.functions import takes
from keywatch.rules.templates.tree import Pipeline, Template, Word

_FIELDS: Final = ("ExternalLabels", "ExternalURL", "Labels", "Value")
_OLD_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_NO_FUNCTIONS: Final = frozenset({"variable", "string", "number", "bool", "dot", "constant", "pipeline"})
# Where texts of these functions are: the regular expression, and labels that are made.
_EXPRESSIONS: Final = {"label_replace": 4}
_MADE_LABELS: Final = {"label_replace": 1, "label_join": 1}


def problems(groups: Sequence[Group], loader: Loader) -> Iterator[Problem]:
    """Say what of groups that were loaded will not work."""
    for group in groups:
        for rule in group.rules:
            if rule.place in loader.expressions:
                yield from _expression(rule, loader.expressions[rule.place], loader.prometheus)
            yield from _labels(rule)
            yield from _templates(rule, loader)
    yield from _doubles(groups)


def _expression(rule: Rule, tree: Node, prometheus: Prometheus) -> Iterator[Problem]:
    expr = rule.expr
    assert expr is not None  # noqa: S101 - it has a tree

    def problem(words: str) -> Problem:
        return Problem(expr.line, (*rule.place, "expr"), words, rule.name)

    kind = check(tree)
    if kind in {"range vector", "string"}:
        yield problem(f"each evaluation fails: a rule needs an instant vector or a scalar, this is a {kind}")
    if rule.alias and not prometheus.since(3, 3):
        yield problem(f"{prometheus} takes the alias *{rule.alias} for the expression {rule.alias!r}")
    for node in walk(tree):
        if isinstance(node, Call) and (words := _call(node, prometheus)):
            yield problem(f"each evaluation fails: {words}")


def _call(node: Call, prometheus: Prometheus) -> str:
    arguments = node.arguments
    index = _EXPRESSIONS.get(node.name)
    if index is not None and isinstance(pattern := arguments[index], Text):
        try:
            fits_nothing(pattern.value, prometheus)
        except RegexError as error:
            return f"{pattern.value[:60]!r} is no regular expression of RE2: {error}"
    index = _MADE_LABELS.get(node.name)
    if index is not None and isinstance(label := arguments[index], Text):
        good = bool(label.value) if prometheus.utf8 else _OLD_LABEL.fullmatch(label.value) is not None
        if not good:
            return f"{label.value[:60]!r} may be no label"
    return ""


def _labels(rule: Rule) -> Iterator[Problem]:
    for key, value in rule.labels.items():
        place: Place = (*rule.place, "labels", key)
        if rule.record and "{{" in value.text:
            words = "labels of a recording rule are no templates: this stays as it is written"
            yield Problem(value.line, place, words, rule.name)
        if rule.alert and key == "alertname":
            yield Problem(value.line, place, "has no effect: Prometheus puts the alert's name there", rule.name)


def _templates(rule: Rule, loader: Loader) -> Iterator[Problem]:
    for section, texts in (("labels", rule.labels), ("annotations", rule.annotations)):
        for key, value in texts.items():
            place: Place = (*rule.place, section, key)
            found = loader.templates.get(place)
            if found is None:
                continue
            told: set[str] = set()
            for at, words in _template(found, loader.prometheus):
                if words not in told:
                    told.add(words)
                    text = f"the template fails whenever the alert fires: {words}"
                    yield Problem(value.line_at(at), place, text, rule.name)


def _template(template: Template, prometheus: Prometheus) -> Iterator[tuple[int, str]]:
    for name, place in template.called:
        if name not in template.defined:
            yield place, f"the template {name!r} is defined nowhere"
    for pipeline, top in template.pipelines:
        for index, words in enumerate(pipeline.commands):
            yield from _command(words, piped=index > 0, prometheus=prometheus)
            for word in words:
                yield from _word(word, top=top)


def _command(words: list[Word], *, piped: bool, prometheus: Prometheus) -> Iterator[tuple[int, str]]:
    first = words[0]
    if first.kind != "identifier":
        if (len(words) > 1 or piped) and first.kind in _NO_FUNCTIONS:
            yield first.place, f"{first.text} is no function, nothing can be given to it"
        if first.kind == "nil":
            yield first.place, "nil is no command"
        return
    least, most = takes(first.text)
    given = len(words) - 1 + piped
    if not least <= given <= most:
        wanted = f"{least}" if least == most else f"{least} or more" if most > 10 else f"{least} to {most}"
        yield first.place, f"{first.text} takes {wanted} arguments, not {given}"
    for word in words[1:]:
        if word.kind == "identifier" and takes(word.text)[0] > 0:
            yield word.place, f"{word.text} stands there without its arguments; put it in parentheses"
    if len(words) > 1 and words[1].kind == "string":
        yield from _first_argument(first.text, words[1], prometheus)


def _first_argument(function: str, word: Word, prometheus: Prometheus) -> Iterator[tuple[int, str]]:
    try:
        if function == "query":
            parsed(word.text, prometheus)
        elif function in {"reReplaceAll", "match"}:
            fits_nothing(word.text, prometheus)
    except PromqlError as error:
        yield word.place, f"the query is no PromQL: {error}"
    except RegexError as error:
        yield word.place, f"{word.text[:60]!r} is no regular expression of RE2: {error}"


def _word(word: Word, *, top: bool) -> Iterator[tuple[int, str]]:
    parts = word.text.split(".")
    data = (word.kind == "field" and top) or (word.kind == "variable" and parts[0] == "$" and len(parts) > 1 and top)
    if data and parts[1] not in _FIELDS:
        yield word.place, f"there is no .{parts[1]}; there are {', '.join(f'.{name}' for name in _FIELDS)}"
    elif word.kind == "variable" and parts[0] in {"$labels", "$externalLabels"} and len(parts) > 2:
        yield word.place, f"{word.text} asks for a field of a label, which is a text"
    elif word.kind == "variable" and parts[0] in {"$value", "$externalURL"} and len(parts) > 1:
        yield word.place, f"{parts[0]} has no fields"


def queries(template: Template) -> Iterator[tuple[int, str]]:
    """Return each query that a template asks with its place; what `printf` puts in is written as `…`."""
    for pipeline, _ in template.pipelines:
        for index, words in enumerate(pipeline.commands):
            if words[0].kind != "identifier" or words[0].text != "query":
                continue
            if len(words) > 1:
                yield from _query(words[1])
            elif index > 0:
                yield from _printed(pipeline.commands[index - 1])


def _query(word: Word) -> Iterator[tuple[int, str]]:
    if word.kind == "string":
        yield word.place, word.text
    elif word.kind == "pipeline" and isinstance(word.inner, Pipeline):
        yield from _printed(word.inner.commands[-1])


def _printed(words: list[Word]) -> Iterator[tuple[int, str]]:
    if len(words) == 1 and words[0].kind == "string":
        yield words[0].place, words[0].text
    elif len(words) > 1 and words[0].text == "printf" and words[1].kind == "string":
        yield words[1].place, words[1].text.replace("%q", '"…"').replace("%s", "…")


def _doubles(groups: Sequence[Group]) -> Iterator[Problem]:
    """Name rules that stand twice: they give the same series or alerts, and one of the two is lost each time."""
    first: dict[object, int] = {}
    for group in groups:
        for rule in group.rules:
            if rule.expr is None or not rule.name:
                continue
            labels = {**group.labels, **rule.labels}
            same = (
                *(bool(rule.alert), rule.name, rule.expr.text),
                frozenset((key, value.text) for key, value in labels.items()),
            )
            if same in first:
                words = f"the same name, labels and expression stand already in line {first[same]}"
                yield Problem(rule.line, rule.place, words, rule.name)
            first.setdefault(same, rule.line)
