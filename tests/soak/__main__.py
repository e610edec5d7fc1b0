"""A day of churn in minutes: what keywatch holds must not follow what has been, only what is."""

from __future__ import annotations

import argparse
import sys

from tests.soak.day import live


def main() -> int:
    """Run it and return 0 when nothing grew, 1 otherwise."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=420.0, help="how long [420]")
    day = live(parser.parse_args().seconds, _say)
    _say(f"{day.changes} changes in {day.rounds} rounds\nbefore: {day.before}\nafter:  {day.after}")
    for complaint in day.complaints:
        print(complaint, file=sys.stderr)
    return 1 if day.complaints else 0


def _say(words: str) -> None:
    print(words, flush=True)


if __name__ == "__main__":
    sys.exit(main())
