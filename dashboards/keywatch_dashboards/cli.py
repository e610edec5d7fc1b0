"""The `keywatch-dashboards` command: flags, messages and exit codes; the work lives elsewhere."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from keywatch_dashboards import render
from keywatch_dashboards.config_map import config_maps

OK, STALE, BAD_USAGE = 0, 1, 2
_UID = re.compile(r"[A-Za-z0-9_-]{1,40}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and give its exit code: 0, 1 when `--check` found drift, 2 for bad usage."""
    options = _parser().parse_args(arguments)
    if options.datasource is not None and not _UID.fullmatch(options.datasource):
        return _refuse(f"--datasource {options.datasource!r}: is no uid: 1 to 40 letters, digits, - and _")
    try:
        files = render.texts(options.datasource)
    except AttributeError as error:
        owner = getattr(error.obj, "__name__", "")
        if not owner.startswith("keywatch.catalogue"):
            raise
        return _refuse(f"{_where(error)}: {owner} has no metric {error.name}; it was renamed or taken away")
    if options.folder is not None and not options.config_maps:
        return _refuse("--folder: goes with --config-maps only; a provisioning file names the folder of JSON files")
    if options.config_maps:
        files = config_maps(files, options.folder)
    try:
        if options.check:
            stale = render.drift(options.out, files)
            for line in stale:
                print(f"{line}; `make dashboards` renews it", file=sys.stderr)  # noqa: T201 - the command's result
            return STALE if stale else OK
        render.write(options.out, files)
    except OSError as error:
        return _refuse(f"--out {options.out}: cannot be {'read' if options.check else 'written'}: {error.strerror}")
    return OK


def _where(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace is not None else "?"


def _refuse(message: str) -> int:
    print(message, file=sys.stderr)  # noqa: T201 - the command's result
    return BAD_USAGE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="keywatch-dashboards", description="Writes keywatch's Grafana dashboards as JSON, to import or provision."
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where to write; made when missing")
    parser.add_argument("--datasource", metavar="UID", help="Prometheus that is chosen at first [Grafana's default]")
    parser.add_argument("--config-maps", action="store_true", help="write ConfigMaps for Grafana's sidecar, not JSON")
    parser.add_argument("--folder", metavar="NAME", help="Grafana's folder, told by the ConfigMaps")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a file is not up to date")
    return parser


if __name__ == "__main__":
    sys.exit(main())
