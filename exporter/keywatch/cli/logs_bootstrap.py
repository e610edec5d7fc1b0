"""`keywatch logs bootstrap`: puts policies, pipelines and templates, shows what changes, and does nothing twice."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from keywatch.cli import logs_server
from keywatch.cli.out import complain, say
from keywatch.elastic.bootstrap import BootstrapPlan, Consent, ObjectState, apply, plan, roll_over
from keywatch.elastic.lint import lint
from keywatch.elastic.objects import ElasticObject, load, shipped, without_lifecycle
from keywatch.elastic.server import ElasticServer
from keywatch.engine.counted import counted
from keywatch.service.config_file import ConfigError

_SIGNS = {
    ObjectState.MISSING: "+",
    ObjectState.SAME: "=",
    ObjectState.CHANGED: "~",
    ObjectState.EDITED: "~",
    ObjectState.FOREIGN: "!",
}


def add(actions: Any) -> None:
    """Declare the command and its flags."""
    parser: argparse.ArgumentParser = actions.add_parser(
        "bootstrap",
        help="put what logs need into Elasticsearch or OpenSearch: exit 0 done, 1 refused, 2 bad input, 3 dry run: due",
    )
    add_object_flags(parser)
    parser.add_argument("--dry-run", action="store_true", help="show what would change, and change nothing")
    parser.add_argument(
        "--allow-shorter-retention", action="store_true", help="let a policy delete logs earlier than it does now"
    )
    parser.add_argument("--take-over", action="store_true", help="replace objects of our names that others made")
    parser.add_argument("--rollover", action="store_true", help="have data streams take up changes at once")
    logs_server.add_flags(parser)
    parser.set_defaults(run=run)


def add_object_flags(parser: argparse.ArgumentParser) -> None:
    """Declare which objects are meant."""
    parser.add_argument("--objects", type=Path, metavar="FOLDER", help="objects of your own in place of those shipped")
    parser.add_argument("--without-lifecycle", action="store_true", help="no policies: something else deletes old logs")


def objects_of(options: argparse.Namespace) -> list[ElasticObject]:
    """Read the objects that the flags mean; raises `ConfigError` for such as break a rule."""
    folder = options.objects or shipped()
    objects = load(folder)
    if problems := lint(objects):
        raise ConfigError("\n".join(f"{folder}/{problem}" for problem in problems))
    return without_lifecycle(objects) if options.without_lifecycle else objects


def run(options: argparse.Namespace) -> int:
    """Run the command and give its exit code; raises `ConfigError`."""
    objects = objects_of(options)
    consent = Consent(shorter=options.allow_shorter_retention, foreign=options.take_over)

    async def work(server: ElasticServer) -> int:
        made = await plan(server, objects, consent, options.timeout)
        _show(made, dry_run=options.dry_run)
        if made.obstacles:
            for words in made.obstacles:
                complain(words)
            say("nothing was put")
            return logs_server.TROUBLE
        if options.dry_run:
            return logs_server.DRIFT if made.due else logs_server.OK
        await apply(server, made, options.timeout)
        say(f"{counted(len(made.due), 'object')} put" if made.due else "nothing to do: all is there as it should be")
        await _roll_over(server, made, options)
        return logs_server.OK

    return logs_server.run(options, work)


async def _roll_over(server: ElasticServer, made: BootstrapPlan, options: argparse.Namespace) -> None:
    if options.rollover:
        await roll_over(server, made, options.timeout)
        rolls = "rolls" if len(made.streams) == 1 else "roll"
        say(f"{counted(len(made.streams), 'data stream')} {rolls} over: what comes from now on has the new mappings")
    elif made.due and made.streams:
        words = f"{counted(len(made.streams), 'data stream')}: changed mappings hold from the next rollover on"
        say(f"{words}; --rollover makes it now")


def _show(made: BootstrapPlan, *, dry_run: bool) -> None:
    say(str(made.product))
    for step in made.steps:
        say(f"{_SIGNS[step.state]} {step.one}: {step.state}")
        for line in step.changes if step.state is not ObjectState.SAME else ():
            say(f"    {line}")
    if dry_run:
        say(f"{len(made.due)} of {counted(len(made.steps), 'object')} to put; nothing was changed")
