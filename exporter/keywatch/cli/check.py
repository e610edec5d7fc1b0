"""`keywatch check`: its flags, and one look at all clusters."""

from __future__ import annotations

import argparse
import asyncio
from typing import Any

from keywatch.cli import source
from keywatch.cli.exit_codes import BAD_CONFIGURATION, OK, SOMETHING_DOWN
from keywatch.cli.seconds import seconds

_LONGEST = 86_400
_WHAT = """Look once at all that the configuration names, and print what is wrong, the cause first. Of the topics of
listeners the newest 2000 records of each partition are read, of the last 15 minutes; what lies further back is not."""


def add(commands: Any, words: str) -> None:
    """Declare the command and its flags below argparse's `commands`; `words` say what it is for."""
    parser: argparse.ArgumentParser = commands.add_parser("check", help=words, description=_WHAT)
    source.add_flags(parser)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument(
        "--within", type=seconds(_LONGEST), default=10.0, metavar="SECONDS", help="longest time to look [10]"
    )
    parser.add_argument(
        "--exporter",
        metavar="URL",
        help="the running keywatch, which knows what one look cannot [where the configuration file has it listen]",
    )
    parser.add_argument(
        "--live",
        action="store_true",
        help="only ask the keywatch that runs here whether it is alive, for probes of containers: exit 0 alive, 1 not",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit code; raises `ConfigError`."""
    if options.live:
        return _live(options)
    from keywatch.cli.report import look, report  # noqa: PLC0415 - each command loads what it needs
    from keywatch.cli.report_table import show  # noqa: PLC0415
    from keywatch.cli.running import running  # noqa: PLC0415
    from keywatch.config.secret import SecurityError  # noqa: PLC0415
    from keywatch.config.yaml_file import ConfigError  # noqa: PLC0415
    from keywatch.service import log_setup  # noqa: PLC0415

    config = source.configuration(options)
    if options.log_level is None:
        config = config.model_copy(update={"log": config.log.model_copy(update={"level": "error"})})
    log_setup.set_up(config.log)

    async def once() -> dict[str, Any]:
        watch = await look(config, options.within)
        asked = options.exporter is not None or options.config_file is not None
        found = report(watch, await running(config, options.exporter) if asked else None)
        await watch.stop()
        return found

    try:
        found = asyncio.run(once())
    except SecurityError as error:
        raise ConfigError(str(error)) from error
    show(found, as_json=options.json)
    if not all(cluster["supported"] for cluster in found["clusters"].values()):
        return BAD_CONFIGURATION
    return OK if found["healthy"] else SOMETHING_DOWN


def _live(options: argparse.Namespace) -> int:
    from keywatch.cli.live import alive  # noqa: PLC0415 - each command loads what it needs
    from keywatch.cli.out import complain, say  # noqa: PLC0415

    lives, words = alive(options.exporter, options.config_file)
    (say if lives else complain)(words)
    return OK if lives else SOMETHING_DOWN
