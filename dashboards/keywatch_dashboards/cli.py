"""The `keywatch-dashboards` command: flags, messages and exit codes; the work lives elsewhere."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from keywatch_dashboards import push, render
from keywatch_dashboards.config_map import config_maps
from keywatch_dashboards.server import Server, ServerError

OK, STALE, BAD_USAGE = 0, 1, 2
TOKEN = "GRAFANA_TOKEN"  # noqa: S105 - the variable's name
_UID = re.compile(r"[A-Za-z0-9_-]{1,40}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and give its exit code: 0, 1 when `--check` found a difference, 2 for whatever cannot be done."""
    options = _parser().parse_args(arguments)
    if options.datasource is not None and not _UID.fullmatch(options.datasource):
        return _refuse(f"--datasource {options.datasource!r}: is no uid: 1 to 40 letters, digits, - and _")
    if options.folder is not None and options.grafana is None and not options.config_maps:
        return _refuse(
            "--folder: goes with --config-maps or --grafana; a provisioning file names the folder of JSON files"
        )
    if options.grafana is not None and options.config_maps:
        return _refuse("--config-maps: goes with --out")
    if options.grafana is None and (options.token_file or options.ca_file):
        return _refuse("--token-file and --ca-file: go with --grafana")
    try:
        files = render.texts(options.datasource)
    except AttributeError as error:
        owner = getattr(error.obj, "__name__", "")
        if not owner.startswith("keywatch.metrics."):
            raise
        return _refuse(f"{_where(error)}: {owner} has no metric {error.name}; it was renamed or taken away")
    if options.grafana is not None:
        return _push(options, files)
    return _write(options, config_maps(files, options.folder) if options.config_maps else files)


def _write(options: argparse.Namespace, files: Mapping[str, str]) -> int:
    try:
        if options.check:
            stale = render.drift(options.out, files)
            for line in stale:
                _tell(f"{line}; `make dashboards` renews it")
            return STALE if stale else OK
        render.write(options.out, files)
    except OSError as error:
        return _refuse(f"--out {options.out}: cannot be {'read' if options.check else 'written'}: {error.strerror}")
    return OK


def _push(options: argparse.Namespace, files: Mapping[str, str]) -> int:
    try:
        token = (options.token_file.read_text("utf-8") if options.token_file else os.environ.get(TOKEN, "")).strip()
    except (OSError, ValueError) as error:
        return _refuse(f"--token-file {options.token_file}: cannot be read: {getattr(error, 'strerror', 'is no text')}")
    if not token:
        return _refuse(f"--grafana: needs the token of a service account, in {TOKEN} or in --token-file FILE")
    try:
        server = Server(options.grafana, token, options.ca_file)
        try:
            planned = push.plan(server, files, options.folder, options.datasource)
            if not options.check:
                push.apply(server, planned)
        finally:
            server.close()
    except ServerError as error:
        return _refuse(f"--grafana {_shown(options.grafana)}: {error}")
    if options.check:
        for change in planned.needed():
            print(*change.lines(), sep="\n")  # noqa: T201 - the command's result
    for note in planned.notes:
        _tell(note)
    if planned.new_folder is not None:
        _tell(f"folder {planned.new_folder}: is new")
    for change in planned.changes:
        _tell(change.summary())
    return STALE if options.check and planned.needed() else OK


def _shown(url: str) -> str:
    """Leave out a name and password that stand in an address."""
    return re.sub(r"//[^/]*@", "//", url)


def _where(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace is not None else "?"


def _tell(message: str) -> None:
    print(message, file=sys.stderr)  # noqa: T201 - the command's result


def _refuse(message: str) -> int:
    _tell(message)
    return BAD_USAGE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="keywatch-dashboards",
        description="Writes keywatch's Grafana dashboards as JSON, or brings them into a Grafana.",
    )
    goal = parser.add_mutually_exclusive_group(required=True)
    goal.add_argument("--out", type=Path, metavar="DIR", help="where to write; made when missing")
    goal.add_argument("--grafana", metavar="URL", help=f"Grafana to bring them to; {TOKEN} is its token")
    parser.add_argument("--datasource", metavar="UID", help="Prometheus that is chosen at first [Grafana's default]")
    parser.add_argument("--config-maps", action="store_true", help="write ConfigMaps for Grafana's sidecar, not JSON")
    parser.add_argument("--folder", metavar="NAME", help="Grafana's folder, for --config-maps and --grafana")
    parser.add_argument("--token-file", type=Path, metavar="FILE", help=f"file with the token, instead of {TOKEN}")
    parser.add_argument("--ca-file", type=Path, metavar="FILE", help="certificates that Grafana's own is checked by")
    parser.add_argument(
        "--check",
        "--dry-run",
        action="store_true",
        dest="check",
        help="write nothing; exit 1 and say what is not up to date (--grafana: as a diff)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
