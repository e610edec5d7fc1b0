"""Reads pipelines.yml: which files make up each pipeline, and whether its settings keep what it reads."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from keywatch.config.yaml_file import ConfigError, read, tree
from keywatch.logstash.finding import LintFinding
from keywatch.logstash.pipeline_settings import IGNORED, KNOWN, unknown, wrong
from keywatch.logstash.tree import PipelineFile
from keywatch.logstash.variables import UndefinedError, substituted

_BRACES = re.compile(r"\{([^{}]*)\}")
_ELSEWHERE = re.compile(r"https?://", re.IGNORECASE)
_FILE_ADDRESS = re.compile(r"\Afile://", re.IGNORECASE)
# How a text that goes over several lines begins: what follows stands line by line as it is.
_BLOCK = re.compile(r"""\s*(?:-\s+)?["']?config\.string["']?\s*:\s*\|[+-]?\d?\s*(?:\#.*)?\Z""")
_MAIN = "main"


class Written(NamedTuple):
    """The text of a pipeline that stands in the file itself, and its first line.

    `kept`: its lines are the file's, each moved to the right by `indent`.
    """

    text: str
    line: int
    kept: bool
    indent: int


@dataclass(frozen=True, slots=True)
class Pipeline:
    """One entry: its id, the line of it, its settings, and its text or the files in Logstash's order."""

    id: str
    line: int
    settings: Mapping[str, Any]
    files: tuple[Path, ...]
    written: Written | None = None


class PipelinesFile:
    """What a pipelines.yml says."""

    def __init__(self, path: Path, environment: Mapping[str, str], common: Mapping[str, Any] | None = None) -> None:
        """Read the file; `common` is what logstash.yml says for all. Raises `ConfigError` when it has no pipelines."""
        self.path = path
        text = read(path)
        self._text = text.splitlines()
        self._common = common or {}
        data, self._lines = tree(text, str(path))
        if not isinstance(data, list) or not data or not all(isinstance(entry, Mapping) for entry in data):
            raise ConfigError(f"{path}: is no list of pipelines; an entry begins with - pipeline.id:")
        self.findings: list[LintFinding] = []
        self.refused: list[LintFinding] = []
        self.pipelines = [self._pipeline(number, entry, environment) for number, entry in enumerate(data)]
        seen: set[str] = set()
        for pipeline in self.pipelines:
            if pipeline.id in seen:
                self.refused.append(
                    LintFinding(pipeline.line, "pipeline-twice", f"the pipeline {pipeline.id} stands twice")
                )
            seen.add(pipeline.id)

    def _pipeline(self, number: int, entry: Mapping[str, Any], environment: Mapping[str, str]) -> Pipeline:
        line = self._lines.get((number,), 1)
        for name, value in entry.items():
            where = self._lines.get((number, name), line)
            if name in IGNORED:
                words = f"Logstash ignores {name} for one pipeline; it belongs into logstash.yml"
                self.findings.append(LintFinding(where, "setting-ignored", words))
            elif name not in KNOWN:
                self.refused.append(LintFinding(where, "setting-unknown", unknown(str(name))))
            elif (problem := wrong(name, value)) is not None:
                self.findings.append(LintFinding(where, "setting-value", problem))
        identity = entry.get("pipeline.id")
        if identity is None:
            self.findings.append(LintFinding(line, "pipeline-id", f"the pipeline has no pipeline.id; it is {_MAIN}"))
        settings = {**self._common, **entry}
        return Pipeline(
            _MAIN if identity is None else str(identity),
            line,
            settings,
            self._files(number, entry, environment),
            self._written(number, entry),
        )

    def _written(self, number: int, entry: Mapping[str, Any]) -> Written | None:
        text = entry.get("config.string")
        if not isinstance(text, str):
            return None
        line = self._lines.get((number, "config.string"), self._lines.get((number,), 1))
        kept = _BLOCK.fullmatch(self._text[line - 1]) is not None
        first = next((number for number, one in enumerate(text.splitlines()) if one.strip()), 0)
        indent = self._text[line + first].index(text.splitlines()[first]) if kept and text.strip() else 0
        return Written(text, line + kept, kept, indent)

    def _files(self, number: int, entry: Mapping[str, Any], environment: Mapping[str, str]) -> tuple[Path, ...]:
        pattern = entry.get("path.config")
        line = self._lines.get((number, "path.config"), self._lines.get((number,), 1))
        if not isinstance(pattern, str):
            if "config.string" not in entry:
                self.findings.append(LintFinding(line, "pipeline-files", "the pipeline has no path.config"))
            return ()
        if "config.string" in entry:
            self.refused.append(LintFinding(line, "pipeline-files", "path.config and config.string are both given"))
        try:
            pattern = _FILE_ADDRESS.sub("", substituted(pattern, environment))
        except UndefinedError as error:
            self.findings.append(LintFinding(line, "variable-undefined", f"{error}: Logstash does not start"))
            return ()
        if _ELSEWHERE.match(pattern):
            return ()
        found: set[Path] = set()
        for one in expanded(pattern):
            matches = _matches(Path(one))
            if not matches:
                self.findings.append(LintFinding(line, "pipeline-files", f"there is no file {one}"))
            found.update(matches)
        return tuple(sorted(found))

    def problems(self, pipeline: Pipeline, configs: Sequence[PipelineFile]) -> Iterator[LintFinding]:
        """Say which settings of the pipeline may lose what these files read."""
        names = {plugin.name for config in configs for _, plugin in config.plugins("input")}
        stores = any(plugin.name == "elasticsearch" for config in configs for _, plugin in config.plugins("output"))
        settings = pipeline.settings
        if settings.get("queue.type") != "persisted":
            problem = f"{pipeline.id} needs queue.type: persisted; what is in memory is lost with the process"
            yield LintFinding(pipeline.line, "queue-memory", problem)
        if "kafka" in names and settings.get("queue.checkpoint.writes") != 1:
            problem = (
                f"{pipeline.id} needs queue.checkpoint.writes: 1; Kafka's offsets are committed before the disk has it"
            )
            yield LintFinding(pipeline.line, "queue-checkpoint", problem)
        if stores and "dead_letter_queue" not in names and settings.get("dead_letter_queue.enable") is not True:
            problem = (
                f"{pipeline.id} needs dead_letter_queue.enable: true; what Elasticsearch refuses is gone otherwise"
            )
            yield LintFinding(pipeline.line, "dead-letters-off", problem)


def _matches(path: Path) -> list[Path]:
    """Return the files that a path with * and ? stands for; of a folder all files in it."""
    if path.is_dir():
        path /= "*"
    if not path.name:
        return []
    return [file for file in path.parent.glob(path.name) if file.is_file() and not file.name.endswith("~")]


def expanded(pattern: str) -> list[str]:
    """Return the patterns that one with {a,b} stands for."""
    found = _BRACES.search(pattern)
    if found is None:
        return [pattern]
    return [
        one
        for part in found[1].split(",")
        for one in expanded(pattern[: found.start()] + part + pattern[found.end() :])
    ]
