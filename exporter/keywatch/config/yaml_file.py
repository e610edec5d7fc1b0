"""Reads YAML with the line of each key, checks it against a model, and words every mistake with its place."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from keywatch.config.files import MOST_TEXT, FileError, contents
from keywatch.config.messages import Place, dotted, words

_MOST_SHOWN = 20
_MOST_NODES = 200_000
_LONGEST_NUMBER = 400
_TEXT = "tag:yaml.org,2002:str"
_Model = TypeVar("_Model", bound=BaseModel)


class ConfigError(Exception):
    """The configuration cannot be used; the text is a complete message, one line for each mistake."""


class Tree(NamedTuple):
    """What a YAML text says, and the line in which each key and entry stands."""

    data: Any
    lines: Mapping[Place, int]


def read(path: Path, most: int = MOST_TEXT) -> str:
    """Read a regular file of at most `most` bytes as text, whatever ends its lines; raises `ConfigError`."""
    try:
        return contents(path, most).decode().replace("\r\n", "\n").replace("\r", "\n")
    except FileError as error:
        raise ConfigError(f"{path}: {error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text: byte {error.start} is wrong") from error


def tree(text: str, source: str) -> Tree:
    """Parse YAML; `source` is how messages call it. Raises `ConfigError`, also for a key that is given twice."""
    loader = None
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        _check_bounds(node)
        lines = _Lines(node)
        data = None if node is None else loader.construct_document(node)
    except _OutOfBoundsError as error:
        raise ConfigError(f"{source}:{error.line}: {error}") from None
    except yaml.MarkedYAMLError as error:
        where = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        # An unquoted password may begin with a character that means something in YAML, and the problem quotes it.
        problem = re.sub(
            r"(alias|anchor|tag(?: handle)?) '.*",
            r"\1; a text that begins with * or ! needs quotes",
            error.problem or "",
        )
        raise ConfigError(f"{source}{where}: is not YAML: {problem or error.context}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{source}: is not YAML: {str(error).splitlines()[0]}") from None
    except ValueError as error:  # PyYAML lets through what Python says of 2024-13-45, which looks like a date
        raise ConfigError(f"{source}: is not YAML: a date or number cannot be read: {error}") from None
    except RecursionError:
        raise ConfigError(f"{source}: is not YAML: it is nested too deeply") from None
    finally:
        if loader is not None:
            loader.dispose()
    if lines.repeated:
        twice = [f"{source}:{line}: {dotted(place)}: is given twice" for place, line in lines.repeated]
        raise ConfigError("\n".join(twice))
    return Tree(data, lines.known)


def validated(
    model: type[_Model],
    data: Mapping[str, Any],
    source: str,
    lines: Mapping[Place, int],
    context: Mapping[str, Any] | None = None,
) -> _Model:
    """Make a model of data; `context` is for the model's validators. Raises `ConfigError`."""
    try:
        return model.model_validate(data, context=context)
    except ValidationError as error:
        found = error.errors(include_url=False)
    problems = [(item["loc"], words(item["loc"], data, item, model)) for item in found if _counts(item, found)]
    raise mistakes(problems, source, lines)


def mistakes(problems: Sequence[tuple[Place, str]], source: str, lines: Mapping[Place, int]) -> ConfigError:
    """Word these places and what is wrong at each as the error to raise."""
    text = [_message(source, lines, *problem) for problem in problems[:_MOST_SHOWN]]
    if len(problems) > _MOST_SHOWN:
        text.append(f"{source}: and {len(problems) - _MOST_SHOWN} more")
    return ConfigError("\n".join(text))


def _counts(error: ErrorDetails, errors: Sequence[ErrorDetails]) -> bool:
    """Return whether an error is one of its own: a list with a bad entry is called too short as well."""
    place = error["loc"]
    deeper = (other["loc"] for other in errors if len(other["loc"]) > len(place))
    return error["type"] != "too_short" or not any(other[: len(place)] == place for other in deeper)


def _message(source: str, lines: Mapping[Place, int], location: Place, problem: str) -> str:
    line = next((lines[location[:size]] for size in range(len(location), 0, -1) if location[:size] in lines), None)
    where = source if line is None else f"{source}:{line}"
    return f"{where}: {dotted(location)}: {problem}"


class _OutOfBoundsError(Exception):
    def __init__(self, node: yaml.Node, words: str) -> None:
        super().__init__(words)
        self.line = node.start_mark.line + 1


def _check_bounds(root: yaml.Node | None) -> None:
    """Refuse what is small to read and huge to build: aliases and merge keys that multiply, numbers without end.

    Raises `_OutOfBoundsError`.
    """
    sizes: dict[int, int | None] = {}

    def size(node: yaml.Node) -> int:
        if id(node) in sizes:
            known = sizes[id(node)]
            if known is None:
                raise _OutOfBoundsError(node, "is not YAML: an alias stands for what it is a part of")
            return known
        sizes[id(node)] = None
        found = 1
        if isinstance(node, yaml.MappingNode):
            found += sum(size(key) + size(value) for key, value in node.value)
        elif isinstance(node, yaml.SequenceNode):
            found += sum(map(size, node.value))
        elif node.tag != _TEXT and len(node.value) > _LONGEST_NUMBER:
            raise _OutOfBoundsError(node, f"is not YAML: a number or date of more than {_LONGEST_NUMBER} letters")
        if found > _MOST_NODES:
            words = f"is not YAML that can be built: aliases make it more than {_MOST_NODES} keys and values"
            raise _OutOfBoundsError(node, words)
        sizes[id(node)] = found
        return found

    if root is not None:
        size(root)


class _Lines:
    """The line of each key and entry of a YAML tree, and the keys that stand there twice."""

    def __init__(self, root: yaml.Node | None) -> None:
        self.known: dict[Place, int] = {}
        self.repeated: list[tuple[Place, int]] = []
        self._seen: set[int] = set()
        self._walk(root, ())

    def _walk(self, node: yaml.Node | None, path: Place) -> None:
        if id(node) in self._seen:  # an alias: it may even hold itself
            return
        self._seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                place = (*path, key.value)
                if place in self.known and key.value != "<<":
                    self.repeated.append((place, key.start_mark.line + 1))
                    continue
                self.known[place] = key.start_mark.line + 1
                self._walk(value, place)
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                place = (*path, index)
                self.known[place] = value.start_mark.line + 1
                self._walk(value, place)
