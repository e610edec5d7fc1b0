"""Disturbs the bed for an hour in ways that are no faults, and counts the pages that come all the same."""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from tests.faults import document
from tests.faults.__main__ import requirements_missing
from tests.faults.bed import EVENTS, LAG_LIMIT, WORK, Bed, bed, now
from tests.faults.behind import Behind
from tests.faults.disturbances import Disturbance, Expected, disturbances
from tests.faults.fault import Page
from tests.faults.receiver import Notice
from tests.faults.traffic import GROUP
from tests.faults.turns import say

# A page may come a little later than what it tells of.
_LATE = 5.0
_AN_HOUR = 60.0


@dataclass
class Calm:
    """What came of it: minutes, how often each disturbance was made, pages that may come, and those that may not.

    `right` are the times at which the bed's group really was behind its limit, and by what.
    """

    minutes: float = 0.0
    made: dict[str, int] = field(default_factory=dict)
    expected: int = 0
    false: list[str] = field(default_factory=list)
    right: list[str] = field(default_factory=list)


def main() -> int:
    """Disturb; exit code 1 when somebody was called, 2 when it cannot be done here."""
    parser = argparse.ArgumentParser(prog="make faults-calm", description=__doc__)
    parser.add_argument(
        "--minutes", type=float, default=_AN_HOUR, help="how long; an hour is written into docs/faults.md"
    )
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6), help="of the order")
    options = parser.parse_args()
    if reason := requirements_missing():
        say(f"skipped, because a whole path is needed: {reason}")
        return 2 if os.environ.get("KEYWATCH_REQUIRE") == "all" else 0
    chance = random.Random(options.seed)  # noqa: S311 - chooses an order, keeps no secret
    say(f"{options.minutes:g} minutes, seed {options.seed}")
    with bed() as made, Behind(made.kafka.bootstrap, GROUP, [EVENTS, WORK], 3) as behind:
        found = disturb(made, behind, options.minutes, chance)
    record = {**asdict(found), "seed": options.seed}
    print(f"\n{document.calm_text(record)}", flush=True)
    if options.minutes >= _AN_HOUR:
        document.write_calm(record)
    return 1 if found.false else 0


def disturb(bed: Bed, behind: Behind, minutes: float, chance: random.Random) -> Calm:
    """Make all disturbances in random order, again and again, until the time is over."""
    found = Calm()
    bed.use("split")
    begin = now()
    turns: list[Disturbance] = []
    while now() - begin < minutes * 60:
        turns = turns or chance.sample(disturbances(), len(disturbances()))
        turn, since = turns.pop(), now()
        expected = turn.make(bed, chance)
        bed.wait_well()
        time.sleep(_LATE)
        pages = [notice for notice in bed.alerting.receiver.pages(since) if notice.firing]
        if (most := behind.most(since)) > LAG_LIMIT:
            # By Kafka's own word, whatever the reason: then a page says what is.
            returns = "; ".join(behind.returns(since)) or "records that came"
            found.right.append(f"{turn.title}: {most} records behind, by {returns}")
            expected.append(Expected(Page("KafkaGroupLagTooHigh", {"group": GROUP, "unit": "records"}), since, now()))
            say(found.right[-1])
        false = unexpected(pages, expected)
        found.made[turn.title] = found.made.get(turn.title, 0) + 1
        found.expected += len(pages) - len(false)
        found.false += [f"{turn.title}: {one}" for one in false]
        say(f"{turn.title} ({now() - since:.0f} s): {len(pages)} pages{''.join(f'; false: {one}' for one in false)}")
    found.minutes = (now() - begin) / 60
    return found


def unexpected(pages: Sequence[Notice], expected: Sequence[Expected]) -> list[str]:
    """Return the pages that may not come, in words."""
    return [
        f"{page.alert} {dict(sorted(page.labels.items()))}: {page.description}"
        for page in pages
        if not any(one.page.fits(page) and one.begin <= page.at <= one.end + _LATE for one in expected)
    ]


if __name__ == "__main__":
    sys.exit(main())
