"""One command works at a queue, and others are told who it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from keywatch.redrive.claim import ENDED, Claim, Lock, wait_for_silence
from keywatch.redrive.errors import BusyError, CannotWriteError


def test_a_second_one_is_told_and_the_lock_ends_with_its_holder(tmp_path: Path) -> None:
    first, second = Lock(tmp_path / "state", "a/b"), Lock(tmp_path / "state", "a/b")
    claim = Claim()
    first.take(claim)
    assert first.path.parent == tmp_path / "state"
    with pytest.raises(BusyError, match=f"run {claim.run} of "):
        second.take(Claim())
    assert second.holder() == claim
    first.release()
    assert second.holder() is None
    second.take(Claim())
    second.release()


def test_a_folder_that_takes_no_lock_is_told(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("", encoding="utf-8")
    with pytest.raises(CannotWriteError, match="cannot be written"):
        Lock(tmp_path / "state", "x").take(Claim())


def test_a_claim_comes_back_from_the_ledger() -> None:
    claim = Claim(lock="here").next()
    assert Claim.parse(claim.encoded()) == claim
    for value in (b"", b"{}", b"[]", b'{"run":1}'):
        with pytest.raises((ValueError, TypeError, KeyError)):
            Claim.parse(value)


def test_whoever_beats_is_alive() -> None:
    there = Claim(lock="there")

    def later() -> Iterator[Claim]:
        claim = there
        while True:
            claim = claim.next()
            yield claim

    beats = later()
    with pytest.raises(BusyError, match=there.run):
        wait_for_silence(there, lambda: next(beats), "here", 1.0)


def test_who_does_not_beat_or_has_ended_is_waited_for_no_longer() -> None:
    there = Claim(lock="there")
    wait_for_silence(there, lambda: there, "here", 0.2)
    wait_for_silence(there, lambda: there.next(ENDED), "here", 5.0)
    wait_for_silence(None, there.next, "here", 5.0)
    wait_for_silence(replace(there, lock="here"), there.next, "here", 5.0)
