"""`keywatch dlq show`: one letter, its headers and what died, decoded; what may be personal or secret is hidden."""

from __future__ import annotations

import argparse
from typing import Any

from keywatch.cli import dlq_queue, dlq_selection
from keywatch.cli.dlq_list import moment
from keywatch.cli.dlq_queue import Desk
from keywatch.cli.exit_codes import OK
from keywatch.cli.out import say_json
from keywatch.redrive.audit import event
from keywatch.redrive.claim import Claim
from keywatch.redrive.errors import BadInputError
from keywatch.redrive.letter import Letter
from keywatch.redrive.masking import decoded, header_shown, masked
from keywatch.redrive.summary import letters_of
from keywatch.surfaces import HIDDEN


def add(actions: Any) -> None:
    """Declare the command and its flags."""
    parser: argparse.ArgumentParser = actions.add_parser(
        "show", help="one letter, the oldest of those meant: exit 0, 1 none or no answer, 2 bad input"
    )
    dlq_queue.add_flags(parser)
    dlq_selection.add_flags(parser)
    parser.add_argument("--reveal", action="store_true", help="hide nothing; the audit trail says so")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command and give its exit code; raises `ConfigError`."""
    return dlq_queue.run(options, lambda desk: _show(options, desk))


def _show(options: argparse.Namespace, desk: Desk) -> int:
    queue = dlq_queue.one(desk)
    wanted = dlq_selection.selection(options)
    for letter, reason, waits in letters_of(desk.clients, desk.ledger, queue, wanted, desk.timeout):
        if letter is None:
            continue
        if options.reveal:
            desk.audit.write(event("show", queue.name, Claim(), reveal=True, letter=str(letter.place)))
        say_json(_shown(letter, reason, waits=waits, reveal=options.reveal), indent=2)
        return OK
    error = BadInputError("there is no such letter")
    error.code = 1
    raise error


def _shown(letter: Letter, reason: str, *, waits: bool, reveal: bool) -> dict[str, Any]:
    origin = letter.origin
    value = decoded(letter.value)
    return {
        "letter": str(letter.place),
        "written": moment(letter.raw.timestamp) if letter.raw.timestamp is not None else None,
        "written_by": letter.kind,
        "reason": reason,
        "waits": waits,
        "replays": letter.attempts,
        "came_from": origin._asdict() if origin is not None else None,
        "headers": {name: _text(text) if reveal or header_shown(name) else HIDDEN for name, text in letter.raw.headers},
        "key": decoded(letter.key) if reveal or letter.key is None else HIDDEN,
        "value": value if reveal else masked(value),
        "bytes": len(letter.value or b""),
        "envelope": _envelope(letter, reveal=reveal),
    }


def _envelope(letter: Letter, *, reveal: bool) -> Any:
    if letter.raw.value is letter.value:
        return None
    found = decoded(letter.raw.value)
    if isinstance(found, dict):
        found = {name: value for name, value in found.items() if name != "eventData"}
    return found if reveal else masked(found)


def _text(text: bytes | None) -> Any:
    """Return a header as text, or a number that Spring wrote in 4 or 8 bytes."""
    if text is None:
        return None
    if len(text) in {4, 8} and text[0] == 0:
        return int.from_bytes(text, "big")
    return text.decode(errors="replace")
