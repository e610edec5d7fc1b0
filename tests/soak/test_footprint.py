"""What grows is named, and what only comes and goes is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.soak.footprint import Footprint, grown

FLAT = Footprint(memory=60e6, descriptors=50, threads=20, tasks=40, series=500)


def test_what_comes_and_goes_is_not_named() -> None:
    peak = replace(FLAT, memory=90e6, descriptors=80)
    assert grown([FLAT, FLAT, FLAT], [FLAT, peak, FLAT]) == []


@pytest.mark.parametrize("name", ["memory", "descriptors", "threads", "tasks", "series"])
def test_what_grows_is_named(name: str) -> None:
    more = replace(FLAT, **{name: getattr(FLAT, name) * 2})
    (complaint,) = grown([FLAT] * 3, [FLAT, more, more])
    assert complaint.startswith(f"{name}: ")
