"""Every command that a document tells people to run: those of shell blocks, and those in the middle of a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.exporter.documents.tree import ROOT, files

# What was, what was decided, and what stands there for tests is nobody's to run.
_NOT_READ: Final = ("CHANGELOG.md", "docs/adr/", "tests/", "exporter/", "docs/metrics.md")
_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_MARK = re.compile(r"<!-- not run: ([^:]+): (.*?) -->", re.DOTALL)
_SETTING = re.compile(r"^[A-Za-z_]+=\S*\s+")
_PROGRAM = re.compile(
    r"(?:[\w./-]*/)?(?:keywatch(?:-dashboards)?|kafka-[a-z-]+\.sh|kcadm\.sh|kc\.sh|amtool|awk|bash|cat|chmod|chown|"
    r"chronyc|cp|curl|date|df|dig|docker|du|echo|find|getent|git|grep|htpasswd|iostat|jcmd|journalctl|jq|jstack|kill|"
    r"kubectl|logstash|ls|lsof|make|mkdir|mv|nc|openssl|pgrep|pidof|ping|pip3?|pkill|podman|printf|promtool|ps|"
    r"py-spy|python3?|rm|rsync|sed|ss|systemctl|tar|timedatectl|timeout|top|touch)"
)
"""The first word of what is a command when it stands in a sentence."""
_SAID: Final = frozenset({"keywatch is healthy"})
"""Words that look like a command and are an answer."""
_SHELL: Final = frozenset({"sh", "console", "bash", "shell"})


@dataclass(frozen=True)
class Command:
    """One command; `text` is as it stands there, `mark` why no test runs it, empty: one does."""

    document: str
    line: int
    text: str
    mark: str

    @property
    def program(self) -> str:
        """The first word, without variables that are set before it."""
        text = self.text
        while match := _SETTING.match(text):
            text = text[match.end() :]
        return text.split(maxsplit=1)[0]

    def __str__(self) -> str:
        """Return where it stands and what it is."""
        return f"{self.document}:{self.line}: {self.text}"


@dataclass(frozen=True)
class Mark:
    """`<!-- not run: BEGINNING: REASON -->`: commands of that document that begin so are run by no test."""

    document: str
    beginning: str
    reason: str


def documents() -> Iterator[Path]:
    """Return the documents that tell people what to do."""
    for path in files("*.md"):
        if not str(path.relative_to(ROOT)).startswith(_NOT_READ):
            yield path


def marks(document: str, text: str) -> list[Mark]:
    """Return what a document says about its own commands."""
    return [Mark(document, match[1], " ".join(match[2].split())) for match in _MARK.finditer(text)]


def commands(document: str, text: str) -> Iterator[Command]:
    """Return the commands of a document, those of a function's body together with what calls it."""
    own = marks(document, text)
    bare = _COMMENT.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
    for match in _FENCE.finditer(bare):
        if match[2] in _SHELL:
            first = bare[: match.start(3)].count("\n") + 1
            for line, words in _of_block(match[3], console=match[2] == "console"):
                yield Command(document, first + line, words, _why_not(words, own))
    prose = _FENCE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), bare)
    for match in _SPAN.finditer(prose):
        words = " ".join(match[1].replace("\\|", "|").split())
        if is_command(words):
            yield Command(document, prose[: match.start()].count("\n") + 1, words, _why_not(words, own))


def is_command(words: str) -> bool:
    """Return whether something in the middle of a sentence is a command: a known program, and what it is given."""
    program, _, rest = words.partition(" ")
    while _SETTING.match(f"{program} ") and rest:
        program, _, rest = rest.partition(" ")
    return bool(rest) and words not in _SAID and _PROGRAM.fullmatch(program) is not None


def _why_not(words: str, own: list[Mark]) -> str:
    text = words
    while match := _SETTING.match(text):
        text = text[match.end() :]
    return next((mark.reason for mark in own if text.startswith(mark.beginning)), "")


def _of_block(block: str, *, console: bool) -> Iterator[tuple[int, str]]:
    """Return the commands of a block: lines that go on make one, and one that sets something belongs to the next."""
    lines = block.splitlines()
    if console:
        lines = [line.strip().removeprefix("$ ") if line.strip().startswith("$ ") else "" for line in lines]
    if any(re.match(r"\s*(\w+\(\)|\w+=\S+$|\w+=\$\()", line) for line in lines) and not console:
        yield 0, "\n".join(line.strip() for line in lines)
        return
    begun: list[str] = []
    for number, line in enumerate(lines):
        words = line.strip()
        if not begun and (not words or words.startswith("#")):
            continue
        begun.append(words)
        if not words.endswith(("\\", "|", "&&")):
            yield number - len(begun) + 1, "\n".join(begun)
            begun = []
