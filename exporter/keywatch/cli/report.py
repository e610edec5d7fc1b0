"""One look at all clusters: runs every probe until each has its verdict, then tells what it found as data."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

from keywatch.cli.looked_at import looked_at
from keywatch.config.model import Config
from keywatch.engine.incident_data import as_data
from keywatch.engine.overview import sentence
from keywatch.engine.slices import at_once
from keywatch.metrics import cluster as cluster_metrics
from keywatch.metrics import events, groups
from keywatch.service.watch import Watch

_LOOK_EVERY = 0.05
_LOOK_BACK = 900.0
_MOST = 10_000


async def look(config: Config, within: float) -> Watch:
    """Run the probes until each broker is judged and each probe has answered, `within` seconds at most.

    The records of the last 15 minutes are read too, so that what came before this moment is known.
    """
    watch = Watch(config, look_back=_LOOK_BACK)
    watch.start()
    deadline = asyncio.get_running_loop().time() + within
    while asyncio.get_running_loop().time() < deadline and not _complete(watch):  # noqa: ASYNC110 - many probes' verdicts
        await asyncio.sleep(_LOOK_EVERY)
    return watch


def _complete(watch: Watch) -> bool:
    """Return whether nothing more is to be learnt by waiting.

    A probe that failed at the very start, because another had not read the metadata yet, gets another run; where
    the cluster is down it will go on failing and nobody need wait. Records of events that are still to be read are
    waited for: that there are any at the very start means nothing.
    """
    if watch.scheduler.not_yet_run() or not all(topology.judged() for topology in watch.topologies.values()):
        return False
    if any(watch.store.values(events.EVENTS_BEHIND_RECORDS).values()):
        return False
    up = watch.store.values(cluster_metrics.CLUSTER_UP)
    failed = {key.cluster for key, account in watch.store.accounts() if not account.success}
    return len(up) == len(watch.config.clusters) and all(not up[(name,)] for name in failed)


def report(watch: Watch, running: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return what was found as data: whether all is well, per cluster what was looked at, and all that is wrong.

    What only the `running` keywatch knows stands behind it, with `seen_by` set.
    """
    watch.store.expire(time.monotonic())
    found = as_data(at_once(watch.incidents.overview(_MOST)), time.time())
    problems = found["incidents"]
    known = {_identity(one) for one in problems}
    names = set(watch.topologies)
    for one in running["incidents"] if running is not None else ():
        if _identity(one) not in known and one["labels"].get("cluster", "") in {*names, ""}:
            problems.append({**one, "seen_by": running["url"]})  # type: ignore[index] # or there is nothing to go through
    problems = _folded(problems)
    things = sum(not one.get("follows_from") for one in problems)
    clusters = {name: _cluster(watch, name) for name in watch.topologies}
    healthy = not problems and all(cluster["up"] for cluster in clusters.values())
    return {
        "healthy": healthy,
        "summary": sentence(things, len(problems) - things),
        "clusters": clusters,
        "problems": problems,
        "running": {key: running[key] for key in ("url", "answer")} if running is not None else None,
    }


def _cluster(watch: Watch, name: str) -> dict[str, Any]:
    up = watch.store.values(cluster_metrics.BROKER_UP)
    topology = watch.topologies[name]
    return {
        "up": bool(watch.store.values(cluster_metrics.CLUSTER_UP).get((name,), 0.0)),
        "supported": bool(watch.store.values(cluster_metrics.CLUSTER_SUPPORTED).get((name,), 1.0)),
        "brokers": {
            label: {"address": str(broker.endpoint or ""), "up": bool(up.get((name, label), 0.0))}
            for label, broker in topology.brokers.items()
        },
        "topics": len(topology.topics or {}),
        "groups": len({labels[1] for labels in watch.store.values(groups.GROUP_UP) if labels[0] == name}),
        "looked_at": looked_at(watch, name),
    }


def _folded(problems: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put each right behind what it follows from; what follows from nothing that stands here stands for itself."""
    causes: dict[Any, list[dict[str, Any]]] = {_identity(one): [] for one in problems if not one.get("follows_from")}
    things: list[dict[str, Any]] = []
    for one in problems:
        cause = one.get("follows_from")
        followers = causes.get(_identity(cause)) if cause else None
        if followers is not None:
            followers.append(one)
        else:
            things.append({**one, "follows_from": None})
    return [each for thing in things for each in (thing, *causes.get(_identity(thing), ()))]


def _identity(problem: Mapping[str, Any]) -> tuple[str, tuple[tuple[str, str], ...]]:
    return problem["metric"], tuple(sorted((str(key), str(value)) for key, value in problem["labels"].items()))
