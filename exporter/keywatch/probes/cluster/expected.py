"""Whether a topic's settings are what somebody demands of them: at least, where more is safer, or just so."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from keywatch.patterns import Patterns

MIN_IN_SYNC, CLEANUP, RETENTION, UNCLEAN, MESSAGE_BYTES = (
    "min.insync.replicas",
    "cleanup.policy",
    "retention.ms",
    "unclean.leader.election.enable",
    "max.message.bytes",
)
"""Kafka's names of settings of topics."""
REPLICATION = "replication.factor"
_FOR_EVER = "-1"
_LONGEST = 19
_LONGEST_SHOWN = 40


class Expectation(NamedTuple):
    """What is demanded of the topics that a pattern names: `least` numbers and `exact` words by setting.

    The replication factor is among them as `replication.factor`; `severity` is whom a mismatch calls.
    """

    topics: Patterns
    least: Mapping[str, int]
    exact: Mapping[str, Collection[str]]
    severity: str


class Compared(NamedTuple):
    """One setting, and in words what is wrong with it; empty when it is as expected."""

    setting: str
    words: str


def compare(expectation: Expectation, found: Mapping[str, str]) -> Iterator[Compared]:
    """Compare settings by name as Kafka tells them; those that it does not tell are left out."""
    for setting, least in expectation.least.items():
        text = found.get(setting, "")
        known = float("inf") if text == _FOR_EVER else number(text)
        if known is not None:
            words = f"{setting} is {text}, expected at least {least}" if known < least else ""
            yield Compared(setting, words)
    for setting, wanted in expectation.exact.items():
        if setting in found:
            value = {part.strip() for part in found[setting].split(",")}
            shown = found[setting][:_LONGEST_SHOWN]
            words = "" if value == set(wanted) else f"{setting} is {shown}, expected {','.join(sorted(wanted))}"
            yield Compared(setting, words)


def number(text: str) -> int | None:
    """Return the number that a setting is; None where it is none, or has more digits than any of Kafka's."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _LONGEST else None
