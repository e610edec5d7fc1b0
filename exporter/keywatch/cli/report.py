"""One look at all clusters: runs every probe until each has its verdict, then tells what it found."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from keywatch.cli.out import say_json
from keywatch.config.model import Config
from keywatch.engine.series import shown
from keywatch.metrics import cluster as cluster_metrics
from keywatch.metrics import groups
from keywatch.service.watch import Watch
from keywatch.surfaces import terminal

_LOOK_EVERY = 0.05
_CANARY = "canary"


async def look(config: Config, within: float) -> Watch:
    """Run the probes until each broker is judged and each probe has answered, `within` seconds at most."""
    watch = Watch(config)
    watch.start()
    deadline = asyncio.get_running_loop().time() + within
    while asyncio.get_running_loop().time() < deadline and not _complete(watch):  # noqa: ASYNC110 - many probes' verdicts
        await asyncio.sleep(_LOOK_EVERY)
    return watch


def _complete(watch: Watch) -> bool:
    """Return whether nothing more is to be learnt by waiting.

    A probe that failed at the very start, because another had not read the metadata yet, gets another run; where
    the cluster is down it will go on failing and nobody need wait.
    """
    if watch.scheduler.not_yet_run() or not all(topology.judged() for topology in watch.topologies.values()):
        return False
    up = watch.store.values(cluster_metrics.CLUSTER_UP)
    failed = {key.cluster for key, account in watch.store.accounts() if not account.success}
    return len(up) == len(watch.config.clusters) and all(not up[(name,)] for name in failed)


def report(watch: Watch) -> dict[str, Any]:
    """Return what was found as data: whether all is well, and per cluster its brokers, and all that is wrong."""
    watch.store.expire(time.monotonic())
    problems = [{"metric": str(i.metric), "labels": shown(i.metric, i.labels), "what": i.note} for i in watch.incidents]
    clusters = {}
    for name, topology in watch.topologies.items():
        up = watch.store.values(cluster_metrics.BROKER_UP)
        clusters[name] = {
            "up": bool(watch.store.values(cluster_metrics.CLUSTER_UP).get((name,), 0.0)),
            "supported": bool(watch.store.values(cluster_metrics.CLUSTER_SUPPORTED).get((name,), 1.0)),
            "brokers": {
                label: {"address": str(broker.endpoint or ""), "up": bool(up.get((name, label), 0.0))}
                for label, broker in topology.brokers.items()
            },
            "topics": len(topology.topics or {}),
            "groups": len({labels[1] for labels in watch.store.values(groups.GROUP_UP) if labels[0] == name}),
        }
    healthy = not problems and all(cluster["up"] for cluster in clusters.values())
    return {"healthy": healthy, "clusters": clusters, "problems": problems}


def show(found: dict[str, Any], *, as_json: bool) -> None:
    """Print the report on standard output, as JSON or as tables for people."""
    if as_json:
        say_json(found, 2)
        return
    console = Console(highlight=False)
    for name, cluster in found["clusters"].items():
        state = "up" if cluster["up"] else "DOWN" if cluster["supported"] else "UNSUPPORTED"
        table = Table(title=Text(f"cluster {terminal(name)}: {state}"), title_justify="left")
        for heading in ("broker", "address", "state"):
            table.add_column(heading)
        for label, broker in cluster["brokers"].items():
            verdict = Text("up", "green") if broker["up"] else Text("DOWN", "red")
            table.add_row(cell(label), cell(broker["address"]), verdict)
        console.print(table)
        console.print(f"{cluster['topics']} topics, {cluster['groups']} consumer groups")
    if not found["problems"]:
        console.print("[green]nothing is wrong[/]" if found["healthy"] else "[red]the cluster could not be read[/]")
        return
    table = Table(title="what is wrong", title_justify="left")
    for heading in ("where", "what"):
        table.add_column(heading, overflow="fold")
    for problem in found["problems"]:
        where = " ".join(f"{key}={value}" for key, value in problem["labels"].items())
        table.add_row(cell(where), cell(problem["what"]))
    console.print(table)


def cell(words: str) -> Text:
    """Make a table's cell of words from outside: text, in which rich looks for no markup."""
    return Text(terminal(words))
