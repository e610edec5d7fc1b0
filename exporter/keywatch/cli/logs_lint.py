"""`keywatch logs lint`: flags, what is printed, and the exit code."""

from __future__ import annotations

import argparse
import difflib
import os
from pathlib import Path
from typing import Any

from keywatch.cli.out import say
from keywatch.config.yaml_file import ConfigError, read

_GOOD, _FOUND = 0, 1
_MOST = 10
_SEVERITIES = ("error", "warning", "style")


def add(actions: Any) -> None:
    """Declare `lint` below `actions`, what argparse's `add_subparsers` gave."""
    parser: argparse.ArgumentParser = actions.add_parser(
        "lint", help="check pipelines of Logstash: exit 0 good, 1 a rule is broken, 2 Logstash would refuse a file"
    )
    parser.add_argument(
        "files", type=Path, nargs="*", metavar="FILE", help="*.conf, a pipelines.yml with its files, or a logstash.yml"
    )
    parser.add_argument(
        "--logstash",
        metavar="RELEASE",
        help="the Logstash that it is for, such as 8.14 or 9; without it, what 8.14 refuses is a finding",
    )
    parser.add_argument(
        "--environment",
        type=Path,
        metavar="FILE",
        help="NAME=value lines that Logstash will run with: all variables must be there, those of logstash.yml too",
    )
    parser.add_argument(
        "--severity",
        choices=_SEVERITIES,
        default="warning",
        help="the lightest findings that are shown and counted (default: %(default)s)",
    )
    parser.add_argument(
        "--only", action="append", nargs="+", default=[], metavar="RULE", help="these rules only, however light"
    )
    parser.add_argument("--skip", action="append", nargs="+", default=[], metavar="RULE", help="leave these rules out")
    parser.add_argument(
        "--most",
        type=_count,
        default=_MOST,
        metavar="N",
        help="findings of one rule shown for one file; 0 shows all (default: %(default)s)",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Check the files; raises `ConfigError` with every file that Logstash would refuse."""
    from keywatch.logstash.lint import Choice, lint  # noqa: PLC0415 - each command loads what it needs
    from keywatch.logstash.release import release  # noqa: PLC0415
    from keywatch.logstash.severity import Severity  # noqa: PLC0415

    try:
        chosen = release(options.logstash) if options.logstash else None
    except ValueError as error:
        raise ConfigError(f"--logstash: {error}") from None
    files = [*options.files, *_files(options.skip), *_files(options.only)]
    if not files:
        raise ConfigError("give a file: *.conf, pipelines.yml or logstash.yml")
    choice = Choice(
        skip=_rules("--skip", options.skip),
        only=_rules("--only", options.only),
        least=Severity[options.severity.upper()],
        most=options.most or None,
        release=chosen,
    )
    given = _environment(options.environment) if options.environment else None
    report = lint(files, os.environ, given, choice)
    for line in report.found:
        say(line)
    if report.refused:
        raise ConfigError("\n".join(report.refused))
    lighter = f"{report.light} lighter findings are not shown (--severity style)" if report.light else ""
    if report.found:
        if lighter:
            say(lighter)
        return _FOUND
    say("; ".join(part for part in (f"good: {report.files} files, {report.plugins} plugins", lighter) if part))
    return _GOOD


def _count(text: str) -> int:
    if not text.isdigit() or len(text) > _MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 on")
    return int(text)


def _files(given: list[list[str]]) -> list[Path]:
    """Return what stands behind a flag that takes several rules, and is a file: no rule has a point or a slash."""
    return [Path(word) for words in given for word in words if "." in word or "/" in word]


def _rules(flag: str, given: list[list[str]]) -> frozenset[str]:
    """Return the rules that a flag names, apart by spaces or commas; raises `ConfigError` for what is none."""
    from keywatch.logstash.severity import RULES  # noqa: PLC0415

    named = [
        rule
        for words in given
        for word in words
        if "." not in word and "/" not in word
        for rule in word.split(",")
        if rule
    ]
    for rule in named:
        if rule not in RULES:
            close = difflib.get_close_matches(rule, RULES, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise ConfigError(f"{flag}: there is no rule {rule}{hint}")
    return frozenset(named)


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
