"""Gives a rule file's nodes their meaning as Go's library does for Prometheus, and says what does not fit."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from keywatch.config.messages import Place
from keywatch.rules.go_literals import LiteralError, seconds
from keywatch.rules.prometheus import Prometheus
from keywatch.rules.yaml_nodes import YamlNode, looks_like


@dataclass(slots=True)
class Problem:
    """What is wrong, at which place of the file and in which line."""

    line: int
    place: Place
    words: str
    rule: str = ""
    """The name of the alert or recorded series."""


@dataclass(slots=True)
class Field:
    """A text and where it stands."""

    text: str
    line: int
    exact: bool = False
    """Whether it is written line by line below its key, so that its lines are the file's."""

    def line_at(self, place: int) -> int:
        """Return the line of a letter of the text."""
        return self.line + 1 + self.text.count("\n", 0, place) if self.exact else self.line


@dataclass(slots=True)
class Rule:
    """One rule; what was not given, or was nothing, is none."""

    place: Place
    line: int
    alert: Field | None = None
    record: Field | None = None
    expr: Field | None = None
    waits: bool = False
    """Whether `for` is given and not 0."""
    keeps: bool = False
    labels: dict[str, Field] = field(default_factory=dict)
    annotations: dict[str, Field] = field(default_factory=dict)
    alias: str = ""
    """The name of the alias that stands for the expression."""

    @property
    def name(self) -> str:
        """The name of the alert or of the recorded series."""
        return next((named.text for named in (self.alert, self.record) if named), "")


@dataclass(slots=True)
class Group:
    """One group of rules."""

    place: Place
    line: int
    name: str = ""
    rules: list[Rule] = field(default_factory=list)
    labels: dict[str, Field] = field(default_factory=dict)


class BrokenError(Exception):
    """The file cannot be decoded any further."""


# As Go's library bounds what aliases may multiply.
_SMALL, _LARGE = 400_000, 4_000_000


