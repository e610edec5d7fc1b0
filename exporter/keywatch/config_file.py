"""Reads a configuration file and says of each mistake where it is, what is wrong and what is allowed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from confluent_kafka import KafkaException
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from keywatch.config import Config
from keywatch.config_messages import Path as Place
from keywatch.config_messages import dotted, words
from keywatch.kafka.client import Clients
from keywatch.kafka.security import ClusterSecurity
from keywatch.secret import SecurityError

_MOST_SHOWN = 20


class ConfigError(Exception):
    """The configuration cannot be used; the text is a complete message, one line for each mistake."""


def load(path: Path) -> Config:
    """Read and check a file; raises `ConfigError` for anything that is wrong with it."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text: byte {error.start} is wrong") from error
    return parse(text, str(path))


def parse(text: str, source: str) -> Config:
    """Check a configuration given as YAML; `source` is how messages call it. Raises `ConfigError`."""
    try:
        data = yaml.safe_load(text)
        lines = _Lines(yaml.compose(text, Loader=yaml.SafeLoader))
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
    if lines.repeated:
        twice = [f"{source}:{line}: {dotted(place)}: is given twice" for place, line in lines.repeated]
        raise ConfigError("\n".join(twice))
    if not isinstance(data, Mapping):
        raise ConfigError(f"{source}: is empty or not a mapping; the least is clusters: with one bootstrap: address")
    return check(data, source, lines.known)


def check(data: Mapping[str, Any], source: str, lines: Mapping[Place, int] | None = None) -> Config:
    """Check configuration data; `lines` tells where in the source a key stands. Raises `ConfigError`."""
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        found = error.errors(include_url=False)
        problems = [(item["loc"], words(item["loc"], data, item)) for item in found if _counts(item, found)]
    else:
        problems = [*_unreadable(config), *_refused(config)]
        if not problems:
            return config
    text = [_message(source, lines or {}, *problem) for problem in problems[:_MOST_SHOWN]]
    if len(problems) > _MOST_SHOWN:
        text.append(f"{source}: and {len(problems) - _MOST_SHOWN} more")
    raise ConfigError("\n".join(text))


def _counts(error: ErrorDetails, errors: Sequence[ErrorDetails]) -> bool:
    """Tell whether an error is one of its own: a list with a bad entry is called too short as well."""
    place = error["loc"]
    deeper = (other["loc"] for other in errors if len(other["loc"]) > len(place))
    return error["type"] != "too_short" or not any(other[: len(place)] == place for other in deeper)


def _message(source: str, lines: Mapping[Place, int], location: Place, problem: str) -> str:
    line = next((lines[location[:size]] for size in range(len(location), 0, -1) if location[:size] in lines), None)
    where = source if line is None else f"{source}:{line}"
    return f"{where}: {dotted(location)}: {problem}"


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


def _unreadable(config: Config) -> Iterator[tuple[Place, str]]:
    """Name the files that the configuration points at and that cannot be read."""
    for index, cluster in enumerate(config.clusters):
        missing = False
        for name, section in (("tls", cluster.tls), ("sasl", cluster.sasl)):
            for key in type(section).model_fields if section is not None else ():
                path = getattr(section, key)
                if not isinstance(path, Path):
                    continue
                try:
                    with path.open("rb"):
                        pass
                except OSError as error:
                    missing = True
                    yield ("clusters", index, name, key), f"{path} cannot be read: {error.strerror}"
        if not missing:
            try:
                ClusterSecurity(cluster)
            except SecurityError as error:
                yield ("clusters", index, *error.key), error.words


def _refused(config: Config) -> Iterator[tuple[Place, str]]:
    """Say of which settings librdkafka says that it does not know or allow them; without an address it calls nobody."""
    for index, cluster in enumerate(config.clusters):
        clients = Clients("", cluster.client)
        try:
            if cluster.client:
                clients.producer(1.0, lambda *_: None)
                clients.tail()
        except KafkaException as error:
            yield ("clusters", index, "client"), error.args[0].str().strip()
