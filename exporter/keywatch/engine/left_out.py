"""Tells of what there is more than is read, so that nobody takes what is shown for all there is."""

from __future__ import annotations

from keywatch.engine.probe import Sample
from keywatch.metrics.probe import PROBE_LEFT_OUT


def left_out(cluster: str, probe: str, kind: str, count: int, key: str) -> Sample:
    """Return how many things of a kind a probe leaves out; `key` of the configuration bounds them."""
    note = f"{count} or more are left out: there are more than {key} allows" if count else None
    return Sample(PROBE_LEFT_OUT, (cluster, probe, kind), float(count), note)
