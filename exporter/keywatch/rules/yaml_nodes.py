"""Reads YAML as Go's library does: documents as nodes with their lines, tags and aliases, without meaning yet."""

from __future__ import annotations

import codecs
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import yaml

# libyaml is what Go's library was made from; the wheels of PyYAML have it, and it is ten times as fast.
_LOADER: Final[Any] = getattr(yaml, "CLoader", yaml.Loader)
_LONG_TAG: Final = "tag:yaml.org,2002:"
_DEEPEST: Final = 200
"""Levels that a rule file may nest: it needs seven."""
_AHEAD: Final = 8
"""Tokens after a document's end that must be well-formed for the document to be read."""
_AHEAD_WITHOUT_MARK: Final = 4
_DIGITS: Final = "0123456789"
# Stands for a byte order mark within a text; it is for private use.
_MARK: Final = "\ue0ff"

Kind = Literal["text", "list", "map", "alias"]


class YamlError(Exception):
    """This is no YAML; the text says why, `line` is where."""

    def __init__(self, line: int, words: str) -> None:
        super().__init__(words)
        self.line = line


@dataclass(slots=True, eq=False)
class YamlNode:
    """One node: `content` holds entries, of a map keys and values in turn; an alias has what it stands for."""

    kind: Kind
    line: int
    value: str = ""
    """The text as it is written, or the alias' name."""
    tag: str = ""
    """Without what all tags of YAML begin with: `!!str`; of a plain text what it looks like: `!!int`."""
    style: str = ""
    """The first sign of a quoted or block text."""
    content: list[YamlNode] = field(default_factory=list)
    target: YamlNode | None = None

    @property
    def pairs(self) -> Iterator[tuple[YamlNode, YamlNode]]:
        """The keys and values of a map."""
        return zip(self.content[::2], self.content[1::2], strict=True)

    @property
    def meant(self) -> YamlNode:
        """The node, or what it is an alias of."""
        return self if self.target is None else self.target

    @property
    def is_null(self) -> bool:
        """Whether it is nothing: `~`, `null`, or no text at all."""
        return self.kind == "text" and self.tag == "!!null"

    def get(self, key: str) -> YamlNode | None:
        """Return a value of a map by its key, without merge keys."""
        return next((value.meant for name, value in self.pairs if name.meant.value == key), None)


def documents(data: bytes) -> Iterator[YamlNode | None]:
    """Return each document's root, none for an empty one; raises `YamlError` at the place that is wrong."""
    text = _plain(data)
    reader = _Reader()
    first = True
    event: Any
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            if reader.take(event):
                if first:
                    _look_ahead(text.decode()[event.start_mark.index :])
                yield reader.root
                reader = _Reader()
                first = False
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = error.problem or error.context or "cannot be read"
        raise YamlError(mark.line + 1 if mark else 1, problem) from None
    except yaml.reader.ReaderError as error:
        line = data[: error.position].count(b"\n") + 1 if isinstance(error.position, int) else 1
        raise YamlError(line, str(error.reason)) from None
    except yaml.YAMLError as error:
        raise YamlError(1, str(error).splitlines()[0]) from None
    except (RecursionError, ValueError) as error:
        raise YamlError(1, f"cannot be read: {error}") from None


def _plain(data: bytes) -> bytes:
    """Return UTF-8 in which a byte order mark within the text is a letter like any other, as it is for Go's library."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            data = data.decode("utf-16").encode()
        except UnicodeError as error:
            raise YamlError(1, f"cannot be read: {error}") from None
    while data.startswith(codecs.BOM_UTF8):
        data = data.removeprefix(codecs.BOM_UTF8)
    if b"\t" in data:
        data = b"\n".join(_without_tabs(data.split(b"\n")))
    return data.replace(codecs.BOM_UTF8, _MARK.encode())


def _without_tabs(lines: list[bytes]) -> Iterator[bytes]:
    """Return lines in which comments that follow others are indented without tabs: Go's library takes them so."""
    follows = False
    blank: list[bytes] = []
    for line in lines:
        words = line.lstrip(b" \t")
        comment = words.startswith(b"#")
        if follows and not words.strip():
            blank.append(line)
            continue
        yield from [b""] * len(blank) if comment else blank
        blank = []
        yield b" " * (len(line) - len(words)) + words if follows and comment else line
        follows = comment
    yield from blank


