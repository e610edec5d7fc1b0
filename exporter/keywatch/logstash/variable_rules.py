"""Rules for environment variables in pipelines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from keywatch.logstash.fields import texts
from keywatch.logstash.finding import LintFinding
from keywatch.logstash.tree import Comparison, Items, Operand, PipelineFile, Text
from keywatch.logstash.variables import malformed, variables


def problems(
    config: PipelineFile, environment: Mapping[str, str] | None, *, comments: bool = False
) -> Iterator[LintFinding]:
    """Say which variables are malformed and, where the environment is given, not defined.

    `comments`: the file is the text of a setting, where Logstash asks for variables in comments too.
    """
    for line, comment in config.comments if comments else ():
        for variable in variables(comment):
            if variable.default is None and variable.name not in (environment or {}):
                yield LintFinding(
                    line,
                    "variable-in-comment",
                    f"${{{variable.name}}} stands in a comment; within config.string Logstash asks for it there too",
                )
    yield from texts_problems(_texts(config), environment)


def texts_problems(texts: Iterable[tuple[int, str]], environment: Mapping[str, str] | None) -> Iterator[LintFinding]:
    """Say which variables of texts, each with its line, are malformed or not defined."""
    for line, text in texts:
        for begun in malformed(text):
            shown = begun.partition(":")[0]  # what follows may be a password
            yield LintFinding(
                line, "variable-malformed", f"{shown} is no variable; one is ${{NAME}} or ${{NAME:default}}"
            )
        for variable in variables(text) if environment is not None else ():
            if variable.default is None and variable.name not in (environment or {}):
                yield LintFinding(
                    line, "variable-undefined", f"${{{variable.name}}} is not defined: Logstash does not start"
                )


def _texts(config: PipelineFile) -> Iterator[tuple[int, str]]:
    for _, plugin in config.plugins():
        for setting in plugin.settings:
            for text in texts(setting.value):
                yield text.line, text.raw
    for condition in config.conditions():
        if isinstance(condition, Comparison):
            for operand in (condition.left, condition.right):
                yield from _operand(operand)


def _operand(operand: Operand) -> Iterator[tuple[int, str]]:
    if isinstance(operand, Text):
        yield operand.line, operand.raw
    elif isinstance(operand, Items):
        for text in texts(operand):
            yield text.line, text.raw
