"""A rule file of the house: what it says, with the line in which each part of it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from keywatch.config.messages import Place, dotted
from keywatch.config.yaml_file import ConfigError, read, tree
from keywatch.rules.meaning import queries
from keywatch.rules.prometheus import Prometheus
from keywatch.rules.templates.lexer import TemplateError
from keywatch.rules.templates.parser import parsed

_ANY: Final = Prometheus(experimental=True)


class Rule(NamedTuple):
    """One rule and where it stands."""

    place: Place
    data: Mapping[str, Any]

    @property
    def alert(self) -> str | None:
        """The alert's name; none for a recording rule."""
        name = self.data.get("alert")
        return name if isinstance(name, str) else None

    @property
    def record(self) -> str | None:
        """The recorded series' name; none for an alert."""
        name = self.data.get("record")
        return name if isinstance(name, str) else None

    def texts(self) -> Iterator[tuple[Place, str]]:
        """Return the annotations and labels that are text."""
        for section in ("annotations", "labels"):
            entries = self.data.get(section)
            for key, value in entries.items() if isinstance(entries, Mapping) else ():
                if isinstance(value, str):
                    yield (*self.place, section, key), value

    def expressions(self) -> Iterator[tuple[Place, str]]:
        """Return every PromQL expression: the rule's own, and those that its annotations ask in templates."""
        expression = self.data.get("expr")
        if isinstance(expression, str | int | float) and not isinstance(expression, bool):
            yield (*self.place, "expr"), str(expression)
        for place, text in self.texts():
            try:
                template = parsed(text, _ANY)
            except TemplateError:
                continue
            for _, query in queries(template):
                yield place, query


class RuleFile:
    """What a file says, and the words for what is wrong at a place of it."""

    def __init__(self, path: Path) -> None:
        """Read the file; raises `ConfigError` when it cannot be read or is not YAML."""
        self.path = path
        text = read(path)
        self.data, self._lines = tree(text, str(path))
        self._text = text.splitlines()
        if not isinstance(self.data, Mapping):
            raise ConfigError(f"{path}: is empty or not a mapping; a rule file begins with groups:")

    def rules(self) -> Iterator[Rule]:
        """Return every rule that has the shape of one."""
        groups = self.data.get("groups")
        for number, group in enumerate(groups if isinstance(groups, list) else ()):
            rules = group.get("rules") if isinstance(group, Mapping) else None
            for index, rule in enumerate(rules if isinstance(rules, list) else ()):
                if isinstance(rule, Mapping):
                    yield Rule(("groups", number, "rules", index), rule)

    def line(self, place: Place, word: str | None = None) -> int:
        """Return the line of a place, or of the first time that a word stands in its value."""
        start = next((self._lines[place[:size]] for size in range(len(place), 0, -1) if place[:size] in self._lines), 1)
        if word is not None:
            later = [line for line in self._lines.values() if line > start]
            pattern = re.compile(rf"(?<![\w:]){re.escape(word)}(?![\w:])")
            for line in range(start, min(later, default=len(self._text) + 1)):
                if pattern.search(self._text[line - 1]):
                    return line
        return start

    def words(self, place: Place, problem: str, word: str | None = None) -> str:
        """Say what is wrong where: file, line, the key's path, the problem."""
        return f"{self.path}:{self.line(place, word)}: {dotted(place)}: {problem}"

    def line_of(self, words: str) -> int:
        """Return the line that words of this file begin with."""
        return int(words.removeprefix(f"{self.path}:").partition(":")[0])
