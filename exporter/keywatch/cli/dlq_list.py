"""`keywatch dlq list`: what lies in the queues, how much, since when, why and where it belongs, or each letter."""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Iterator
from itertools import islice
from typing import Any

from keywatch.cli import dlq_queue, dlq_selection
from keywatch.cli.dlq_queue import Desk
from keywatch.cli.exit_codes import OK, SOMETHING_STAYS
from keywatch.cli.out import complain, say, say_json
from keywatch.engine.counted import counted
from keywatch.names import shortened
from keywatch.redrive.letter import Letter
from keywatch.redrive.queue import Queue
from keywatch.redrive.summary import UNREADABLE, Summary, depths, letters_of
from keywatch.surfaces import terminal

_MOST = 100_000


def add(actions: Any) -> None:
    """Declare the command and its flags."""
    parser: argparse.ArgumentParser = actions.add_parser(
        "list", help="how many letters, since when, why, where they belong: exit 0, 1 no answer, 2 bad input"
    )
    dlq_queue.add_flags(parser, needed=False)
    dlq_selection.add_flags(parser)
    parser.add_argument("--letters", action="store_true", help="a line for each letter, the oldest first")
    parser.add_argument("--limit", type=_limit, default=50, metavar="N", help="with --letters, lines at most [50]")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command and give its exit code; raises `ConfigError`."""
    return dlq_queue.run(options, lambda desk: _list(options, desk))


def _list(options: argparse.Namespace, desk: Desk) -> int:
    if options.letters:
        return _letters(options, desk)
    wanted = dlq_selection.selection(options)
    if len(desk.queues) > 1 and wanted.everything:
        return _depths(options, desk)
    found = {}
    for queue in desk.queues:
        summary = Summary()
        unreadable = 0
        for letter, reason, waits in letters_of(desk.clients, desk.ledger, queue, wanted, desk.timeout):
            if letter is None:
                unreadable += 1
            else:
                summary.add(letter, reason, waits=waits)
        found[queue.name] = {**summary.as_json(), UNREADABLE: unreadable}
        if not options.json:
            _show(queue, summary, unreadable)
    if options.json:
        say_json({"queues": found})
    return OK


def _depths(options: argparse.Namespace, desk: Desk) -> int:
    from keywatch.redrive.errors import RedriveError  # noqa: PLC0415 - one queue's trouble is not the others'

    code, rows = OK, {}
    for queue in desk.queues:
        try:
            rows[queue.name] = depths(desk.clients, queue, desk.timeout)
        except RedriveError as error:
            complain(f"{queue.name}: {error}")
            code = SOMETHING_STAYS
    if options.json:
        say_json({"queues": {name: {"letters": letters} for name, letters in rows.items()}})
        return code
    for name, letters in rows.items():
        say(f"{name}: {counted(letters, 'letter')}")
    return code


def _show(queue: Queue, summary: Summary, unreadable: int) -> None:
    where = str(queue.folder.path) if queue.folder is not None else ", ".join(queue.topics)
    say(f"{queue.name} ({where}): {counted(summary.letters, 'letter')}, {summary.waiting} of which wait")
    if summary.oldest is not None and summary.newest is not None:
        say(f"  written {moment(summary.oldest)} to {moment(summary.newest)}; {summary.bytes} bytes")
    if summary.attempts:
        say(f"  {summary.attempts} were put back before and died again")
    for words, counts in (
        ("why", summary.reasons),
        ("written by", summary.kinds),
        ("belong to", summary.destinations),
    ):
        if counts:
            say(f"  {words}: " + ", ".join(f"{shortened(name)} {count}" for name, count in counts.most_common(20)))
    if unreadable:
        say(f"  {counted(unreadable, 'file')} cannot be read")


def _letters(options: argparse.Namespace, desk: Desk) -> int:
    queue = dlq_queue.one(desk)
    wanted = dlq_selection.selection(options)
    found = letters_of(desk.clients, desk.ledger, queue, wanted, desk.timeout)
    number = 0
    for row, letter in _rows(islice(found, options.limit)):
        number += 1
        if options.json:
            say_json(row)
        elif letter is not None:
            say(
                terminal(
                    f"{letter.place}  {row['written'] or '-'}  {row['reason']}  {row['written_by']}"
                    f"  → {row['destination'] or '?'}  {row['bytes']} B{'' if row['waits'] else '  settled'}"
                    f"{'  died again' if row['attempts'] else ''}"
                )
            )
    if not options.json:
        more = " (there may be more: --limit)" if number == options.limit else ""
        say(counted(number, "letter") + more)
    return OK


def _rows(found: Iterator[tuple[Letter | None, str, bool]]) -> Iterator[tuple[dict[str, Any], Letter | None]]:
    for letter, reason, waits in found:
        if letter is None:
            yield {"reason": reason, "waits": waits}, None
            continue
        yield (
            {
                "letter": str(letter.place),
                "written": moment(letter.raw.timestamp) if letter.raw.timestamp is not None else None,
                "reason": reason,
                "written_by": letter.kind,
                "destination": letter.origin.topic if letter.origin else None,
                "bytes": len(letter.raw.value or b""),
                "attempts": letter.attempts,
                "waits": waits,
            },
            letter,
        )


def moment(millis: int) -> str:
    """Write milliseconds since 1970 as UTC, or as a number where no calendar has such a day."""
    try:
        return f"{dt.datetime.fromtimestamp(millis / 1000, dt.UTC):%Y-%m-%dT%H:%M:%S}Z"
    except (ValueError, OverflowError, OSError):
        return str(millis)


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text[:9]) <= _MOST):
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed; allowed: 1 to {_MOST}")
    return int(text)
