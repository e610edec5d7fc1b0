"""The commands `keywatch logs …`: what Elasticsearch holds for the logs of Keycloak, and what they say."""

from __future__ import annotations

import argparse
from typing import Any

from keywatch import logs_bootstrap, logs_check, logs_search

_VERBS = (logs_bootstrap, logs_check, logs_search)
"""Each has `add`, which declares its flags and sets `run`."""


def add(commands: Any) -> None:
    """Declare the group below `commands`, what argparse's `add_subparsers` gave."""
    group: argparse.ArgumentParser = commands.add_parser(
        "logs", help="prepare Elasticsearch or OpenSearch for the logs, check it, search events"
    )
    actions = group.add_subparsers(title="actions", metavar="ACTION", required=True)
    for verb in _VERBS:
        verb.add(actions)
