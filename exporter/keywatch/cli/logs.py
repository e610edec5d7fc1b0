"""The commands `keywatch logs …`: the path of logs, from Logstash's pipelines to what Elasticsearch holds."""

from __future__ import annotations

import argparse
from typing import Any

from keywatch.cli import logs_bootstrap, logs_check, logs_lint, logs_search

_VERBS = (logs_lint, logs_bootstrap, logs_check, logs_search)
"""Each has `add`, which declares its flags and sets `run`."""


def add(commands: Any, words: str) -> None:
    """Declare the group below argparse's `commands`; `words` say what it is for."""
    group: argparse.ArgumentParser = commands.add_parser("logs", help=words)
    actions = group.add_subparsers(title="actions", metavar="ACTION", required=True)
    for verb in _VERBS:
        verb.add(actions)