class Decoder:
    """Decodes one document; `problems` are collected."""

    def __init__(self, prometheus: Prometheus, *, manifest: bool = False) -> None:
        """Decode for that Prometheus, or as the Kubernetes API has it."""
        self.problems: list[Problem] = []
        self.refused_by_kubernetes: list[Problem] = []
        """What Prometheus would take from a file."""
        self._for = prometheus
        self._manifest = manifest
        self._decoded = 0
        self._by_alias = 0
        self._within: list[YamlNode] = []

    def groups(self, root: YamlNode, place: Place = ()) -> list[Group]:
        """Return the groups below `groups`, as far as they can be decoded."""
        found: list[Group] = []
        try:
            for key, node in self._struct(root, place, ("groups",)):
                for index, entry in self._list(node, (*place, key)):
                    found.append(self._group(entry, (*place, key, index)))
        except BrokenError:
            pass
        return found

    def _say(self, node: YamlNode, place: Place, words: str) -> None:
        self.problems.append(Problem(node.line, place, words))

    def _count(self, node: YamlNode, place: Place) -> None:
        """Count a node; raises `BrokenError` when aliases multiply beyond bounds."""
        self._decoded += 1
        self._by_alias += bool(self._within)
        if self._by_alias > 100 and self._decoded > 1000:
            share = min(1.0, max(0.0, (self._decoded - _SMALL) / (_LARGE - _SMALL)))
            if self._by_alias / self._decoded > 0.99 - 0.89 * share:
                self._say(node, place, "is not YAML that can be built: aliases multiply it too often")
                raise BrokenError

    def _visit(self, node: YamlNode, place: Place) -> YamlNode:
        """Count a node and return what it stands for; raises `BrokenError` as well for what is said to be nothing."""
        self._count(node, place)
        real = node.meant
        if real.is_null and looks_like(real.value) != "!!null":
            self._say(node, place, f"{_shown_text(real.value)} cannot be read as !!null")
            raise BrokenError
        return real

    def _enter(self, node: YamlNode, place: Place) -> None:
        """Note that what an alias stands for is decoded; raises `BrokenError` when it is a part of itself."""
        if node.target is not None:
            if any(node.target is other for other in self._within):
                self._say(node, place, f"is not YAML: the anchor {node.value!r} holds itself")
                raise BrokenError
            self._within.append(node.target)

    def _leave(self, node: YamlNode) -> None:
        if node.target is not None:
            self._within.pop()

    def _group(self, node: YamlNode, place: Place) -> Group:
        found = Group(place, node.line)
        known = ["name", "interval", "limit", "rules"]
        known += ["query_offset"] if self._for.since(2, 53) or self._manifest else []
        known += ["labels"] if self._for.since(3, 0) or self._manifest else []
        known += ["partial_response_strategy"] if self._manifest else []
        for key, value in self._struct(node, place, known):
            here = (*place, key)
            if key == "name":
                found.name = self._text(value, here)
            elif key in {"interval", "query_offset"}:
                self._duration(value, here)
            elif key == "limit":
                self._whole(value, here)
            elif key == "rules":
                found.rules = [self._rule(entry, (*here, index)) for index, entry in self._list(value, here)]
            elif key == "labels":
                found.labels = self._texts(value, here)
        return found

    def _rule(self, node: YamlNode, place: Place) -> Rule:
        found = Rule(place, node.line)
        known = ("record", "alert", "expr", "for", "keep_firing_for", "labels", "annotations")
        for key, value in self._struct(node, place, known):
            here = (*place, key)
            if key in {"record", "alert", "expr"}:
                setattr(found, key, self._named(value, here))
                if key == "expr" and value.kind == "alias":
                    found.alias = value.value
            elif key == "for":
                found.waits = self._duration(value, here) != 0
            elif key == "keep_firing_for":
                found.keeps = self._duration(value, here) != 0
            else:
                setattr(found, key, self._texts(value, here))
        return found

    def _named(self, node: YamlNode, place: Place) -> Field | None:
        """Return a name or expression; old releases take whatever is written there, and an alias by its name."""
        if self._for.since(3, 3) or self._manifest:
            text = self._text(node, place)
        else:
            self._count(node, place)
            text = node.value
        return Field(text, node.line, node.style == "|") if text else None

    def _struct(self, node: YamlNode, place: Place, known: Iterable[str]) -> Iterator[tuple[str, YamlNode]]:
        """Return the keys that are known with their values, and say which are not."""
        fields = frozenset(known)
        for name, key, value in self._map(node, place, set()):
            if name in fields:
                yield name, value
            elif self._manifest:
                self.problems.append(
                    Problem(key.line, (*place, name), f"unknown key {name}: Kubernetes refuses it, or leaves it out")
                )
            else:
                allowed = ", ".join(sorted(fields))
                self._say(key, place, f"unknown key {name[:60]} (allowed: {allowed})")

    def _map(self, node: YamlNode, place: Place, seen: set[str]) -> Iterator[tuple[str, YamlNode, YamlNode]]:
        """Return names, keys and values of a map and of those that are merged into it, each name once."""
        real = self._visit(node, place)
        if real.is_null:
            return
        if real.kind != "map":
            self._say(node, place, f"must be a mapping, is {_shown(real)}")
            return
        self._enter(node, place)
        if self._twice(real, place):
            self._leave(node)
            return
        merged: YamlNode | None = None
        for key, value in real.pairs:
            if key.kind == "text" and key.tag == "!!merge":
                merged = value
                continue
            name = self._text(key, place)
            if key.meant.is_null or name in seen:
                continue
            seen.add(name)
            yield name, key, value
        if merged is not None:
            yield from self._merged(merged, place, seen)
        self._leave(node)

    def _merged(self, node: YamlNode, place: Place, seen: set[str]) -> Iterator[tuple[str, YamlNode, YamlNode]]:
        parts = node.content if node.kind == "list" else [node]
        for part in parts:
            if part.meant.kind != "map":
                self._say(part, place, "<< must be given a mapping, or a list of them")
                raise BrokenError
            yield from self._map(part, place, seen)

    def _twice(self, node: YamlNode, place: Place) -> bool:
        lines: dict[tuple[str, str], int] = {}
        found = False
        for key in node.content[::2]:
            same = (key.kind, key.value)
            if same in lines:
                self._say(key, (*place, key.value), f"is given twice, first in line {lines[same]}")
                found = True
            lines.setdefault(same, key.line)
        return found

    def _list(self, node: YamlNode, place: Place) -> Iterator[tuple[int, YamlNode]]:
        real = self._visit(node, place)
        if real.is_null:
            return
        if real.kind != "list":
            self._say(node, place, f"must be a list, is {_shown(real)}")
            return
        self._enter(node, place)
        yield from ((index, entry) for index, entry in enumerate(real.content) if not entry.meant.is_null)
        self._leave(node)

    def _texts(self, node: YamlNode, place: Place) -> dict[str, Field]:
        found: dict[str, Field] = {}
        for name, key, value in self._map(node, place, set()):
            if self._manifest and value.meant.kind == "text" and _json_kind(value.meant) != "text":
                words = f"must be a text for Kubernetes, is {_shown(value.meant)}; quote it"
                self.refused_by_kubernetes.append(Problem(key.line, (*place, name), words))
            found[name] = Field(self._text(value, (*place, name)), value.meant.line, value.meant.style == "|")
        return found

    def _text(self, node: YamlNode, place: Place) -> str:
        """Return a text; nothing is an empty one."""
        real = self._visit(node, place)
        if real.kind != "text":
            self._say(node, place, f"must be a text, is {_shown(real)}")
            return ""
        if real.is_null:
            return ""
        if real.tag == "!!binary":
            try:
                return base64.b64decode(real.value.replace("\n", ""), validate=True).decode("utf-8", "surrogateescape")
            except binascii.Error:
                self._say(node, place, "!!binary must be base64")
                raise BrokenError from None
        self._check_tag(real, place)
        return real.value

    def _check_tag(self, node: YamlNode, place: Place) -> None:
        """Hold a text against the tag that is written before it; raises `BrokenError`."""
        if node.tag not in {"!!bool", "!!int", "!!float", "!!null", "!!timestamp"}:
            return
        real = looks_like(node.value)
        if real != node.tag and not (node.tag == "!!float" and real == "!!int"):
            self._say(node, place, f"cannot be read as {node.tag}")
            raise BrokenError

    def _duration(self, node: YamlNode, place: Place) -> float:
        """Return a duration in seconds; nothing is 0."""
        if self._visit(node, place).is_null:
            return 0.0
        before = len(self.problems)
        text = self._text(node, place)
        if len(self.problems) > before:
            return 0.0
        try:
            return seconds(text)
        except LiteralError as error:
            self._say(node, place, str(error))
            return 0.0

    def _whole(self, node: YamlNode, place: Place) -> None:
        """Say whether a number is none that fits 64 bits; parts of whole ones are cut off."""
        real = self._visit(node, place)
        if real.is_null:
            return
        if real.kind == "text" and not real.style:
            self._check_tag(real, place)
            plain = real.value.replace("_", "")
            if real.tag == "!!int" and abs(int(plain, 0 if not _old_octal(plain) else 8)) < 2**63:
                return
            if real.tag == "!!float" and _finite(plain):
                return
        self._say(node, place, f"must be a number, is {_shown(real)}")


def _old_octal(text: str) -> bool:
    digits = text.lstrip("+-")
    return len(digits) > 1 and digits[0] == "0" and digits.isdecimal()


def _finite(text: str) -> bool:
    try:
        found = float(text)
    except ValueError:  # .inf and .nan
        return False
    return math.isfinite(found) and abs(found) < 2**63


def _json_kind(node: YamlNode) -> str:
    """Return what Kubernetes makes of a plain text: it reads YAML 1.1, where yes and on are true."""
    if node.style or node.tag == "!!str":
        return "bool" if not node.style and node.value.lower() in {"y", "n", "yes", "no", "on", "off"} else "text"
    return "text" if node.tag in {"!!timestamp", "!!binary", "!!merge"} or not node.tag.startswith("!!") else node.tag


def _shown(node: YamlNode) -> str:
    if node.kind != "text":
        return {"list": "a list", "map": "a mapping"}[node.kind]
    if node.is_null:
        return "nothing"
    return _shown_text(node.value)


def _shown_text(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}…")
