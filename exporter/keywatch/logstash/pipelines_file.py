"""Reads pipelines.yml: which files make up each pipeline, and whether its settings keep what it reads."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keywatch.config.yaml_file import ConfigError, read, tree
from keywatch.logstash.finding import LintFinding
from keywatch.logstash.tree import PipelineFile
from keywatch.logstash.variables import UndefinedError, substituted

_BRACES = re.compile(r"\{([^{}]*)\}")
_KNOWN = re.compile(
    r"pipeline\.(id|workers|batch\.size|batch\.delay|batch\.output_chunking\..+|batch\.metrics\..+|ordered|separate_logs"
    r"|ecs_compatibility|unsafe_shutdown|system|reloadable|plugin_classloaders|buffer\.type)"
    r"|path\.(config|queue|dead_letter_queue)|config\.(string|debug|reload\.automatic|reload\.interval|support_escapes)"
    r"|queue\.(type|page_capacity|max_bytes|max_events|drain|checkpoint\.(acks|writes|interval|retry)|compression)"
    r"|dead_letter_queue\.(enable|max_bytes|flush_interval|storage_policy|retain\.age)|metric\.collect|modules"
)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """One entry: its id, the line of it, its settings, and the files in Logstash's order."""

    id: str
    line: int
    settings: Mapping[str, Any]
    files: tuple[Path, ...]


class PipelinesFile:
    """What a pipelines.yml says."""

    def __init__(self, path: Path, environment: Mapping[str, str]) -> None:
        """Read the file; raises `ConfigError` when it cannot be read or has no pipelines."""
        self.path = path
        data, self._lines = tree(read(path), str(path))
        if not isinstance(data, list) or not data or not all(isinstance(entry, Mapping) for entry in data):
            raise ConfigError(f"{path}: is no list of pipelines; an entry begins with - pipeline.id:")
        self.findings: list[LintFinding] = []
        self.pipelines = [self._pipeline(number, entry, environment) for number, entry in enumerate(data)]
        seen: set[str] = set()
        for pipeline in self.pipelines:
            if pipeline.id in seen:
                self.findings.append(
                    LintFinding(pipeline.line, "pipeline-twice", f"the pipeline {pipeline.id} stands twice")
                )
            seen.add(pipeline.id)

    def _pipeline(self, number: int, entry: Mapping[str, Any], environment: Mapping[str, str]) -> Pipeline:
        line = self._lines.get((number,), 1)
        for name in entry:
            if not _KNOWN.fullmatch(str(name)):
                where = self._lines.get((number, name), line)
                self.findings.append(
                    LintFinding(where, "setting-unknown", f"Logstash has no setting {name} for a pipeline")
                )
        identity = entry.get("pipeline.id")
        if not isinstance(identity, str):
            self.findings.append(LintFinding(line, "pipeline-id", "the pipeline has no pipeline.id"))
        return Pipeline(str(identity), line, entry, self._files(number, entry, environment))

    def _files(self, number: int, entry: Mapping[str, Any], environment: Mapping[str, str]) -> tuple[Path, ...]:
        pattern = entry.get("path.config")
        line = self._lines.get((number, "path.config"), self._lines.get((number,), 1))
        if not isinstance(pattern, str):
            if "config.string" not in entry:
                self.findings.append(LintFinding(line, "pipeline-files", "the pipeline has no path.config"))
            return ()
        try:
            pattern = substituted(pattern, environment)
        except UndefinedError as error:
            self.findings.append(LintFinding(line, "variable-undefined", f"{error}: Logstash does not start"))
            return ()
        found: set[Path] = set()
        for one in expanded(pattern):
            path = Path(one)
            matches = [file for file in path.parent.glob(path.name) if file.is_file()] if path.name else []
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
