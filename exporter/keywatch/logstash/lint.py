"""Checks pipeline files, alone or as pipelines.yml joins them, by the reader and by all rules."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from keywatch.config.files import MOST_TEXT, FileError, contents
from keywatch.config.yaml_file import ConfigError
from keywatch.logstash import (
    compiling,
    condition_rules,
    delivery,
    fields,
    identities,
    options,
    secrets,
    settings_file,
    variable_rules,
    whole,
)
from keywatch.logstash.cursor import LanguageError
from keywatch.logstash.finding import LintFinding
from keywatch.logstash.language import parse
from keywatch.logstash.pipelines_file import Pipeline, PipelinesFile, Written
from keywatch.logstash.release import COMMENTS_ANYWHERE, NEWEST, Release
from keywatch.logstash.severity import RULES, Severity
from keywatch.logstash.tree import PipelineFile
from keywatch.logstash.variables import filled

_MOST_REFUSALS = 20
# With the megabyte of stack that Java gives a thread, Logstash's parser came to an end between 100 and 150.
_DEEP = 100
_YAML = frozenset({".yml", ".yaml"})
_OLDER = f"{COMMENTS_ANYWHERE.major}.{COMMENTS_ANYWHERE.minor}"


class Choice(NamedTuple):
    """Which findings are wanted: of which rules and how heavy, how many of one rule in one file, for which Logstash.

    Without a release, what only newer ones read is a finding; with one, it is refused or good.
    """

    skip: Collection[str] = ()
    only: Collection[str] = ()
    least: Severity = Severity.STYLE
    most: int | None = None
    release: Release | None = None


class Report(NamedTuple):
    """What Logstash itself would refuse, what rules found, how much was looked at, and how much is not shown."""

    refused: list[str]
    found: list[str]
    files: int
    plugins: int
    light: int = 0


class _Lint:
    def __init__(self, environment: Mapping[str, str] | None, process: Mapping[str, str], choice: Choice) -> None:
        self._environment, self._choice = environment, choice
        self._process = {**process, **(environment or {})}
        self.refused: list[str] = []
        self._found: dict[str, dict[LintFinding, None]] = {}
        self.configs: dict[Path | str, PipelineFile] = {}

    def config(self, path: Path) -> PipelineFile | None:
        """Read and check a file once; None when it is refused."""
        if path in self.configs:
            return self.configs[path]
        try:
            text = contents(path, MOST_TEXT).decode()
        except FileError as error:
            self.refused.append(f"{path}: {error}")
            return None
        except UnicodeDecodeError as error:
            self.refused.append(f"{path}: is not UTF-8 text: byte {error.start} is wrong")
            return None
        try:
            config = parse(text)
        except LanguageError as error:
            self.refused.append(f"{path}:{error.line}: column {error.column}: {error.problem}")
            return None
        if not self._accepted(path, config):
            return None
        self.configs[path] = config
        self.add(path, [*self._findings(config), *secrets.problems(config)])
        return config

    def written(self, path: Path, pipeline: Pipeline, written: Written) -> PipelineFile | None:
        """Check the text of a config.string, which may hold variables outside of its strings; None when refused."""
        where, bare = f"{path}, config.string of {pipeline.id}", False
        try:
            try:
                config = parse(written.text)
            except LanguageError:
                config, bare = parse(filled(written.text, self._process, "unknown")), True
        except LanguageError as error:
            line = written.line + (error.line - 1) * written.kept
            inner = "" if written.kept else f"line {error.line}, "
            place = f"{inner}column {error.column + written.indent}"
            self.refused.append(f"{path}:{line}: {pipeline.id}: {place}: {error.problem}")
            return None
        first = written.line - 1
        if not self._accepted(path, config, first if written.kept else None, written.line):
            return None
        self.configs[where] = config
        found = [*self._findings(config, comments=True), *(() if bare else secrets.problems(config))]
        found += identities.problems(config, {}, where)
        self.add(path, [one._replace(line=one.line + first if written.kept else written.line) for one in found])
        return config

    def _accepted(self, path: Path, config: PipelineFile, shift: int | None = 0, line: int = 1) -> bool:
        """Note what the compiler refuses, and what older releases do; false when nothing more is to be said."""
        release = self._choice.release
        refused = [(at, f"Logstash does not compile this: {why}") for at, why in compiling.refusals(config)]
        if release is None:
            self.add(path, [_older(line if shift is None else at + shift, what) for at, _, what in config.newer])
        elif release < COMMENTS_ANYWHERE:
            only = f"only Logstash {_OLDER} and newer read"
            refused += [(at, f"column {column}: {only} {what}") for at, column, what in config.newer]
        for at, words in sorted(refused)[:_MOST_REFUSALS]:
            self.refused.append(f"{path}:{line if shift is None else at + shift}: {words}")
        if len(refused) > _MOST_REFUSALS:
            self.refused.append(f"{path}: and {len(refused) - _MOST_REFUSALS} more")
        return not refused

    def _findings(self, config: PipelineFile, *, comments: bool = False) -> Iterator[LintFinding]:
        if config.depth > _DEEP:
            words = f"more than {_DEEP} levels are nested; Logstash may run out of its stack"
            yield LintFinding(config.deepest_line, "nesting", words)
        yield from options.problems(config, self._choice.release or NEWEST)
        yield from fields.problems(config)
        yield from condition_rules.problems(config)
        yield from delivery.problems(config)
        yield from variable_rules.problems(config, self._environment, comments=comments)

    def add(self, path: Path, findings: Sequence[LintFinding]) -> None:
        """Note findings, each once."""
        self._found.setdefault(str(path), {}).update(dict.fromkeys(findings))

    def settings(self, path: Path) -> Mapping[str, object]:
        """Check a logstash.yml, if it is there, and return what it sets for every pipeline."""
        try:
            file = settings_file.SettingsFile(path)
        except ConfigError as error:
            self.refused.append(str(error))
            return {}
        self.add(path, list(variable_rules.texts_problems(file.texts, self._environment)))
        return file.values

    def pipelines(self, path: Path) -> None:
        """Check every pipeline of a pipelines.yml with its files, and the logstash.yml beside it."""
        beside = path.with_name(settings_file.NAME)
        common = self.settings(beside) if beside.is_file() else {}
        try:
            file = PipelinesFile(path, self._process, common)
        except ConfigError as error:
            self.refused.append(str(error))
            return
        self.add(path, file.findings)
        self.refused += [f"{path}:{line}: {rule}: {problem}" for line, rule, problem in file.refused]
        for pipeline in file.pipelines:
            configs = self._joined(pipeline.files)
            if pipeline.written is not None:
                configs.append(self.written(path, pipeline, pipeline.written))
            read = [config for config in configs if config is not None]
            if len(read) == len(configs):
                self.add(path, list(file.problems(pipeline, read)))
                named = [
                    LintFinding(pipeline.line, rule, f"{pipeline.id}: {why}") for _, rule, why in whole.problems(read)
                ]
                self.add(path, named)

    def _joined(self, paths: Sequence[Path]) -> list[PipelineFile | None]:
        """Check the files of one pipeline, in which no id may stand twice."""
        ids: dict[str, str] = {}
        configs = [self.config(path) for path in paths]
        for path, config in zip(paths, configs, strict=True):
            if config is not None:
                self.add(path, list(identities.problems(config, ids, str(path))))
        return configs

    def alone(self, paths: Sequence[Path]) -> None:
        """Check files that no pipelines.yml joins: for all that is known they are of one pipeline."""
        for path, config in zip(paths, self._joined(paths), strict=True):
            if config is not None:
                self.add(path, list(whole.problems([config])))

    def report(self) -> Report:
        """Return what was found, as far as it is wanted."""
        shown: list[str] = []
        light = 0
        for source, findings in self._found.items():
            counts: dict[str, int] = {}
            for line, rule, problem in sorted(findings):
                if not self._wanted(rule):
                    light += rule not in self._choice.skip and not self._choice.only
                    continue
                counts[rule] = counts.get(rule, 0) + 1
                if self._choice.most is None or counts[rule] <= self._choice.most:
                    shown.append(f"{source}:{line}: {rule}: {problem}")
            for rule, count in counts.items():
                if self._choice.most is not None and count > self._choice.most:
                    shown.append(f"{source}: {rule}: {count - self._choice.most} more")
        plugins = sum(1 for config in self.configs.values() for _ in config.plugins())
        return Report(self.refused, shown, len(self.configs), plugins, light)

    def _wanted(self, rule: str) -> bool:
        if self._choice.only:
            return rule in self._choice.only and rule not in self._choice.skip
        return rule not in self._choice.skip and RULES[rule] >= self._choice.least


def _older(line: int, what: str) -> LintFinding:
    return LintFinding(line, "older-logstash", f"before Logstash {_OLDER} refused: {what}")


def lint(
    paths: Sequence[Path],
    process: Mapping[str, str],
    given: Mapping[str, str] | None = None,
    choice: Choice | None = None,
) -> Report:
    """Check files together; a logstash.yml is read as such, others that end in .yml as pipelines.yml.

    `process` is the environment that paths in pipelines.yml are read with; `given` is what Logstash will run with, if
    that is known, and then variables must be in it.
    """
    work = _Lint(given, process, choice or Choice())
    for path in paths:
        if path.name == settings_file.NAME:
            work.settings(path)
        elif path.suffix in _YAML:
            work.pipelines(path)
    work.alone([path for path in paths if path.suffix not in _YAML])
    return work.report()
