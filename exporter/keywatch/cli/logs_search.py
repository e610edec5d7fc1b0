"""`keywatch logs search`: shows events by realm, type, client, user and time, as a table or JSON, or as they come."""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import re
from collections.abc import Sequence
from typing import Any

from keywatch.cli import logs_server
from keywatch.cli.moments import moment
from keywatch.cli.out import complain, say, say_json
from keywatch.elastic.event_search import KINDS, Follower, NoStreamsError, StoredEvent, Wanted, search
from keywatch.elastic.server import ElasticServer
from keywatch.engine.counted import counted
from keywatch.surfaces import terminal

_MOST = 10_000  # what a search gives at once by Elasticsearch's own setting
_FOLLOW_SECONDS = 1.0
_NAMESPACE = re.compile(r"[a-z0-9._*-]{1,100}")
_COLUMNS = ("time", "realm", "event", "outcome", "client", "user", "address", "detail")


def add(actions: Any) -> None:
    """Declare the command and its flags."""
    parser: argparse.ArgumentParser = actions.add_parser(
        "search", help="show events, the newest first: exit 0, 1 no answer, 2 bad input"
    )
    parser.add_argument("--realm", default="", metavar="ID", help="id or name of the realm")
    parser.add_argument("--type", dest="types", action="append", default=[], metavar="TYPE", help="LOGIN, UPDATE …")
    parser.add_argument("--kind", choices=KINDS, default="all", help="user or admin events [all]")
    parser.add_argument("--client", default="", metavar="ID", help="client of the realm")
    parser.add_argument("--user-id", default="", metavar="ID", help="Keycloak's id of the user")
    parser.add_argument("--user-hash", default="", metavar="HASH", help="hash of the user's name")
    parser.add_argument("--outcome", choices=("success", "failure"), default="", help="how it ended")
    parser.add_argument("--since", type=moment, metavar="TIME", help="24h ago, as 24h; or 2026-11-25T08:00Z [24h]")
    parser.add_argument("--until", type=moment, metavar="TIME", help="likewise [now]")
    parser.add_argument("--limit", type=_limit, default=100, metavar="N", help="events at most [100]")
    parser.add_argument("--namespace", type=_namespace, default="*", metavar="NAME", help="of the data streams [*]")
    parser.add_argument("--json", action="store_true", help="print each event's document as a line of JSON")
    parser.add_argument("--follow", action="store_true", help="go on with events as they become visible")
    logs_server.add_flags(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command and give its exit code; raises `ConfigError`."""
    now = dt.datetime.now(dt.UTC)
    wanted = Wanted(
        realm=options.realm,
        types=tuple(options.types),
        client=options.client,
        user_id=options.user_id,
        user_hash=options.user_hash,
        outcome=options.outcome,
        since=options.since or now - dt.timedelta(days=1),
        until=None if options.follow else options.until,
        kind=options.kind,
        namespace=options.namespace,
    )

    async def work(server: ElasticServer) -> int:
        try:
            found = await search(server, wanted, options.limit, options.timeout)
        except NoStreamsError as error:
            complain(f"{error.detail}; `keywatch logs check` says what else is missing there")
            return logs_server.TROUBLE
        if not options.follow:
            _show(found, as_json=options.json)
            return logs_server.OK
        _print(list(reversed(found)), as_json=options.json)
        follower = Follower(server, wanted, now)
        follower.pass_over(found)
        while True:
            _print(await follower.more(options.timeout), as_json=options.json)
            await asyncio.sleep(_FOLLOW_SECONDS)

    return logs_server.run(options, work)


def _show(events: Sequence[StoredEvent], *, as_json: bool) -> None:
    if as_json:
        _print(events, as_json=True)
        return
    from rich.table import Table  # noqa: PLC0415 - other commands do without
    from rich.text import Text  # noqa: PLC0415

    from keywatch.cli import tables  # noqa: PLC0415

    table = Table(box=None, pad_edge=False)
    for heading in _COLUMNS:
        table.add_column(heading, overflow="fold")
    for event in events:
        table.add_row(*(Text(cell) for cell in _cells(event)))
    if events:
        tables.show(table)
    say(counted(len(events), "event"))


def _print(events: Sequence[StoredEvent], *, as_json: bool) -> None:
    for event in events:
        if as_json:
            say_json(event.source)
        else:
            say("  ".join(cell or "-" for cell in _cells(event)))


def _cells(event: StoredEvent) -> list[str]:
    """Return the columns of one event; what a terminal would obey is made visible."""
    from keywatch.cli.tables import short  # noqa: PLC0415 - other commands do without

    get = event.source
    detail = " ".join(
        filter(
            None,
            (_at(get, "keycloak", "admin", "resource", "path"), _at(get, "keycloak", "event", "error")),
        )
    )
    cells = (
        _at(get, "@timestamp"),
        _at(get, "keycloak", "realm", "name") or _at(get, "keycloak", "realm", "id"),
        _at(get, "keycloak", "event", "type") or _at(get, "event", "action"),
        _at(get, "event", "outcome"),
        _at(get, "keycloak", "client", "id"),
        _at(get, "user", "hash") or _at(get, "user", "id"),
        _at(get, "source", "ip"),
        detail,
    )
    return [terminal(short(cell)) for cell in cells]


def _at(source: Any, *path: str) -> str:
    for key in path:
        source = source.get(key) if isinstance(source, dict) else None
    return "" if source is None else str(source)


def _limit(text: str) -> int:
    """Read how many; raises `ArgumentTypeError`."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= _MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed; allowed: 1 to {_MOST}")
    return int(text)


def _namespace(text: str) -> str:
    """Read a namespace; raises `ArgumentTypeError`."""
    if not _NAMESPACE.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no namespace; allowed: lower-case letters, digits, . _ - and *")
    return text
