"""What happens in the demonstration, and how long keywatch takes to see it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from keywatch.demo.bed import Bed
from keywatch.demo.traffic import Traffic
from keywatch.metrics import cluster as cluster_metrics
from keywatch.metrics import dead_letters as dead_letter_metrics
from keywatch.metrics import reconciliation
from keywatch.service.watch import Watch

CLUSTER = "demo"
_LOOK_EVERY = 0.01
_GIVE_UP_AFTER = 30.0
_LOST = 5


@dataclass(frozen=True, slots=True)
class Observation:
    """One fault or repair: what was done, what keywatch said, and after how many seconds (None: not at all)."""

    done: str
    said: str
    seconds: float | None


Say = Callable[[str], None]


async def tell(bed: Bed, traffic: Traffic, watch: Watch, say: Say, dead_letters: Path) -> list[Observation]:
    """Break things one after the other; `say` gets each line for people. Takes about 45 seconds.

    `dead_letters` is the folder that is watched for them.
    """
    findings: list[Observation] = []
    await _until(lambda: _up(watch, bed.brokers[0]) == 1.0)
    say(f"all {len(bed.brokers)} brokers answer; login events flow at 40 a second")
    await asyncio.sleep(5)

    say("the consumer gets tired: watch its lag grow")
    traffic.tired.set()
    await asyncio.sleep(5)

    victim = bed.brokers[1]
    findings += await _fault(
        watch,
        say,
        victim,
        (f"broker {victim} is killed", bed.kill),
        (f"broker {victim} comes back", bed.revive),
    )
    await asyncio.sleep(2)
    victim = bed.brokers[2]
    findings += await _fault(
        watch,
        say,
        victim,
        (f"broker {victim} freezes: its port is open, but it answers nothing", bed.freeze),
        (f"broker {victim} thaws", bed.thaw),
    )
    say("the consumer wakes up and catches up")
    traffic.tired.clear()
    await asyncio.sleep(5)
    findings.append(await _loss(traffic, watch, say))
    findings.append(await _dead_letter(traffic, watch, say, dead_letters))
    return findings


async def _loss(traffic: Traffic, watch: Watch, say: Say) -> Observation:
    words = f"the listener loses {_LOST} events without a word; Keycloak counted them"
    say(words)
    started = time.monotonic()
    traffic.swallow = _LOST
    seen = await _until(lambda: _missing(watch) >= _LOST)
    seconds = time.monotonic() - started if seen else None
    said = f"{_missing(watch):.0f} events are missing"
    say(f"  was not seen: {said}" if seconds is None else f"  seen after {seconds:.1f} s: {said}")
    return Observation(words, said, seconds)


async def _dead_letter(traffic: Traffic, watch: Watch, say: Say, folder: Path) -> Observation:
    words = "the listener cannot send an event and puts it into a file"
    say(words)
    started = time.monotonic()
    await asyncio.to_thread(traffic.bury, folder)
    seen = await _until(lambda: _added(watch) >= 1)
    seconds = time.monotonic() - started if seen else None
    said = "a dead letter"
    say(f"  was not seen: {said}" if seconds is None else f"  seen after {seconds:.1f} s: {said}")
    return Observation(words, said, seconds)


def _added(watch: Watch) -> float:
    return sum(watch.store.values(dead_letter_metrics.DLQ_ADDED_TOTAL).values())


def _missing(watch: Watch) -> float:
    return sum(watch.store.values(reconciliation.EVENTS_MISSING).values())


async def _fault(
    watch: Watch,
    say: Say,
    broker: int,
    breaking: tuple[str, Callable[[int], None]],
    mending: tuple[str, Callable[[int], None]],
) -> list[Observation]:
    findings = []
    for (words, act), expected in ((breaking, 0.0), (mending, 1.0)):
        say(words)
        started = time.monotonic()
        await asyncio.to_thread(act, broker)
        if expected == 1.0:  # a real broker needs seconds to start, which are not keywatch's
            started = time.monotonic()
        seen = await _until(lambda expected=expected: _up(watch, broker) == expected)  # type: ignore[misc]
        seconds = time.monotonic() - started if seen else None
        said = _reason(watch, broker) if expected == 0.0 else "up again"
        when = "was not seen" if seconds is None else f"seen after {seconds:.1f} s: {said}"
        say(f"  {when}")
        findings.append(Observation(words, said, seconds))
        await asyncio.sleep(5 if expected == 0.0 else 0)
    return findings


def _up(watch: Watch, broker: int) -> float | None:
    return watch.store.values(cluster_metrics.BROKER_UP).get((CLUSTER, str(broker)))


def _reason(watch: Watch, broker: int) -> str:
    for incident in watch.incidents:
        if incident.metric is cluster_metrics.BROKER_UP and incident.labels == (CLUSTER, str(broker)):
            return incident.note
    return "down"


async def _until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + _GIVE_UP_AFTER
    while not condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_LOOK_EVERY)
    return True
