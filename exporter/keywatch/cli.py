"""The `keywatch` command: subcommands, flags and exit codes; the work lives elsewhere."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keywatch import __version__, logs, logs_cli
from keywatch.config.model import Config
from keywatch.config_file import ConfigError, check, load

OK, SOMETHING_DOWN, BAD_CONFIGURATION = 0, 1, 2
_LONGEST = 86_400
_LEVELS = ("debug", "info", "warning", "error")
_FORMATS = ("auto", "json", "text")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and give its exit code: 0, 1 when `check` found something down, 2 for bad usage."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if not hasattr(options, "run"):
        parser.print_help()
        return BAD_CONFIGURATION
    try:
        return int(options.run(options))
    except ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201 - logging is not set up without a configuration
        return BAD_CONFIGURATION
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="keywatch", description="Proves that Keycloak's events cross Kafka.")
    parser.add_argument("--version", action="version", version=f"keywatch {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    serve = commands.add_parser("serve", help="watch clusters and serve /metrics until told to end")
    _source_flags(serve)
    serve.add_argument("--web.listen-address", dest="listen", metavar="ADDRESS", help="host:port or :port [:9877]")
    serve.add_argument(
        "--web.config.file", dest="web_file", type=Path, metavar="FILE", help="TLS and users of the port"
    )
    serve.add_argument(
        "--web.enable-lifecycle",
        dest="lifecycle",
        action="store_const",
        const=True,
        help="let POST /-/reload, as SIGHUP does, have the configuration read anew",
    )
    serve.set_defaults(run=_serve)

    one_look = commands.add_parser("check", help="look once: exit 0 healthy, 1 something down, 2 bad configuration")
    _source_flags(one_look)
    one_look.add_argument("--json", action="store_true", help="print the result as JSON")
    one_look.add_argument("--within", type=_seconds, default=10.0, metavar="SECONDS", help="longest time to look [10]")
    one_look.set_defaults(run=_check)

    config = commands.add_parser("config", help="check a configuration file, or print an example")
    actions = config.add_subparsers(title="actions", metavar="ACTION", required=True)
    check_file = actions.add_parser("check", help="check a file: exit 0 good, 2 bad")
    check_file.add_argument("file", type=Path, nargs="?", metavar="FILE")
    check_file.add_argument("--web", type=Path, metavar="FILE", help="a file for --web.config.file, beside or instead")
    check_file.set_defaults(run=_config_check)
    example = actions.add_parser("example", help="print a file with every key, its default and its meaning")
    example.set_defaults(run=_config_example)

    rules = commands.add_parser("rules", help="check rule files of Prometheus")
    actions = rules.add_subparsers(title="actions", metavar="ACTION", required=True)
    check_rules = actions.add_parser("check", help="check files: exit 0 good, 2 bad")
    check_rules.add_argument("files", type=Path, nargs="+", metavar="FILE")
    check_rules.add_argument(
        "--metrics",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="a saved /metrics whose series exist too",
    )
    check_rules.add_argument("--runbooks", type=Path, metavar="FOLDER", help="where each alert must have its runbook")
    check_rules.add_argument("--tests", type=Path, metavar="FOLDER", help="where each alert must have its tests")
    check_rules.set_defaults(run=_rules_check)

    logs_cli.add(commands)

    metrics = commands.add_parser("metrics", help="print every metric that keywatch exports")
    metrics.add_argument("--markdown", action="store_true", help="as the text of docs/metrics.md")
    metrics.set_defaults(run=_metrics)

    demo = commands.add_parser("demo", help="show keywatch at work on a cluster of its own that breaks")
    demo.add_argument("--kafka", metavar="HOST:PORT", help="watch this cluster for a while instead; breaks nothing")
    demo.add_argument("--seconds", type=_seconds, metavar="SECONDS", help="how long to show it")
    demo.set_defaults(run=_demo)
    return parser


def _source_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config.file", dest="config_file", type=Path, metavar="FILE", help="configuration file")
    parser.add_argument("--kafka", metavar="HOST:PORT[,…]", help="bootstrap addresses, in place of a file")
    parser.add_argument("--log.level", dest="log_level", choices=_LEVELS)
    parser.add_argument("--log.format", dest="log_format", choices=_FORMATS)


def _seconds(text: str) -> float:
    """Read a length of time; raises `ArgumentTypeError`."""
    try:
        seconds = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds") from None
    if not 0 < seconds <= _LONGEST:
        raise argparse.ArgumentTypeError(f"{text} is out of range; allowed: more than 0, at most {_LONGEST}")
    return seconds


def _configuration(options: argparse.Namespace) -> Config:
    """Read the file or make a configuration from `--kafka`; flags win over the file. Raises `ConfigError`."""
    if bool(options.config_file) == bool(options.kafka):
        raise ConfigError("give either --config.file FILE or --kafka HOST:PORT")
    if options.config_file:
        data: dict[str, Any] = load(options.config_file).model_dump(exclude_unset=True)
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
    return check(data, "flags")  # what comes from the file was found good by `load`


def _serve(options: argparse.Namespace) -> int:
    import uvloop  # noqa: PLC0415 - each command loads what it needs

    from keywatch.config.secret import SecurityError  # noqa: PLC0415
    from keywatch.serve import ListenError, end_now, serve  # noqa: PLC0415

    config = _configuration(options)
    logs.set_up(config.log)
    try:
        uvloop.run(serve(config, lambda: _configuration(options)))
    except (ListenError, SecurityError) as error:
        raise ConfigError(str(error)) from error
    end_now()
    return OK


def _check(options: argparse.Namespace) -> int:
    from keywatch.check import look, report, show  # noqa: PLC0415
    from keywatch.config.secret import SecurityError  # noqa: PLC0415

    config = _configuration(options)
    if options.log_level is None:
        config = config.model_copy(update={"log": config.log.model_copy(update={"level": "error"})})
    logs.set_up(config.log)

    async def once() -> dict[str, Any]:
        watch = await look(config, options.within)
        found = report(watch)
        await watch.stop()
        return found

    try:
        found = asyncio.run(once())
    except SecurityError as error:
        raise ConfigError(str(error)) from error
    show(found, as_json=options.json)
    return OK if found["healthy"] else SOMETHING_DOWN


def _config_check(options: argparse.Namespace) -> int:
    from keywatch.watch import Watch  # noqa: PLC0415
    from keywatch.web_file import load as load_web  # noqa: PLC0415 - each command loads what it needs

    web_files: list[Path] = [options.web] if options.web else []
    if options.file:
        config = load(options.file)
        for warning in Watch(config).warnings():
            print(f"{options.file}: warning: {warning}")  # noqa: T201 - the command's result
        names = ", ".join(cluster.name for cluster in config.clusters)
        print(f"{options.file}: good; clusters: {names}")  # noqa: T201 - the command's result
        web_files += [config.web.config_file] if config.web.config_file else []
    elif not web_files:
        raise ConfigError("give a FILE to check, or --web FILE")
    for file in web_files:
        print(f"{file}: good; {load_web(file)}")  # noqa: T201 - the command's result
    return OK


def _config_example(_: argparse.Namespace) -> int:
    from keywatch.reference import example  # noqa: PLC0415

    print(example(), end="")  # noqa: T201 - the command's result
    return OK


def _rules_check(options: argparse.Namespace) -> int:
    try:
        from keywatch.rules.check import check as check_rules  # noqa: PLC0415 - each command loads what it needs
    except ModuleNotFoundError as error:
        raise ConfigError(f"keywatch rules needs {error.name}: pip install 'keywatch[rules]'") from error
    found = check_rules(options.files, options.metrics, options.runbooks, options.tests)
    print(f"good: {found}")  # noqa: T201 - the command's result
    return OK


def _metrics(options: argparse.Namespace) -> int:
    from keywatch.reference import metrics_markdown, metrics_table  # noqa: PLC0415

    if options.markdown:
        print(metrics_markdown(), end="")  # noqa: T201 - the command's result
    else:
        metrics_table()
    return OK


def _demo(options: argparse.Namespace) -> int:
    from keywatch.demo.show import run  # noqa: PLC0415

    return run(options.kafka, options.seconds)
