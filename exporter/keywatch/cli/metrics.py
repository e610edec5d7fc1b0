"""`keywatch metrics`: prints every metric that keywatch exports."""

from __future__ import annotations

import argparse
from typing import Any

from keywatch.cli.exit_codes import OK
from keywatch.cli.out import say


def add(commands: Any, words: str) -> None:
    """Declare the command and its flags below argparse's `commands`; `words` say what it is for."""
    parser: argparse.ArgumentParser = commands.add_parser("metrics", help=words)
    parser.add_argument("--markdown", action="store_true", help="as the text of docs/metrics.md")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    from keywatch.cli import tables  # noqa: PLC0415 - each command loads what it needs
    from keywatch.documents.reference import metrics_markdown, metrics_table  # noqa: PLC0415

    if options.markdown:
        say(metrics_markdown().removesuffix("\n"))
    else:
        tables.show(metrics_table())
    return OK
