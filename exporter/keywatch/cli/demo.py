"""`keywatch demo`: shows keywatch at work on a cluster that breaks."""

from __future__ import annotations

import argparse
import signal
from typing import Any

from keywatch.cli.seconds import seconds

_LONGEST = 86_400


def add(commands: Any, words: str) -> None:
    """Declare the command and its flags below argparse's `commands`; `words` say what it is for."""
    parser: argparse.ArgumentParser = commands.add_parser("demo", help=words)
    parser.add_argument("--kafka", metavar="HOST:PORT", help="watch this cluster for a while instead; breaks nothing")
    parser.add_argument(
        "--seconds", type=seconds(_LONGEST), metavar="SECONDS", help="how long to watch it, with --kafka"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # it leaves nothing behind when it is interrupted
    from keywatch.demo.show import run as show  # noqa: PLC0415 - each command loads what it needs

    return show(options.kafka, options.seconds)
