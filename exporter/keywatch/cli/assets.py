"""`keywatch assets`: writes what comes with keywatch beside its code, for whoever has the package or image alone."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from keywatch.assets import shipped
from keywatch.assets.export import ExportError, export
from keywatch.cli.begin import NO_ROOM
from keywatch.cli.exit_codes import OK
from keywatch.cli.out import complain, say
from keywatch.config.yaml_file import ConfigError
from keywatch.engine.counted import counted

_CHANGED = 1
_RUNBOOKS = "https://keywatch.example/alerts/runbooks"
"""Where alerts point to as they are shipped."""


def add(commands: Any, words: str) -> None:
    """Declare the command's actions below argparse's `commands`; `words` say what it is for."""
    group: argparse.ArgumentParser = commands.add_parser("assets", help=words)
    actions = group.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="name the folders that there are")
    listing.set_defaults(run=run_list)
    parser = actions.add_parser(
        "export", help="write them into a folder, or renew them there: exit 0 done, 1 files stay that somebody changed"
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="made when it is missing")
    parser.add_argument("--only", default="", metavar="FOLDER", help="one folder of them, such as alerts/rules")
    parser.add_argument(
        "--runbooks", default="", metavar="URL", help="where your runbooks are; without it alerts point to an example"
    )
    parser.add_argument("--force", action="store_true", help="replace files that somebody changed as well")
    parser.set_defaults(run=run_export)


def run_list(_: argparse.Namespace) -> int:
    """Name the folders and return the exit code."""
    for folder in shipped.folders():
        say(folder)
    return OK


def run_export(options: argparse.Namespace) -> int:
    """Write the files and return the exit code; raises `ConfigError`."""
    only = options.only.strip("/")
    wanted = {name: _pointed(path.read_bytes(), options.runbooks) for name, path in shipped.files(only)}
    if not wanted:
        raise ConfigError(f"--only {options.only}: there is no such folder; `keywatch assets list` names them")
    try:
        done = export(options.folder, wanted, only, force=options.force)
    except ExportError as error:
        raise ConfigError(str(error)) from error
    except OSError as error:
        if error.errno in NO_ROOM:
            raise
        raise ConfigError(f"{error.filename}: cannot be written: {error.strerror}") from error
    for name in done.removed:
        say(f"removed: {name}, which is not shipped any more")
    for name in done.kept:
        complain(f"{options.folder / name}: was changed here and stays as it is; --force replaces it")
    say(f"{options.folder}: {counted(len(done.written), 'file')} written, {done.same} the same")
    return _CHANGED if done.kept else OK


def _pointed(data: bytes, runbooks: str) -> bytes:
    """Have alerts point to where the runbooks are."""
    return data.replace(_RUNBOOKS.encode(), runbooks.rstrip("/").encode()) if runbooks else data
