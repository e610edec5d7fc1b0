"""The `keywatch` command: joins its subcommands and turns what they raise into exit codes."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from keywatch import __version__
from keywatch.cli import check, config, demo, logs, metrics, rules, serve
from keywatch.cli.exit_codes import BAD_CONFIGURATION, INTERRUPTED, NOBODY_READS
from keywatch.cli.out import complain
from keywatch.config.yaml_file import ConfigError

_COMMANDS = (serve, check, config, rules, logs, metrics, demo)
"""Each has `add`, which declares its flags and sets `run`."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0, 1 when `check` found something down, 2 for bad usage."""
    parser = argparse.ArgumentParser(prog="keywatch", description="Proves that Keycloak's events cross Kafka.")
    parser.add_argument("--version", action="version", version=f"keywatch {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for command in _COMMANDS:
        command.add(commands)
    options = parser.parse_args(arguments)
    if not hasattr(options, "run"):
        parser.print_help()
        return BAD_CONFIGURATION
    try:
        return int(options.run(options))
    except ConfigError as error:
        complain(str(error))  # logging is not set up without a configuration
        return BAD_CONFIGURATION
    except BrokenPipeError:  # nobody reads on, such as `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOBODY_READS
    except KeyboardInterrupt:
        return INTERRUPTED
