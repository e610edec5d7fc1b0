"""`keywatch rules`: checks rule files of Prometheus."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from keywatch.cli.exit_codes import OK
from keywatch.cli.out import say
from keywatch.config.yaml_file import ConfigError
from keywatch.rules.prometheus import NEWEST, Prometheus, Release, release

_FOUND = 1


def add(commands: Any, words: str) -> None:
    """Declare the command's action below argparse's `commands`; `words` say what it is for."""
    group: argparse.ArgumentParser = commands.add_parser("rules", help=words)
    actions = group.add_subparsers(title="actions", metavar="ACTION", required=True)
    check = actions.add_parser(
        "check", help="check files: exit 0 good, 1 loads but will not work as meant, 2 Prometheus would refuse a file"
    )
    check.add_argument("files", type=Path, nargs="+", metavar="FILE", help="rule files, or PrometheusRule manifests")
    check.add_argument(
        "--prometheus",
        type=_release,
        default=NEWEST,
        metavar="RELEASE",
        help=f"what loads them: 2.42 to 3.x [{NEWEST[0]}.{NEWEST[1]}]",
    )
    check.add_argument(
        "--experimental-functions",
        action="store_true",
        help="it runs with --enable-feature=promql-experimental-functions, and the other flags of PromQL",
    )
    at = check.add_argument_group("what exists (without these, any series may exist)")
    at.add_argument("--metrics", type=Path, action="append", default=[], metavar="FILE", help="a saved /metrics")
    at.add_argument("--series", type=Path, action="append", default=[], metavar="FILE", help="names, one in a line")
    at.add_argument("--prometheus.url", dest="prometheus_url", metavar="URL", help="ask this Prometheus, with labels")
    at.add_argument("--prometheus.ca-file", dest="prometheus_ca", type=Path, metavar="FILE", help="PEM to trust there")
    at.add_argument("--prometheus.username", dest="prometheus_user", metavar="USER", help="who asks there")
    at.add_argument("--prometheus.password-file", dest="prometheus_password", type=Path, metavar="FILE")
    style = check.add_argument_group("house style")
    style.add_argument("--style", choices=["keywatch"], help="what keywatch's own rules keep to as well")
    style.add_argument("--runbooks", type=Path, metavar="FOLDER", help="where each alert must have its runbook")
    style.add_argument("--tests", type=Path, metavar="FOLDER", help="where each alert must have its tests")
    check.set_defaults(run=run_check)


def _release(text: str) -> Release:
    try:
        return release(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def run_check(options: argparse.Namespace) -> int:
    """Check the files and return the exit code; raises `ConfigError` with all that would be refused."""
    from keywatch.rules.lint import lint  # noqa: PLC0415 - each command loads what it needs

    style = _style(options)
    prometheus = Prometheus(options.prometheus, options.experimental_functions)
    report = lint(options.files, prometheus, _series(options, prometheus))
    found = [*report.found]
    try:
        found += style()
    except ConfigError:
        if not report.refused:  # a file that cannot be read was told as such
            raise
    for line in found:
        say(line)
    if report.refused:
        raise ConfigError("\n".join([*report.refused, f"{prometheus} would refuse {_files(report.refused_files)}"]))
    if found:
        return _FOUND
    say(f"good: {report}")
    return OK


def _files(count: int) -> str:
    return "a file" if count == 1 else f"{count} files"


def _series(options: argparse.Namespace, prometheus: Prometheus) -> Mapping[str, frozenset[str] | None] | None:
    """Return what exists by pages, lists and a Prometheus; none when nothing of it was given."""
    from keywatch.rules import emitted, series  # noqa: PLC0415 - each command loads what it needs
    from keywatch.rules.judge import judge  # noqa: PLC0415

    pages = options.metrics if options.style is None else []  # the house's style looks at them as well
    if not (options.prometheus_url or pages or options.series):
        return None
    found: dict[str, frozenset[str] | None] = dict.fromkeys(series.own())
    for page in pages:
        found.update(dict.fromkeys(emitted.of_page(page)))
    for names in options.series:
        found.update(dict.fromkeys(emitted.of_list(names)))
    if options.prometheus_url:
        from keywatch.cli import prometheus_server  # noqa: PLC0415

        judgements = [judge(path, prometheus) for path in options.files]
        wanted = {
            selection.name
            for one in judgements
            for _, _, _, selection in emitted.asked(one.groups, one.loader)
            if selection.name
        }
        found.update(prometheus_server.labels_of(options, wanted))
    return found


def _style(options: argparse.Namespace) -> Callable[[], Iterable[str]]:
    """Return what tells where the files are not in the style that is asked for; raises `ConfigError`."""
    if options.style is None:
        if options.runbooks or options.tests:
            raise ConfigError("--runbooks and --tests go with --style keywatch")
        return tuple
    try:
        from keywatch.rules import style  # noqa: PLC0415 - it needs the extra
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"--style keywatch needs {error.name}: install keywatch with its extra, "
            "`pip install '.[rules]'` in its source tree"
        ) from error
    return partial(style.problems, options.files, options.metrics, options.runbooks, options.tests)
