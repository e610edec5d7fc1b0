"""`keywatch listener check`: flags, and one look at a provider jar that is not run."""

from __future__ import annotations

import argparse
import gc
import re
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keywatch.cli import listener_admin
from keywatch.cli.exit_codes import OK, SOMETHING_DOWN
from keywatch.config.yaml_file import ConfigError

if TYPE_CHECKING:
    from keywatch.provider.jar_check import Report

_SHA256 = re.compile(r"(?:[0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}")


def add(actions: Any) -> None:
    """Declare `check` below `actions`, what argparse's `add_subparsers` gave."""
    parser: argparse.ArgumentParser = actions.add_parser(
        "check", help="check a jar without running it: exit 0 good, 1 it breaks something, 2 bad input"
    )
    parser.add_argument("jar", type=Path, metavar="JAR", help="the provider jar")
    add_jar_flags(parser)
    parser.add_argument(
        "--keycloak",
        action="append",
        default=[],
        metavar="DIR|URL",
        help="the Keycloak that it is for: its folder, and one that runs (http://localhost:8080); each once",
    )
    parser.add_argument("--strict", action="store_true", help="exit 1 for warnings too")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    listener_admin.add_flags(parser)
    parser.set_defaults(run=run)


def add_jar_flags(parser: argparse.ArgumentParser) -> None:
    """Declare what a jar is held against beside Keycloak."""
    parser.add_argument(
        "--java",
        metavar="HOME",
        help="the Java that Keycloak runs on: its folder, or a release such as 21 [as kc.sh does]",
    )
    parser.add_argument("--sha256", type=_digest, metavar="SUM", help="what the jar's SHA-256 must be")
    parser.add_argument(
        "--signer", type=_digest, metavar="SUM", help="SHA-256 of the certificate that it must be signed by"
    )


def _digest(text: str) -> str:
    if not _SHA256.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no SHA-256: 64 hexadecimal digits")
    return text.replace(":", "").lower()


def run(options: argparse.Namespace) -> int:
    """Check the jar, print the report and return the exit code; raises `ConfigError`."""
    from keywatch.cli.listener_report import show  # noqa: PLC0415 - each command loads what it needs
    from keywatch.provider.finding import Severity  # noqa: PLC0415

    urls = [one for one in options.keycloak if one.startswith(("http://", "https://"))]
    folders = [Path(one) for one in options.keycloak if one not in urls]
    if len(urls) > 1 or len(folders) > 1:
        raise ConfigError("--keycloak: give one folder and one URL at most")
    report = checked(options, folders[0] if folders else None)
    if urls:
        report.add(listener_admin.findings(options, urls[0], [one.id for one in report.providers if one.id]))
    show(report, as_json=options.json)
    strict = options.strict and any(one.severity is Severity.WARNING for one in report.findings)
    return OK if report.good and not strict else SOMETHING_DOWN


def checked(options: argparse.Namespace, keycloak: Path | None, leave_out: str = "") -> Report:
    """Check the jar that the flags name; raises `ConfigError`.

    `leave_out` is the file of Keycloak's providers that it replaces, where it is called otherwise.
    """
    from keywatch.provider.distribution import Distribution, DistributionError  # noqa: PLC0415 - as above
    from keywatch.provider.jar_check import JarError, Wanted, check  # noqa: PLC0415
    from keywatch.provider.java_runtime import JavaRuntime, NoRuntimeError, found_here, runtime  # noqa: PLC0415

    with ExitStack() as opened:
        gc.disable()  # hundreds of thousands of small things, none of which is part of a circle: a quarter of the time
        opened.callback(gc.enable)
        try:
            if options.java is None:
                java = found_here()
            elif options.java.isdecimal() and len(options.java) < 4:
                java = JavaRuntime(int(options.java))
            else:
                java = runtime(Path(options.java))
            opened.callback(java.close)
            distribution = Distribution(keycloak, leave_out or options.jar.name) if keycloak is not None else None
            if distribution is not None:
                opened.callback(distribution.close)
            return check(options.jar, distribution, java, Wanted(options.sha256 or "", options.signer or ""))
        except NoRuntimeError as error:
            raise ConfigError(f"--java {options.java}: {error}") from None
        except (DistributionError, JarError) as error:
            raise ConfigError(str(error)) from None
