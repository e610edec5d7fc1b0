"""Shows the demonstration: a live view on a terminal, plain lines elsewhere; the exporter in it is the real one."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import tempfile
import time
from collections import deque
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from keywatch.config.model import Config
from keywatch.demo.bed import CANARY, EVENTS, GROUP, Bed, EmbeddedBed
from keywatch.demo.fake_keycloak import FakeKeycloak
from keywatch.demo.story import CLUSTER, Observation, tell
from keywatch.demo.traffic import Traffic
from keywatch.metrics import canary as canary_metrics
from keywatch.metrics import cluster as cluster_metrics
from keywatch.metrics import events as event_metrics
from keywatch.metrics import groups, reconciliation
from keywatch.service.config_file import from_data
from keywatch.service.own_metrics import OwnMetrics
from keywatch.service.watch import Watch
from keywatch.surfaces import terminal
from keywatch.web.pages import port

_WATCH_SECONDS = 20.0
_STATUS_EVERY = 5.0
_LINES = 14
# What Keycloak counted is missed sooner than in earnest, where a listener's producer needs more time after faults.
_WINDOW = 4


def run(kafka: str | None, seconds: float | None, bed: Bed | None = None) -> int:
    """Run the demonstration on `bed`, on an embedded cluster, or watch the user's cluster without breaking it.

    Returns the exit code: 0 when every fault was seen, or when the user's cluster answered.
    """
    logging.getLogger().addHandler(logging.NullHandler())
    if kafka:
        return asyncio.run(_visit(kafka, seconds or _WATCH_SECONDS))
    bed = bed or EmbeddedBed()
    try:
        return asyncio.run(_perform(bed))
    finally:
        bed.close()


async def _perform(bed: Bed) -> int:
    bed.create_topics()
    traffic = Traffic(bed.bootstrap)
    screen = Screen(f"keywatch on {bed.description}")
    findings: list[Observation] = []
    async with contextlib.AsyncExitStack() as stack:
        dead_letters = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="keywatch-demo-")))
        keycloak = FakeKeycloak(traffic)
        await keycloak.start()
        stack.push_async_callback(keycloak.stop)
        traffic.start()
        stack.callback(traffic.stop)
        config = _config(bed.bootstrap, keycloak.url, dead_letters)
        watch, address = await stack.enter_async_context(_exporter(config))
        await stack.enter_async_context(screen.showing(watch, address))
        findings = await tell(bed, traffic, watch, screen.say, dead_letters)
        screen.say(f"while it ran, the metrics were at {address}/metrics and the page at {address}/")
    screen.summary(findings)
    return 0 if findings and all(finding.seconds is not None for finding in findings) else 1


def _config(bootstrap: str, keycloak: str, dead_letters: Path) -> Config:
    cluster = {
        "name": CLUSTER,
        "bootstrap": bootstrap.split(","),
        "client": {"fetch.wait.max.ms": 10},
        "topics": {"watch": [EVENTS]},
        "groups": {"watch": [GROUP], "limits": [{"records": 100}]},
        "canary": {"topic": CANARY},
        "keycloaks": [{"name": "keycloak", "url": keycloak}],
        "events": [{"listener": "snuk87", "topics": {"user": [EVENTS]}, "reconcile": {"window": _WINDOW}}],
        "dlq": [{"name": "listener", "folder": str(dead_letters)}],
    }
    return from_data({"clusters": [cluster], "web": {"listen_address": "127.0.0.1:0"}}, "demo")


async def _visit(kafka: str, seconds: float) -> int:
    addresses = [part.strip() for part in kafka.split(",") if part.strip()]
    config = from_data(
        {
            "clusters": [{"name": CLUSTER, "bootstrap": addresses, "canary": {"enabled": False}}],
            "web": {"listen_address": "127.0.0.1:0"},
        },
        "--kafka",
    )
    screen = Screen(f"keywatch on {kafka}, for {seconds:.0f} s; nothing is written to the cluster")
    async with _exporter(config) as (watch, address), screen.showing(watch, address):
        screen.say(f"metrics at {address}/metrics, page at {address}/")
        await asyncio.sleep(seconds)
        for incident in watch.incidents:
            screen.say(f"wrong: {incident.where}: {incident.note}")
        up = watch.store.values(cluster_metrics.CLUSTER_UP).get((CLUSTER,), 0.0)
    return 0 if up else 1


@contextlib.asynccontextmanager
async def _exporter(config: Config):  # type: ignore[no-untyped-def] # noqa: ANN202 - spelt out by its one line of use
    """Run the exporter as `keywatch serve` does, on a free port of the loopback."""
    watch = Watch(config)
    itself = OwnMetrics(watch.store, watch.incidents)
    entrance = port(watch, itself)
    await entrance.open("127.0.0.1", 0)
    beat = itself.begin()
    watch.start()
    try:
        yield watch, f"http://127.0.0.1:{entrance.number}"
    finally:
        beat.cancel()
        await watch.stop()
        await entrance.close()


def _events(watch: Watch) -> str:
    """Tell how many events arrived, how late, and how many are missing."""
    received = sum(watch.store.values(event_metrics.EVENTS_RECEIVED_TOTAL).values())
    delays = watch.store.histograms.get(event_metrics.EVENT_ARRIVAL_DELAY_SECONDS, {}).values()
    count = sum(sum(delay.counts) for delay in delays)
    if not count:
        return ""
    late = sum(delay.total for delay in delays) / count
    missing = sum(watch.store.values(reconciliation.EVENTS_MISSING).values())
    return f"; {received:.0f} events, {late * 1000:.0f} ms late on average, {missing:.0f} missing"


class Screen:
    """Where lines and the state of the cluster are shown."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._console = Console(highlight=False)
        self._lines: deque[str] = deque(maxlen=_LINES)
        self._started = time.monotonic()

    def say(self, line: str) -> None:
        """Show a line with the seconds since the beginning."""
        stamped = terminal(f"{time.monotonic() - self._started:5.1f} s  {line}")
        self._lines.append(stamped)
        if not self._console.is_terminal:
            print(stamped, flush=True)  # noqa: T201 - the command's result

    @contextlib.asynccontextmanager
    async def showing(self, watch: Watch, address: str):  # type: ignore[no-untyped-def] # noqa: ANN201 - see _exporter
        """Keep the view up to date while the block runs."""
        if not self._console.is_terminal:
            print(f"{self._title}\nmetrics: {address}/metrics", flush=True)  # noqa: T201 - the command's result
        task = asyncio.create_task(self._live(watch, address) if self._console.is_terminal else self._plain(watch))
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def summary(self, findings: list[Observation]) -> None:
        """Show how long each fault took to be seen."""
        table = Table(title="how long keywatch took", title_justify="left")
        for heading in ("what was done", "seen after", "what it said"):
            table.add_column(heading, overflow="fold")
        for finding in findings:
            seconds = "never" if finding.seconds is None else f"{finding.seconds:.1f} s"
            table.add_row(finding.done, seconds, Text(terminal(finding.said)))
        self._console.print(table)

    async def _live(self, watch: Watch, address: str) -> None:
        with Live(console=self._console, auto_refresh=False) as live:
            while True:
                live.update(self._view(watch, address), refresh=True)
                await asyncio.sleep(0.2)

    async def _plain(self, watch: Watch) -> None:
        while True:
            await asyncio.sleep(_STATUS_EVERY)
            brokers = " ".join(
                f"{label}:{'up' if up else 'DOWN'}"
                for (_, label), up in sorted(watch.store.values(cluster_metrics.BROKER_UP).items())
            )
            lag = sum(watch.store.values(groups.GROUP_LAG_RECORDS).values())
            seconds = max(watch.store.values(groups.GROUP_LAG_SECONDS).values(), default=0.0)
            self.say(f"brokers {brokers or 'not known yet'}; lag {lag:.0f} records, {seconds:.1f} s{_events(watch)}")

    def _view(self, watch: Watch, address: str) -> RenderableType:
        store = watch.store
        up, answers = store.values(cluster_metrics.BROKER_UP), store.values(cluster_metrics.BROKER_RESPONSE_SECONDS)
        canaries = store.values(canary_metrics.CANARY_UP)
        trips = store.values(canary_metrics.CANARY_LAST_ROUND_TRIP_SECONDS)
        brokers = Table(box=None, pad_edge=False)
        for heading in ("broker", "state", "answers in", "canary", "round trip"):
            brokers.add_column(heading)
        for key, state in sorted(up.items()):
            canary = canaries.get(key)
            brokers.add_row(
                key[1],
                "[green]up[/]" if state else "[bold red]DOWN[/]",
                f"{answers[key] * 1000:.1f} ms" if key in answers else "",
                "" if canary is None else "[green]crosses[/]" if canary else "[red]fails[/]",
                f"{trips[key] * 1000:.0f} ms" if key in trips else "",
            )
        lags = Table(box=None, pad_edge=False)
        for heading in ("consumer group", "topic", "lag, records", "lag, time", "partitions unknown"):
            lags.add_column(heading)
        seconds = store.values(groups.GROUP_LAG_SECONDS)
        unknown = store.values(groups.GROUP_PARTITIONS_UNKNOWN)
        for key, records in sorted(store.values(groups.GROUP_LAG_RECORDS).items()):
            age = seconds.get(key)
            missing = unknown.get(key, 0)
            names = (Text(terminal(name)) for name in key[1:])
            lags.add_row(*names, f"{records:.0f}", "" if age is None else f"{age:.1f} s", f"{missing:.0f}")
        lines = Text("\n".join(self._lines))
        head = Text(f"{self._title}\nmetrics: {address}/metrics   page: {address}/\n", style="bold")
        events = Text(_events(watch).removeprefix("; "))
        return Group(head, brokers, Text(""), lags, Text(""), events, Text(""), lines)
