"""Environment variables in Logstash's files: `${NAME}` must be defined, `${NAME:default}` need not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

_VARIABLE = re.compile(r"\$\{([a-zA-Z_.][a-zA-Z0-9_.]*)(?::([^}]*))?\}")
_BEGINS = re.compile(r"\$\{[^}\n]{0,60}\}?")


class Variable(NamedTuple):
    """A variable as a text names it; the default is None where there is none."""

    name: str
    default: str | None


class UndefinedError(Exception):
    """A variable has no value and no default: Logstash does not start."""

    def __init__(self, name: str) -> None:
        super().__init__(f"${{{name}}} is not defined and has no default")
        self.name = name


def variables(text: str) -> Iterator[Variable]:
    """Return the variables that a text names."""
    for found in _VARIABLE.finditer(text):
        yield Variable(found[1], found[2])


def malformed(text: str) -> Iterator[str]:
    """Return what begins like a variable and is none, so that Logstash takes it as it stands."""
    for found in _BEGINS.finditer(text):
        if not _VARIABLE.match(text, found.start()):
            yield found[0]


def substituted(text: str, environment: Mapping[str, str]) -> str:
    """Return the text with its variables replaced; raises `UndefinedError`."""

    def value(found: re.Match[str]) -> str:
        name, default = found[1], found[2]
        if name not in environment and default is None:
            raise UndefinedError(name)
        return environment.get(name, default or "")

    return _VARIABLE.sub(value, text)


def filled(text: str, environment: Mapping[str, str], otherwise: str) -> str:
    """Return the text with its variables replaced; `otherwise` stands for those without value and default."""
    return _VARIABLE.sub(lambda found: environment.get(found[1], found[2] or otherwise), text)
