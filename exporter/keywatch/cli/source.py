"""The flags that say what is watched, a file or bootstrap addresses, and the configuration that they make."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keywatch.cli.default_file import WORDS, default_file

if TYPE_CHECKING:  # who only asks whether keywatch lives need not wait for all of this
    from keywatch.config.model import Config

_LEVELS = ("debug", "info", "warning", "error")
_FORMATS = ("auto", "json", "text")


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Declare them."""
    parser.add_argument(
        "--config.file", dest="config_file", type=Path, metavar="FILE", help=f"configuration file; without it {WORDS}"
    )
    parser.add_argument("--kafka", metavar="HOST:PORT[,…]", help="bootstrap addresses, in place of a file")
    add_code_flag(parser)
    parser.add_argument("--log.level", dest="log_level", choices=_LEVELS)
    parser.add_argument("--log.format", dest="log_format", choices=_FORMATS)


def add_code_flag(parser: argparse.ArgumentParser) -> None:
    """Declare the flag for what nobody who only writes the configuration may allow."""
    parser.add_argument(
        "--client.allow-code",
        dest="allow_code",
        action="store_true",
        help="let settings of client: load libraries into keywatch and run commands as it",
    )


def configuration(options: argparse.Namespace) -> Config:
    """Read the file or make a configuration from `--kafka`; flags win over the file. Raises `ConfigError`.

    The file that was found without a flag becomes `options.config_file`: a reload reads the same one.
    """
    from keywatch.service.config_file import ConfigError, from_data, load  # noqa: PLC0415 - as above

    if options.config_file and options.kafka:
        raise ConfigError("give either --config.file FILE or --kafka HOST:PORT")
    if not options.kafka:
        options.config_file = options.config_file or default_file()
    if not options.config_file and not options.kafka:
        raise ConfigError(f"give --config.file FILE or --kafka HOST:PORT; without them {WORDS}")
    if options.config_file:
        data: dict[str, Any] = load(options.config_file, code=options.allow_code).model_dump(exclude_unset=True)
    else:
        bootstrap = [part.strip() for part in options.kafka.split(",") if part.strip()]
        data = {"clusters": [{"name": "kafka", "bootstrap": bootstrap}]}
    for section, key, value in (
        ("web", "listen_address", getattr(options, "listen", None)),
        ("web", "config_file", getattr(options, "web_file", None)),
        ("web", "enable_lifecycle", getattr(options, "lifecycle", None)),
        ("log", "level", options.log_level),
        ("log", "format", options.log_format),
    ):
        if value is not None:
            data[section] = {**data.get(section, {}), key: value}
    return from_data(data, "flags", code=options.allow_code)  # what comes from the file was found good by `load`
