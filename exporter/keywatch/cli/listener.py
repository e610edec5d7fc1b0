"""The commands `keywatch listener …`: the jar in Keycloak that writes its events, checked, installed, taken back."""

from __future__ import annotations

import argparse
from typing import Any

from keywatch.cli import listener_check, listener_install

_VERBS = (listener_check, listener_install)
"""Each has `add`, which declares its flags and sets `run`."""


def add(commands: Any, words: str) -> None:
    """Declare the group below argparse's `commands`; `words` say what it is for."""
    group: argparse.ArgumentParser = commands.add_parser("listener", help=words)
    actions = group.add_subparsers(title="actions", metavar="ACTION", required=True)
    for verb in _VERBS:
        verb.add(actions)
