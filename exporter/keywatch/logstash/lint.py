"""Checks pipeline files, alone or as pipelines.yml joins them, by the reader and by all rules."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from keywatch.config.yaml_file import ConfigError, read
from keywatch.logstash import condition_rules, delivery, fields, identities, options, secrets, variable_rules, whole
from keywatch.logstash.cursor import LanguageError
from keywatch.logstash.finding import LintFinding
from keywatch.logstash.language import parse
from keywatch.logstash.pipelines_file import PipelinesFile
from keywatch.logstash.tree import PipelineFile


class Report(NamedTuple):
    """What Logstash itself would refuse, what rules found, and how much was looked at."""

    refused: list[str]
    found: list[str]
    files: int
    plugins: int


class _Lint:
    def __init__(self, environment: Mapping[str, str] | None, skip: Collection[str]) -> None:
        self._environment, self._skip = environment, skip
        self.refused: list[str] = []
        self.found: list[str] = []
        self.configs: dict[Path, PipelineFile] = {}
        self._ids: dict[str, str] = {}

    def config(self, path: Path) -> PipelineFile | None:
        """Read and check a file once; None when it is refused."""
        if path in self.configs:
            return self.configs[path]
        try:
            config = parse(read(path))
        except ConfigError as error:
            self.refused.append(str(error))
            return None
        except LanguageError as error:
            self.refused.append(f"{path}:{error.line}: column {error.column}: {error.problem}")
            return None
        self.configs[path] = config
        found = [
            *options.problems(config),
            *fields.problems(config),
            *condition_rules.problems(config),
            *identities.problems(config, self._ids, str(path)),
            *secrets.problems(config),
            *delivery.problems(config),
            *variable_rules.problems(config, self._environment),
        ]
        self.add(path, sorted(found))
        return config

    def add(self, path: Path, findings: Sequence[LintFinding]) -> None:
        """Note findings that are not left out, each once."""
        for line, rule, problem in findings:
            words = f"{path}:{line}: {rule}: {problem}"
            if rule not in self._skip and words not in self.found:
                self.found.append(words)

    def pipelines(self, path: Path, environment: Mapping[str, str]) -> None:
        """Check every pipeline of a pipelines.yml with its files."""
        try:
            file = PipelinesFile(path, environment)
        except ConfigError as error:
            self.refused.append(str(error))
            return
        self.add(path, file.findings)
        for pipeline in file.pipelines:
            configs = [config for one in pipeline.files if (config := self.config(one)) is not None]
            if len(configs) == len(pipeline.files):
                self.add(path, list(file.problems(pipeline, configs)))
                named = [
                    LintFinding(pipeline.line, rule, f"{pipeline.id}: {why}")
                    for _, rule, why in whole.problems(configs)
                ]
                self.add(path, named)


def lint(
    paths: Sequence[Path],
    process: Mapping[str, str],
    given: Mapping[str, str] | None = None,
    skip: Collection[str] = (),
) -> Report:
    """Check files together; those that end in .yml are read as pipelines.yml.

    `process` is the environment that paths in pipelines.yml are read with; `given` is what Logstash will run with, if
    that is known, and then variables must be in it. `skip` names rules to leave out.
    """
    work = _Lint(given, skip)
    for path in paths:
        if path.suffix in {".yml", ".yaml"}:
            work.pipelines(path, {**process, **(given or {})})
        elif (config := work.config(path)) is not None:
            work.add(path, list(whole.problems([config])))
    plugins = sum(1 for config in work.configs.values() for _ in config.plugins())
    return Report(work.refused, work.found, len(work.configs), plugins)
