"""Faults that several beds share are all made and all told of, and a bed that dies is not overlooked."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable

import pytest

from tests.faults import turns
from tests.faults.fault import Fault
from tests.faults.run import Outcome
from tests.faults.test_judgement import FAULT

FAULTS = [Fault(f"H{number:02}", FAULT.title, FAULT.prepare) for number in range(1, 6)]
SHARES = [FAULTS[::2], FAULTS[1::2]]
CHANCE = random.Random(1)  # noqa: S311 - chooses victims, keeps no secret
Keep = Callable[[list[Outcome]], None]


def made(share: list[Fault], chance: random.Random, hold: float, keep: Keep, *, twin: bool) -> None:
    outcomes: list[Outcome] = []
    for fault in share:
        outcomes.append(Outcome.broken(fault, f"{os.getpid()} {chance.random()} {hold} {twin}"))
        keep(outcomes)


def dies(share: list[Fault], chance: random.Random, hold: float, keep: Keep, *, twin: bool) -> None:
    made(share[:1], chance, hold, keep, twin=twin)
    os.kill(os.getpid(), signal.SIGKILL)


def test_beds_side_by_side_make_all_faults_between_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "make", made)
    kept: list[int] = []
    found = turns.make_beside(SHARES, CHANCE, 2.0, lambda outcomes: kept.append(len(outcomes)))
    assert sorted(outcome.fault for outcome in found) == [fault.id for fault in FAULTS]
    assert kept == [1, 2, 3, 4, 5]
    beds = {outcome.error.split()[0] for outcome in found}
    assert len(beds) == 2
    assert str(os.getpid()) not in beds


def test_a_bed_that_dies_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "make", dies)
    kept: list[int] = []
    with pytest.raises(RuntimeError, match="2 of 2 beds ended early"):
        turns.make_beside(SHARES, CHANCE, 2.0, lambda outcomes: kept.append(len(outcomes)))
    assert kept == [1, 2]
