"""The `keywatch` command: joins its subcommands and turns what they raise into exit codes."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

from keywatch import __version__
from keywatch.cli.exit_codes import BAD_CONFIGURATION
from keywatch.cli.out import complain

COMMANDS: Final[Mapping[str, str]] = {
    "serve": "watch clusters and serve /metrics until told to end",
    "check": "look once: exit 0 healthy, 1 something down, 2 bad configuration or Kafka too old",
    "config": "check a configuration file, or print an example",
    "rules": "check rule files of Prometheus",
    "logs": "check pipelines for Logstash; prepare Elasticsearch or OpenSearch, check it, search events",
    "dlq": "look at dead letters, put them back exactly once, or put them aside",
    "listener": "check the jar that writes Keycloak's events; install it, take it back",
    "metrics": "print every metric that keywatch exports",
    "assets": "write rules, runbooks, dashboards, pipelines and guides into a folder",
    "demo": "show keywatch at work on a cluster of its own that breaks",
}
"""What each is for. The module of the same name has `add`, which declares its flags and sets `run`; it is loaded when
it is asked for, as nobody who asks for the version need wait for all of them."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0, 1 when `check` found something down, 2 for bad usage."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    parser = _Parser(prog="keywatch", description="Proves that Keycloak's events cross Kafka.")
    parser.add_argument("--version", action="version", version=f"keywatch {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name, words in COMMANDS.items():
        if given[:1] == [name]:
            importlib.import_module(f"keywatch.cli.{name}").add(commands, words)
        else:
            commands.add_parser(name, help=words)
    options = parser.parse_args(given)
    if not hasattr(options, "run"):
        parser.print_help()
        return BAD_CONFIGURATION
    return _run(options)


class _Parser(argparse.ArgumentParser):
    """Tells when its help or version cannot be written, which the one it is made of passes over."""

    def _print_message(self, message: str, file: Any = None) -> None:
        if message and file is sys.stdout:
            file.write(message)
        else:
            super()._print_message(message, file)


def _run(options: argparse.Namespace) -> int:
    from keywatch.config.yaml_file import ConfigError  # noqa: PLC0415 - takes a while, and the help does without

    try:
        return int(options.run(options))
    except ConfigError as error:
        complain(str(error))  # logging is not set up without a configuration
        return BAD_CONFIGURATION
