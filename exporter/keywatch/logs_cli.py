"""The commands `keywatch logs …`: the path of logs, from Logstash's pipelines to what Elasticsearch holds."""

from __future__ import annotations

import argparse
from typing import Any

from keywatch.logstash import lint_command

_VERBS = (lint_command,)
"""Each has `add`, which declares its flags and sets `run`."""


def add(commands: Any) -> None:
    """Declare the group below `commands`, what argparse's `add_subparsers` gave."""
    group: argparse.ArgumentParser = commands.add_parser("logs", help="check the pipelines of logs for Logstash")
    actions = group.add_subparsers(title="actions", metavar="ACTION", required=True)
    for verb in _VERBS:
        verb.add(actions)
