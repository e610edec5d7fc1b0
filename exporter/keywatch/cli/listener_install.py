"""`keywatch listener install`, `upgrade` and `rollback`: flags, the plan, and the change itself."""

from __future__ import annotations

import argparse
import asyncio
import shlex
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keywatch.cli import listener_check, source
from keywatch.cli.exit_codes import BAD_CONFIGURATION, OK, SOMETHING_DOWN
from keywatch.cli.out import complain, say
from keywatch.cli.seconds import seconds
from keywatch.config.yaml_file import ConfigError

if TYPE_CHECKING:
    from keywatch.cli.listener_proof import Proof
    from keywatch.provider.installation import Actions, Installation
    from keywatch.provider.jar_check import Report

_LONGEST = 3_600.0


def add(actions: Any) -> None:
    """Declare the three commands below `actions`, what argparse's `add_subparsers` gave."""
    for name, words in (
        ("install", "put a checked jar into a Keycloak, and take it back where no event arrives"),
        ("upgrade", "put a checked jar in place of the listener with the same id"),
    ):
        parser: argparse.ArgumentParser = actions.add_parser(name, help=f"{words}: exit 0 done, 1 undone, 2 not begun")
        parser.add_argument("jar", type=Path, metavar="JAR", help="the provider jar")
        listener_check.add_jar_flags(parser)
        _add_flags(parser)
        parser.set_defaults(run=run_put, action=name)
    back: argparse.ArgumentParser = actions.add_parser(
        "rollback", help="put back what the last install or upgrade replaced, or end what a killed one left"
    )
    _add_flags(back)
    back.set_defaults(run=run_rollback)


def _add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("keycloak", type=Path, metavar="DIR", help="Keycloak's folder")
    parser.add_argument("--dry-run", action="store_true", help="check, show the plan, and change nothing")
    programs = parser.add_argument_group("programs (words apart by spaces, run without a shell)")
    programs.add_argument(
        "--build", metavar="COMMAND", help="what builds Keycloak; '' nothing does [DIR/bin/kc.sh build]"
    )
    programs.add_argument("--restart", metavar="COMMAND", help="what restarts it, and ends when the old one has ended")
    programs.add_argument(
        "--within", type=seconds(_LONGEST), default=600.0, metavar="SECONDS", help="longest time for each [600]"
    )
    proof = parser.add_argument_group("proof (after a restart)")
    proof.add_argument("--ready", metavar="URL", help="Keycloak's management port, such as http://localhost:9000")
    proof.add_argument("--url", metavar="URL", help="where users log in, such as http://localhost:8080")
    proof.add_argument("--realm", metavar="NAME", help="a realm that the listener is set for; a login there must fail")
    proof.add_argument("--topic", action="append", metavar="NAME", help="where the event of that login must come")
    proof.add_argument("--ca-file", type=Path, metavar="FILE", help="authorities to trust at both URLs, PEM")
    proof.add_argument(
        "--event-within", type=seconds(600.0), default=30.0, metavar="SECONDS", help="longest wait for it [30]"
    )
    proof.add_argument("--cluster", metavar="NAME", help="which Kafka, where the configuration has several clusters")
    source.add_flags(parser)


def run_put(options: argparse.Namespace) -> int:
    """Check, plan, install or upgrade; return the exit code. Raises `ConfigError`."""
    from keywatch.cli.listener_proof import proof  # noqa: PLC0415 - each command loads what it needs

    _folder(options.keycloak)
    checks = proof(options)
    if options.dry_run:
        if (left := _left(options)) is not None:
            say(f"plan: {left}")
        return OK if _planned(options, checks) else SOMETHING_DOWN

    def put(installation: Installation) -> int:
        planned = _planned(options, checks)
        if planned is None:
            return SOMETHING_DOWN
        report, file = planned
        installation.put(options.jar, file, options.action, report.sha256)
        return OK

    return _changed(options, checks, put)


def _planned(options: argparse.Namespace, checks: Proof) -> tuple[Report, str] | None:
    """Check the jar and show the plan, or why there is none; return the report and the name that the jar gets."""
    from keywatch.cli.listener_report import show  # noqa: PLC0415 - each command loads what it needs
    from keywatch.provider.installed import InstalledError, place  # noqa: PLC0415

    first = listener_check.checked(options, None)
    try:
        file = place(options.keycloak, first, options.jar.name, upgrade=options.action == "upgrade")
    except InstalledError as error:
        raise ConfigError(f"{error}; nothing was changed") from None
    report = listener_check.checked(options, options.keycloak, file)
    if not report.good:
        show(report, as_json=False)
        complain(f"{options.jar}: is not installed: it would break something; nothing was changed")
        return None
    for line in _plan(options, report, file, checks):
        say(line)
    return report, file


