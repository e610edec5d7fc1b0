"""Makes faults one after the other, in one bed or in several side by side."""

from __future__ import annotations

import multiprocessing
import random
import sys
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait

from tests.faults.bed import bed
from tests.faults.fault import Fault
from tests.faults.run import Outcome, run

# After so many beds that did not get well nothing can be said.
_BEDS = 5


def make(
    turns: list[Fault],
    chance: random.Random,
    hold: float,
    keep: Callable[[list[Outcome]], None],
    *,
    twin: bool = False,
) -> list[Outcome]:
    """Make faults one after the other; a bed that does not get well again is a complaint, and a new one is made."""
    outcomes: list[Outcome] = []
    left = list(turns)
    for _ in range(_BEDS):
        began = time.monotonic()
        with bed(twin=twin) as made:
            say(f"the bed stands after {time.monotonic() - began:.0f} s")
            while left:
                fault, start = left.pop(0), time.monotonic()
                try:
                    outcome = run(made, fault, chance, hold)
                except (TimeoutError, AssertionError) as error:
                    outcome = Outcome.broken(fault, str(error))
                    say(f"{fault.id}: {error}")
                outcomes.append(outcome)
                keep(outcomes)
                say(f"{outcome.line} ({time.monotonic() - start:.0f} s)")
                if outcome.error:
                    break
        if not left:
            break
    return outcomes


def make_beside(
    shares: Sequence[list[Fault]],
    chance: random.Random,
    hold: float,
    keep: Callable[[list[Outcome]], None],
    *,
    twin: bool = False,
) -> list[Outcome]:
    """Make each share of the faults in a bed of its own, all at the same time.

    Each bed is a process, so that none waits for what another one measures. Raises `RuntimeError` when one ends before
    its share does.
    """
    if len(shares) == 1:
        return make(shares[0], chance, hold, keep, twin=twin)
    context = multiprocessing.get_context("fork")  # faults are functions, which only a copy of this process knows

    def work(share: list[Fault], seed: int, there: Connection) -> None:
        make(share, random.Random(seed), hold, lambda outcomes: there.send(outcomes[-1]), twin=twin)  # noqa: S311 - as above

    beds: list[multiprocessing.process.BaseProcess] = []
    open_: list[Connection] = []
    for share in shares:
        here, there = context.Pipe(duplex=False)
        beds.append(context.Process(target=work, args=(share, chance.randrange(10**6), there)))
        beds[-1].start()
        there.close()  # so that the end of the bed is the end of what it says
        open_.append(here)
    outcomes: list[Outcome] = []
    while open_:
        for here in [one for one in wait(open_) if isinstance(one, Connection)]:
            try:
                outcomes.append(here.recv())
            except EOFError:
                open_.remove(here)
            else:
                keep(outcomes)
    for one in beds:
        one.join()
    if failed := sum(one.exitcode != 0 for one in beds):
        raise RuntimeError(f"{failed} of {len(beds)} beds ended early; what they say stands above")
    return outcomes


def say(line: str) -> None:
    """Tell how it goes on."""
    print(line, file=sys.stderr, flush=True)
