"""The flags that say which letters of a queue are meant."""

from __future__ import annotations

import argparse
import re

from keywatch.cli.moments import moment
from keywatch.probes.dead_letters.letter import DeadLetterReason
from keywatch.redrive.selection import Selection

_RANGE = re.compile(r"(\d{1,18})(?:-(\d{1,18}))?")


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Declare them."""
    which = parser.add_argument_group("which of them")
    which.add_argument(
        "--since", type=moment, metavar="TIME", help="written since: 24h ago, as 24h; or 2026-11-25T08:00Z"
    )
    which.add_argument("--until", type=moment, metavar="TIME", help="likewise")
    which.add_argument(
        "--reason", type=_reason, action="append", default=[], metavar="REASON", help="timeout, serialization …"
    )
    which.add_argument("--realm", default="", metavar="ID", help="id or name of the event's realm")
    which.add_argument("--type", dest="event_type", default="", metavar="TYPE", help="LOGIN, UPDATE …")
    which.add_argument("--key", metavar="KEY", help="key of the original record")
    which.add_argument("--partition", type=_partition, action="append", default=[], metavar="N", help="of the topic")
    which.add_argument("--offset", type=_offsets, metavar="N[-M]", help="of the letters, both ends included")
    which.add_argument("--file", default="", metavar="NAME", help="one file of a folder")


def selection(options: argparse.Namespace) -> Selection:
    """Return what the flags select."""
    return Selection(
        since=int(options.since.timestamp() * 1000) if options.since else None,
        until=int(options.until.timestamp() * 1000) if options.until else None,
        reasons=frozenset(options.reason),
        realm=options.realm,
        type=options.event_type,
        key=options.key.encode("utf-8", "surrogateescape") if options.key is not None else None,
        partitions=frozenset(options.partition),
        offsets=options.offset,
        file=options.file,
    )


def _reason(text: str) -> DeadLetterReason:
    try:
        return DeadLetterReason(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no reason; allowed: {', '.join(DeadLetterReason)}") from None


def _partition(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 7):
        raise argparse.ArgumentTypeError(f"{text!r} is no partition; allowed: 0, 1, 2 …")
    return int(text)


def _offsets(text: str) -> tuple[int, int]:
    match = _RANGE.fullmatch(text)
    if match is None or (match[2] and int(match[2]) < int(match[1])):
        raise argparse.ArgumentTypeError(f"{text!r} is no offset; allowed: 42, or 42-99")
    return int(match[1]), int(match[2] or match[1])
