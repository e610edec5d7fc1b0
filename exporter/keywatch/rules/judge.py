"""Judges one file: what the chosen Prometheus refuses, what will not work, and where."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from keywatch.config.files import FileError, contents
from keywatch.config.messages import dotted
from keywatch.config.yaml_file import ConfigError
from keywatch.rules import meaning
from keywatch.rules.decoding import Decoder, Group, Problem
from keywatch.rules.loading import Loader
from keywatch.rules.manifest import is_manifest, specs
from keywatch.rules.prometheus import Prometheus
from keywatch.rules.yaml_nodes import YamlError, YamlNode, documents

_MOST_FILE: Final = 16 * 1024 * 1024
MOST_TOLD: Final = 20
"""Messages of each kind that are shown of a file."""


@dataclass(slots=True)
class Judgement:
    """One file."""

    path: Path
    loader: Loader
    groups: list[Group] = field(default_factory=list)
    refused: list[Problem] = field(default_factory=list)
    found: list[Problem] = field(default_factory=list)
    manifest: bool = False
    """Whether it is for the Prometheus Operator, which loads what stands below `spec`."""

    @property
    def rules(self) -> int:
        """How many rules it has."""
        return sum(len(group.rules) for group in self.groups)


def judge(path: Path, prometheus: Prometheus) -> Judgement:
    """Read and judge a file; raises `ConfigError` when it cannot be read at all."""
    try:
        data = contents(path, _MOST_FILE)
    except FileError as error:
        raise ConfigError(f"{path}: {error}") from None
    return judged(path, data, prometheus)


def judged(path: Path, data: bytes, prometheus: Prometheus) -> Judgement:
    """Judge what a file holds."""
    found = Judgement(path, Loader(prometheus))
    roots: list[YamlNode | None] = []
    broken: YamlError | None = None
    try:
        for root in documents(data):
            roots.append(root)
            if len(roots) == 2 and not is_manifest(roots[0]):
                break
    except YamlError as error:
        broken = error
    found.manifest = bool(roots) and is_manifest(roots[0])
    if broken is not None and (found.manifest or not roots):
        found.refused.append(Problem(broken.line, (), f"is not YAML: {broken}"))
    elif found.manifest:
        _load_manifest(found, roots, prometheus)
    elif roots:
        _load_first(found, roots, prometheus, more=len(roots) > 1 or broken is not None)
    found.refused += found.loader.problems
    if not found.refused:
        found.found += meaning.problems(found.groups, found.loader)
    return found


def _load_first(found: Judgement, roots: list[YamlNode | None], prometheus: Prometheus, *, more: bool) -> None:
    root = roots[0]
    if root is not None:
        decoder = Decoder(prometheus)
        found.groups = decoder.groups(root)
        found.refused += decoder.problems
        found.loader.load(found.groups)
    if more:
        line = next((other.line for other in roots[1:] if other is not None), 1)
        found.found.append(
            Problem(line, (), "Prometheus reads the first document only; this one and later ones are lost")
        )


def _load_manifest(found: Judgement, roots: list[YamlNode | None], prometheus: Prometheus) -> None:
    for spec in specs(roots):
        decoder = Decoder(prometheus, manifest=True)
        groups = decoder.groups(spec.node, spec.place)
        found.refused += decoder.problems
        found.found += decoder.refused_by_kubernetes
        found.loader.load(groups)
        found.groups += groups


def lines(path: Path, problems: Iterable[Problem]) -> Iterator[str]:
    """Word problems by their lines, no more of them than anybody reads."""
    told = sorted(problems, key=lambda problem: problem.line)
    for problem in told[:MOST_TOLD]:
        where = dotted(problem.place)
        named = f" ({problem.rule})" if problem.rule else ""
        yield f"{path}:{problem.line}: {where}{named}{': ' if where else ''}{problem.words}"
    if len(told) > MOST_TOLD:
        yield f"{path}: and {len(told) - MOST_TOLD} more"