def _look_ahead(rest: str) -> None:
    """Read the beginning of what follows the first document, as Go's library does before it gives that one.

    Raises `yaml.YAMLError`.
    """
    ahead = _AHEAD if rest.startswith(("---", "...", "%")) else _AHEAD_WITHOUT_MARK
    if rest.strip():
        for _ in itertools.islice(yaml.scan(rest, Loader=_LOADER), ahead):
            pass


class _Reader:
    """Builds one document from its events."""

    def __init__(self) -> None:
        self.root: YamlNode | None = None
        self._open: list[YamlNode] = []
        self._anchors: dict[str, YamlNode] = {}

    def take(self, event: Any) -> bool:
        """Take an event of PyYAML; says whether a document has ended."""
        kind = type(event)
        if kind is yaml.ScalarEvent:
            self._add(_text(event), event.anchor)
        elif kind is yaml.AliasEvent:
            target = self._anchors.get(event.anchor)
            line = event.start_mark.line + 1
            if target is None:
                raise YamlError(line, f"unknown anchor {event.anchor!r}")
            self._add(YamlNode("alias", line, event.anchor, target=target), None)
        elif kind is yaml.SequenceStartEvent:
            self._begin("list", event)
        elif kind is yaml.MappingStartEvent:
            self._begin("map", event)
        elif kind in {yaml.SequenceEndEvent, yaml.MappingEndEvent}:
            self._open.pop()
        elif kind is yaml.DocumentStartEvent and event.version not in {None, (1, 1)}:
            raise YamlError(event.start_mark.line + 1, "Prometheus reads YAML 1.1 only")
        return kind is yaml.DocumentEndEvent

    def _begin(self, kind: Kind, event: Any) -> None:
        node = YamlNode(kind, event.start_mark.line + 1, tag=_short(event.tag or f"!!{_GO_NAMES[kind]}"))
        self._add(node, event.anchor)
        self._open.append(node)
        if len(self._open) > _DEEPEST:
            raise YamlError(node.line, f"nests deeper than {_DEEPEST} levels")

    def _add(self, node: YamlNode, anchor: str | None) -> None:
        if self._open:
            self._open[-1].content.append(node)
        else:
            self.root = node
        if anchor is not None:
            self._anchors[anchor] = node


_GO_NAMES: Final = {"list": "seq", "map": "map"}


def _short(tag: str) -> str:
    return f"!!{tag.removeprefix(_LONG_TAG)}" if tag.startswith(_LONG_TAG) else tag


def _text(event: Any) -> YamlNode:
    style = event.style or ""
    value = event.value.replace(_MARK, "\ufeff")
    if event.tag not in {None, "", "!"}:
        tag = _short(event.tag)
    elif style:
        tag = "!!str"
    else:
        tag = "!!merge" if value == "<<" else looks_like(value)
    return YamlNode("text", event.start_mark.line + 1, value, tag, style)


_WORDS: Final = {
    **dict.fromkeys(("true", "True", "TRUE", "false", "False", "FALSE"), "!!bool"),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), "!!null"),
    **{f"{sign}.{word}": "!!float" for sign in ("", "+", "-") for word in ("inf", "Inf", "INF")},
    **dict.fromkeys((".nan", ".NaN", ".NAN"), "!!float"),
}
_INTEGER = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9]\d*)", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?", re.ASCII)
_DOT_FLOAT = re.compile(r"\.\d[\d]*(?:[eE][-+]?\d+)?", re.ASCII)
_DAY = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[Tt ].*)?", re.ASCII | re.DOTALL)


def looks_like(value: str) -> str:
    """Return the tag that Go's library gives to a plain text."""
    if value in _WORDS:
        return _WORDS[value]
    first = value[0]
    if first == ".":
        return "!!float" if _DOT_FLOAT.fullmatch(value) else "!!str"
    if first not in "+-" and first not in _DIGITS:
        return "!!str"
    if (day := _DAY.fullmatch(value)) and 1 <= int(day[2]) <= 12 and 1 <= int(day[3]) <= 31:
        return "!!timestamp"
    plain = value.replace("_", "")
    if _INTEGER.fullmatch(plain):
        return "!!int"
    return "!!float" if _FLOAT.fullmatch(plain) else "!!str"
