"""Looks whether a server still holds what was put there, and whether its data streams live: drift, and trouble."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keywatch.elastic.bootstrap import Consent, ObjectState, plan
from keywatch.elastic.health import blocked_indices, lifecycle_errors
from keywatch.elastic.objects import ElasticObject, ObjectKind
from keywatch.elastic.product import Product
from keywatch.elastic.server import ElasticServer
from keywatch.elastic.streams import in_force

_MOST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Inspection:
    """What is not as it should be: `drift` from the objects, and `trouble` that costs logs."""

    product: Product
    drift: Sequence[str]
    trouble: Sequence[str]
    streams: Sequence[str]


async def inspect(server: ElasticServer, objects: Sequence[ElasticObject], timeout: float) -> Inspection:
    """Compare and look, changing nothing; raises `ProbeError` when the server does not answer."""
    found = await plan(server, objects, Consent(shorter=True, foreign=True), timeout)
    drift = []
    for step in found.due:
        words = {ObjectState.MISSING: "is missing", ObjectState.FOREIGN: "was made by somebody else"}.get(
            step.state, step.state
        )
        drift.append(f"{step.one}: {words}")
        drift += [f"{step.one}: {line}" for line in step.changes]
    trouble = list(found.obstacles)
    if any(one.kind is ObjectKind.LIFECYCLE for one in objects):
        errors = await lifecycle_errors(server, found.product, timeout)
        if errors is None:
            trouble.append(f"{found.product} has no lifecycle policies here; --without-lifecycle does without")
        for index, at in (errors or {}).items():
            trouble.append(f"{index}: its policy stands still in the step {at}")
    trouble += [
        f"{index}: takes no documents ({why})" for index, why in (await blocked_indices(server, timeout)).items()
    ]
    if not found.due:
        trouble += await in_force(server, found.product, [step.one for step in found.steps], timeout)
    return Inspection(found.product, _cut(drift), _cut(trouble), found.streams)


def _cut(lines: Sequence[str]) -> list[str]:
    rest = len(lines) - _MOST_SHOWN
    return [*lines[:_MOST_SHOWN], *([f"and {rest} more"] if rest > 0 else [])]
