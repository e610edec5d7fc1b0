"""`keywatch rules`: checks rule files of Prometheus."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from keywatch.cli.exit_codes import OK
from keywatch.cli.out import say
from keywatch.config.yaml_file import ConfigError


def add(commands: Any) -> None:
    """Declare the command's action below `commands`, what argparse's `add_subparsers` gave."""
    group: argparse.ArgumentParser = commands.add_parser("rules", help="check rule files of Prometheus")
    actions = group.add_subparsers(title="actions", metavar="ACTION", required=True)
    check = actions.add_parser("check", help="check files: exit 0 good, 2 bad")
    check.add_argument("files", type=Path, nargs="+", metavar="FILE")
    check.add_argument(
        "--metrics",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="a saved /metrics whose series exist too",
    )
    check.add_argument("--runbooks", type=Path, metavar="FOLDER", help="where each alert must have its runbook")
    check.add_argument("--tests", type=Path, metavar="FOLDER", help="where each alert must have its tests")
    check.set_defaults(run=run_check)


def run_check(options: argparse.Namespace) -> int:
    """Check the files and return the exit code; raises `ConfigError` with every mistake."""
    try:
        from keywatch.rules.lint import lint  # noqa: PLC0415 - each command loads what it needs
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"keywatch rules needs {error.name}: install keywatch with its extra, "
            "`pip install '.[rules]'` in its source tree"
        ) from error
    found = lint(options.files, options.metrics, options.runbooks, options.tests)
    say(f"good: {found}")
    return OK
