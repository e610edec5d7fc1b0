"""Puts the objects that logs need: what is missing or changed, in order, and never so that logs are kept for less."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from keywatch.elastic import opensearch
from keywatch.elastic.objects import ElasticObject, ObjectKind
from keywatch.elastic.product import Product
from keywatch.elastic.retention import in_words, kept_for
from keywatch.elastic.server import ElasticServer
from keywatch.elastic.stored_objects import Held, changes, held, put
from keywatch.elastic.streams import in_force, resolve, rivals
from keywatch.engine.probe import ProbeError, Reason


class ObjectState(StrEnum):
    """How an object stands at the server."""

    MISSING = "missing"
    SAME = "same"
    CHANGED = "changed"
    """Put by keywatch, in another version."""
    EDITED = "edited"
    """Put by keywatch, and changed since by somebody."""
    FOREIGN = "foreign"
    """Made by somebody else, under the name that ours has."""


@dataclass(frozen=True, slots=True)
class Step:
    """One object, how it stands, and what putting it changes, as lines."""

    one: ElasticObject
    state: ObjectState
    changes: Sequence[str]
    found: Held | None


@dataclass(frozen=True, slots=True)
class BootstrapPlan:
    """What is to be done at a server, and what stands in the way."""

    product: Product
    steps: Sequence[Step]
    obstacles: Sequence[str]
    streams: Sequence[str] = field(default=())

    @property
    def due(self) -> list[Step]:
        """The steps that change something."""
        return [step for step in self.steps if step.state is not ObjectState.SAME]


@dataclass(frozen=True, slots=True)
class Consent:
    """What may be done beyond putting what is missing or older."""

    shorter: bool = False
    """Keep logs for less than now."""
    foreign: bool = False
    """Take over objects of somebody else that have our names."""


async def plan(
    server: ElasticServer, objects: Sequence[ElasticObject], consent: Consent, timeout: float
) -> BootstrapPlan:
    """Compare the objects with what a server holds; changes nothing. Raises `ProbeError`."""
    product = await server.product(timeout)
    wanted = opensearch.translate(objects) if product.open else list(objects)
    steps = [await _step(server, product, one, timeout) for one in wanted]
    streams, misplaced = await resolve(server, timeout)
    obstacles = [*misplaced, *await rivals(server, wanted, timeout)]
    if not consent.foreign:
        obstacles += [
            f"{step.one}: was made by somebody else; --take-over puts ours in its place"
            for step in steps
            if step.state is ObjectState.FOREIGN
        ]
    if not consent.shorter:
        obstacles += _weaker(steps)
    return BootstrapPlan(product, steps, obstacles, streams)


async def apply(server: ElasticServer, plan: BootstrapPlan, timeout: float) -> None:
    """Do what is due, and look whether it is in force afterwards; raises `ProbeError`."""
    if plan.obstacles:
        raise ProbeError(Reason.REJECTED, plan.obstacles[0])
    for step in plan.due:
        await put(server, plan.product, step.one, step.found.revision if step.found else None, timeout)
    troubles = await in_force(server, plan.product, [step.one for step in plan.steps], timeout)
    if troubles:
        raise ProbeError(Reason.REJECTED, troubles[0])


async def roll_over(server: ElasticServer, plan: BootstrapPlan, timeout: float) -> None:
    """Have each data stream begin a new index, which takes up the templates of now; raises `ProbeError`."""
    for stream in plan.streams:
        await (await server.api(timeout)).roll_over(stream)


async def _step(server: ElasticServer, product: Product, one: ElasticObject, timeout: float) -> Step:
    found = await held(server, product, one, timeout)
    if found is None:
        return Step(one, ObjectState.MISSING, (), None)
    lines = changes(one, found)
    if found.digest is None:
        state = ObjectState.FOREIGN
    elif found.digest != one.digest:
        state = ObjectState.CHANGED
    else:
        state = ObjectState.EDITED if lines else ObjectState.SAME
    return Step(one, state, lines, found)


def _weaker(steps: Sequence[Step]) -> list[str]:
    """Say which logs would be kept for less than now: by a policy's change, or by another policy's name."""
    now = {step.one.name: _kept(step.found.body) for step in steps if _governs(step) and step.found is not None}
    then = {step.one.name: _kept(step.one.body) for step in steps if _governs(step)}
    moves = [
        (str(step.one), now[step.one.name], then[step.one.name])
        for step in steps
        if step.one.name in now and _governs(step)
    ]
    for step in steps:
        before, after = _policy_named(step.found.body) if step.found else None, _policy_named(step.one.body)
        if step.one.kind is ObjectKind.COMPONENT and before in now and after in then and before != after:
            moves.append((f"{step.one}: {before} → {after}", now[str(before)], then[str(after)]))
    return [
        f"{what}: keeps logs {in_words(after)} in place of {in_words(before)}; --allow-shorter-retention does it"
        for what, before, after in moves
        if after < before
    ]


def _governs(step: Step) -> bool:
    return step.one.kind is ObjectKind.LIFECYCLE


def _policy_named(body: Mapping[str, object]) -> str | None:
    found: object = body
    for key in ("template", "settings", "index", "lifecycle", "name"):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, str) else None


def _kept(body: Mapping[str, object]) -> float:
    try:
        return kept_for(body)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ProbeError(Reason.PROTOCOL, f"a policy cannot be read: {error}") from error