def _left(options: argparse.Namespace) -> str | None:
    """Tell what a killed run left, and what comes of it; raises `ConfigError`."""
    from keywatch.provider.journal import ChangeError, Records  # noqa: PLC0415 - each command loads what it needs

    try:
        change = Records(options.keycloak).under_way()
    except ChangeError as error:
        raise ConfigError(str(error)) from None
    if change is None:
        return None
    verb = "end" if change.step in {"ending", "cleaning"} else "undo"
    return f"{verb} the {change.action} of providers/{change.file}, which was left while {change.step}"


def run_rollback(options: argparse.Namespace) -> int:
    """Go back, or end what a killed run left; return the exit code. Raises `ConfigError`."""
    from keywatch.cli.listener_proof import proof  # noqa: PLC0415 - each command loads what it needs
    from keywatch.provider.journal import ChangeError, Records  # noqa: PLC0415

    _folder(options.keycloak)
    checks = proof(options)
    if options.dry_run:
        try:
            last = Records(options.keycloak).replaced()
        except ChangeError as error:
            raise ConfigError(str(error)) from None
        if (left := _left(options)) is not None:
            say(f"plan: {left}")
        elif last is not None:
            what = f"put back the jar with SHA-256 {last.get('old')}" if last.get("old") else "take the jar away"
            say(f"plan: providers/{last.get('file')}: {what}, and what was built with it; then restart")
        else:
            say("plan: nothing: nothing was installed by keywatch")
        return OK

    def back(installation: Installation) -> int:
        installation.roll_back()
        return OK

    return _changed(options, checks, back, after_left=False)


def _changed(
    options: argparse.Namespace, checks: Proof, change: Callable[[Installation], int], *, after_left: bool = True
) -> int:
    """End or undo what a killed run left, then change something; without `after_left` only where nothing was left."""
    from keywatch.provider.installation import Installation  # noqa: PLC0415 - each command loads what it needs
    from keywatch.provider.journal import ChangeError, NotBegunError, Records  # noqa: PLC0415

    before = _interruptible(ChangeError)
    records = Records(options.keycloak)
    try:
        with records.locked(options.within) as lock:
            installation = Installation(records, lock, _actions(options, checks))
            left = installation.recover()
            if left:
                say(left)
            return change(installation) if after_left or not left else OK
    except ChangeError as error:
        complain(str(error))
        return BAD_CONFIGURATION if isinstance(error, NotBegunError) else SOMETHING_DOWN
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interruptible(error: type[Exception]) -> dict[int, Any]:
    """Have Ctrl-C and a request to end undo the change, a second one end at once; return the handlers of before."""

    def stop(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        raise error("interrupted")

    return {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}


def _actions(options: argparse.Namespace, checks: Proof) -> Actions:
    from keywatch.provider.installation import Actions  # noqa: PLC0415 - each command loads what it needs
    from keywatch.provider.programs import run  # noqa: PLC0415

    build = _build(options)

    def built(lock: int) -> None:
        if build:
            say(f"building: {shlex.join(build)}")
            run(build, "the build", options.within, inherits=lock)

    def restarted() -> None:
        if options.restart:
            say(f"restarting: {options.restart}")
            run(shlex.split(options.restart), "the restart", options.within, ends=False)

    def judged() -> None:
        if options.restart:
            say(asyncio.run(checks.ready()))
            say(checks.event())

    def recovered() -> None:
        restarted()
        if options.restart:
            say(asyncio.run(checks.ready()))

    return Actions(built, restarted, judged, recovered, say)


def _build(options: argparse.Namespace) -> list[str]:
    default = str(options.keycloak / "bin" / "kc.sh")
    return [default, "build"] if options.build is None else shlex.split(options.build)


def _folder(home: Path) -> None:
    if not (home / "providers").is_dir():
        raise ConfigError(f"{home}: is no Keycloak: there is no folder providers")


def _plan(options: argparse.Namespace, report: Report, file: str, checks: Proof) -> list[str]:
    target = options.keycloak / "providers" / file
    ids = ", ".join(one.id or "?" for one in report.providers)
    build = _build(options)
    return [
        f"plan: {options.action} {options.jar} ({ids}, SHA-256 {report.sha256}) as {target}",
        *(f"  {one.severity}: {one.subject}: {one.words}" for one in report.findings if one.severity == "warning"),
        f"  1. copy it beside, keep {'the jar that is there and ' if target.exists() else ''}what was built, rename",
        f"  2. build: {shlex.join(build) if build else 'nothing (--build is empty)'}",
        f"  3. restart: {options.restart or 'nothing: give --restart, or restart Keycloak yourself'}",
        f"  4. proof: {checks if options.restart else 'none without a restart'}",
        "  where a step fails, all of it is undone",
    ]
