"""`keywatch serve`: its flags, and the exporter that runs until it is told to end."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from keywatch.cli import source
from keywatch.cli.exit_codes import OK
from keywatch.config.yaml_file import ConfigError


def add(commands: Any, words: str) -> None:
    """Declare the command and its flags below argparse's `commands`; `words` say what it is for."""
    parser: argparse.ArgumentParser = commands.add_parser("serve", help=words)
    source.add_flags(parser)
    parser.add_argument(
        "--config.watch",
        dest="config_watch",
        action="store_true",
        help="read the configuration anew when its file changes, or one that it names, as SIGHUP does",
    )
    parser.add_argument("--web.listen-address", dest="listen", metavar="ADDRESS", help="host:port or :port [:9877]")
    parser.add_argument(
        "--web.config.file", dest="web_file", type=Path, metavar="FILE", help="TLS and users of the port"
    )
    parser.add_argument(
        "--web.enable-lifecycle",
        dest="lifecycle",
        action="store_const",
        const=True,
        help="let POST /-/reload, as SIGHUP does, have the configuration read anew",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit code; raises `ConfigError`."""
    import uvloop  # noqa: PLC0415 - each command loads what it needs

    from keywatch.cli.exporter import ListenError, end_now, serve  # noqa: PLC0415
    from keywatch.config.secret import SecurityError  # noqa: PLC0415
    from keywatch.service import log_setup  # noqa: PLC0415

    config = source.configuration(options)
    if options.config_watch and not options.config_file:
        raise ConfigError("--config.watch needs a configuration file; --kafka names none")
    watched = options.config_file if options.config_watch else None
    log_setup.set_up(config.log)
    try:
        uvloop.run(serve(config, lambda: source.configuration(options), watched))
    except (ListenError, SecurityError) as error:
        raise ConfigError(str(error)) from error
    end_now()
    return OK
