"""Makes every hard fault on a real path from Keycloak to Kafka, and measures the time until the webhook."""

from __future__ import annotations

import argparse
import os
import random
import sys

from tests.faults import alerting, document
from tests.faults.access import ACCESSES
from tests.faults.catalogue import catalogue, grouped, one_of_each
from tests.faults.fault import Fault
from tests.faults.report import complaints, rows, table
from tests.faults.run import Outcome
from tests.faults.turns import make_beside, say
from tests.kafka import distribution as kafka
from tests.keycloak import distribution as keycloak

_QUICK_HOLD, _HOLD = 2.0, 15.0


def main() -> int:
    """Make the faults that are asked for; exit code 1 when one is not as promised, 2 when they cannot be made here."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--short", action="store_true", help="each fault once; nothing is written")
    parser.add_argument("--twin", action="store_true", help="each fault once, watched by two instances of keywatch")
    parser.add_argument("--repetitions", type=int, default=20, help="how often each fault is made")
    parser.add_argument("--kinds", choices=("all", "one"), default="all", help="of a fault that has several kinds")
    parser.add_argument("--grouped", action="store_true", help="restart keywatch seldom, which takes half the time")
    parser.add_argument("--beds", type=int, default=1, help="how many beds share the faults, side by side")
    parser.add_argument("--more", action="store_true", help="add to the runs that are written down, replace none")
    parser.add_argument("--hold", type=float, help="seconds that a fault goes on after its pages came")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6), help="of order and victims")
    parser.add_argument("--only", action="append", help="this fault alone (may be repeated); written with --more")
    options = parser.parse_args()
    if unknown := sorted(set(options.only or ()) - {fault.id for fault in catalogue()}):
        parser.error(f"--only {unknown[0]}: there are {', '.join(fault.id for fault in catalogue())}")
    required = os.environ.get("KEYWATCH_REQUIRE") == "all"
    if reason := requirements_missing():
        say(f"skipped, because faults need a whole path: {reason}")
        return 0 if options.short and not required else 2
    chosen = [fault for fault in catalogue() if not options.only or fault.id in options.only]
    if options.short and not options.only:
        # Six nodes more beside Keycloak are too much for the two cores of a quick run: Keycloak itself comes late then.
        chosen = [fault for fault in chosen if not ACCESSES[fault.access].split]
        say("faults of dedicated controllers are left to `make faults`")
    chance = random.Random(options.seed)  # noqa: S311 - chooses victims, keeps no secret
    faults = [fault for fault in chosen if not lacking(fault)]
    if required and faults != chosen:
        return 2
    once = options.short or options.twin
    repetitions = range(1 if once else options.repetitions)
    one = once or options.kinds == "one"
    turns = [fault for _ in repetitions for fault in (one_of_each(faults, chance) if one else faults)]
    chance.shuffle(turns)
    beds = max(1, options.beds)
    shares = [turns[number::beds] for number in range(beds)]
    if once or options.grouped:
        shares = [grouped(share, chance) for share in shares]
    hold = options.hold if options.hold is not None else _QUICK_HOLD if once else _HOLD
    say(f"{len(turns)} faults, seed {options.seed}")

    earlier = document.earlier_runs() if options.more else []

    def keep(outcomes: list[Outcome]) -> None:
        if options.short or (options.only and not options.more):
            return
        if options.twin:
            document.write_twin(outcomes, options.seed)
        else:
            document.write(earlier, outcomes, options.seed, hold, beds)

    outcomes = make_beside(shares, chance, hold, keep, twin=options.twin)
    made = rows(faults, outcomes)
    print(f"\n{table(made)}\n\nNot as promised:\n\n{complaints(made)}", flush=True)
    return 1 if any(outcome.complaints for outcome in outcomes) else 0


def requirements_missing() -> str:
    """Return what this machine lacks for a bed; empty when nothing."""
    missing = (kafka.requirements_missing(), keycloak.requirements_missing(), alerting.requirements_missing())
    return "; ".join(reason for reason in missing if reason)


def lacking(fault: Fault) -> str:
    """Give, and say, why a fault cannot be made here; empty when it can."""
    if reason := fault.lacks():
        say(f"{fault.id} {fault.title}: skipped, {reason}")
    return reason


if __name__ == "__main__":
    sys.exit(main())
