"""The commands `keywatch dlq …`: dead letters are looked at, put back exactly once, or put aside."""

from __future__ import annotations

import argparse
from typing import Any

from keywatch.cli import dlq_bundle, dlq_cancel, dlq_list, dlq_park, dlq_replay, dlq_show

_VERBS = (dlq_list, dlq_show, dlq_replay, dlq_park, dlq_cancel, dlq_bundle)
"""Each has `add`, which declares its flags and sets `run`."""


def add(commands: Any, words: str) -> None:
    """Declare the group below argparse's `commands`; `words` say what it is for."""
    group: argparse.ArgumentParser = commands.add_parser("dlq", help=words)
    actions = group.add_subparsers(title="actions", metavar="ACTION", required=True)
    for verb in _VERBS:
        verb.add(actions)
