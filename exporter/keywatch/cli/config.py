"""`keywatch config`: checks a configuration file, or prints an example."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from keywatch.cli import source
from keywatch.cli.default_file import WORDS, default_file
from keywatch.cli.exit_codes import OK
from keywatch.cli.out import complain, say
from keywatch.config.yaml_file import ConfigError


def add(commands: Any, words: str) -> None:
    """Declare the command's actions below argparse's `commands`; `words` say what it is for."""
    group: argparse.ArgumentParser = commands.add_parser("config", help=words)
    actions = group.add_subparsers(title="actions", metavar="ACTION", required=True)
    check = actions.add_parser("check", help="check a file: exit 0 good, 2 bad")
    check.add_argument("file", type=Path, nargs="?", metavar="FILE", help=f"without it {WORDS}")
    check.add_argument("--web", type=Path, metavar="FILE", help="a file for --web.config.file, beside or instead")
    check.add_argument(
        "--strict",
        action="store_true",
        help="take for bad what works but is open or in clear, of which it warns otherwise",
    )
    source.add_code_flag(check)
    check.set_defaults(run=run_check)
    example = actions.add_parser("example", help="print a file with every key, its default and its meaning")
    example.set_defaults(run=run_example)


def run_check(options: argparse.Namespace) -> int:
    """Check the files and return the exit code; raises `ConfigError`."""
    from keywatch.config.exposure import exposures  # noqa: PLC0415 - each command loads what it needs
    from keywatch.service.config_file import load  # noqa: PLC0415
    from keywatch.service.watch import Watch  # noqa: PLC0415
    from keywatch.web.file import load as load_web  # noqa: PLC0415

    web_files: list[Path] = [options.web] if options.web else []
    file = options.file or (default_file() if not web_files else None)
    warnings: list[str] = []
    good: list[str] = []
    if file:
        config = load(file, code=options.allow_code)
        # A web file that is given here beside the configuration is what its flag would have.
        open_port = "web.config_file: " if web_files else None
        told = [*Watch(config).warnings(), *exposures(config)]
        warnings += [f"{file}: warning: {one}" for one in told if open_port is None or not one.startswith(open_port)]
        names = ", ".join(cluster.name for cluster in config.clusters)
        good.append(f"{file}: good; clusters: {names}")
        web_files += [config.web.config_file] if config.web.config_file else []
    elif not web_files:
        raise ConfigError(f"give a FILE to check, or --web FILE; without them {WORDS}")
    for file in web_files:
        protection = load_web(file)
        warnings += [f"{file}: warning: {one}" for one in protection.warnings()]
        good.append(f"{file}: good; {protection}")
    if options.strict and warnings:
        raise ConfigError("\n".join(one.replace(": warning: ", ": ", 1) for one in warnings))
    for line in warnings:
        complain(line)
    for line in good:
        say(line)
    return OK


def run_example(_: argparse.Namespace) -> int:
    """Print the example and return the exit code."""
    from keywatch.documents.reference import example  # noqa: PLC0415 - each command loads what it needs

    say(example().removesuffix("\n"))
    return OK
