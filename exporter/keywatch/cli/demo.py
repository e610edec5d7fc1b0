"""`keywatch demo`: shows keywatch at work on a cluster that breaks."""

from __future__ import annotations

import argparse
from typing import Any

from keywatch.cli.seconds import seconds

_LONGEST = 86_400


def add(commands: Any) -> None:
    """Declare the command and its flags below `commands`, what argparse's `add_subparsers` gave."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "demo", help="show keywatch at work on a cluster of its own that breaks"
    )
    parser.add_argument("--kafka", metavar="HOST:PORT", help="watch this cluster for a while instead; breaks nothing")
    parser.add_argument("--seconds", type=seconds(_LONGEST), metavar="SECONDS", help="how long to show it")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    from keywatch.demo.show import run as show  # noqa: PLC0415 - each command loads what it needs

    return show(options.kafka, options.seconds)
