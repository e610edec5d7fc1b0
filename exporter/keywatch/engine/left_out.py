"""Tells of what there is more than is read, so that nobody takes what is shown for all there is."""

from __future__ import annotations

from keywatch.engine.probe import Sample
from keywatch.engine.store import Key
from keywatch.metrics.probe import PROBE_LEFT_OUT


def left_out(key: Key, kind: str, count: int, bound: str) -> Sample:
    """Return how many things of a kind a probe leaves out; `bound` is what of the configuration bounds them."""
    note = f"left out: {count} or more, as there are more than {bound} allows" if count else None
    return Sample(PROBE_LEFT_OUT, (*key, kind), float(count), note)
