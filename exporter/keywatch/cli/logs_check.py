"""`keywatch logs check`: tells drift from what was put, policies that stand still, and templates in the way."""

from __future__ import annotations

import argparse
from typing import Any

from keywatch.cli import logs_bootstrap, logs_server
from keywatch.cli.out import say, say_json
from keywatch.elastic.inspection import Inspection, inspect
from keywatch.elastic.server import ElasticServer
from keywatch.engine.counted import counted


def add(actions: Any) -> None:
    """Declare the command and its flags."""
    parser: argparse.ArgumentParser = actions.add_parser(
        "check", help="look whether all is as it was put: exit 0 good, 1 trouble, 2 bad input, 3 drift"
    )
    logs_bootstrap.add_object_flags(parser)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    logs_server.add_flags(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command and give its exit code; raises `ConfigError`."""
    objects = logs_bootstrap.objects_of(options)

    async def work(server: ElasticServer) -> int:
        found = await inspect(server, objects, options.timeout)
        _show(found, as_json=options.json)
        if found.trouble:
            return logs_server.TROUBLE
        return logs_server.DRIFT if found.drift else logs_server.OK

    return logs_server.run(options, work)


def _show(found: Inspection, *, as_json: bool) -> None:
    if as_json:
        data = {
            "product": str(found.product), "drift": found.drift, "trouble": found.trouble, "streams": found.streams
        }  # fmt: skip
        say_json(data, 2)
        return
    for word, lines in (("trouble", found.trouble), ("drift", found.drift)):
        for line in lines:
            say(f"{word}: {line}")
    state = "trouble" if found.trouble else "drift" if found.drift else "good"
    say(f"{found.product}: {state}; {counted(len(found.streams), 'data stream')}")
