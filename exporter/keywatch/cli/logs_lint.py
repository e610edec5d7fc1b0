"""`keywatch logs lint`: flags, what is printed, and the exit code."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from keywatch.cli.out import say
from keywatch.config.yaml_file import ConfigError, read

_GOOD, _FOUND = 0, 1


def add(actions: Any) -> None:
    """Declare `lint` below `actions`, what argparse's `add_subparsers` gave."""
    parser: argparse.ArgumentParser = actions.add_parser(
        "lint", help="check pipelines of Logstash: exit 0 good, 1 a rule is broken, 2 Logstash would refuse a file"
    )
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="*.conf, or a pipelines.yml with its files")
    parser.add_argument(
        "--environment",
        type=Path,
        metavar="FILE",
        help="NAME=value lines that Logstash will run with: all must be there",
    )
    parser.add_argument("--skip", action="append", default=[], metavar="RULE", help="leave a rule out")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Check the files; raises `ConfigError` with every file that Logstash would refuse."""
    from keywatch.logstash.lint import lint  # noqa: PLC0415 - each command loads what it needs

    given = _environment(options.environment) if options.environment else None
    report = lint(options.files, os.environ, given, options.skip)
    for line in report.found:
        say(line)
    if report.refused:
        raise ConfigError("\n".join(report.refused))
    if report.found:
        return _FOUND
    say(f"good: {report.files} files, {report.plugins} plugins")
    return _GOOD


def _environment(path: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, line in enumerate(read(path).splitlines(), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.removeprefix("export ").partition("=")
        if not equals or not name.strip():
            raise ConfigError(f"{path}:{number}: is not NAME=value")
        found[name.strip()] = value.strip().strip("'\"")
    return found
