"""What keywatch says about itself: build, event-loop lag, configuration age, scrapes, process figures."""

from __future__ import annotations

import asyncio
import platform
import time
from collections import deque
from collections.abc import Callable, Iterable

import confluent_kafka
from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from keywatch import __version__
from keywatch.engine import supervised
from keywatch.engine.incidents import Incidents
from keywatch.engine.probe import Sample
from keywatch.engine.store import Key, Store
from keywatch.engine.supervised import Part
from keywatch.metrics import exporter as exporter_metrics
from keywatch.service import memory_use
from keywatch.service.log_setup import LostLines

_TICK = 0.1
_WINDOW = 10.0
_SETTLED_AFTER = 15.0
_GIVE_BACK_EVERY = 5.0
_KEY = Key("", "exporter", "")


class OwnMetrics:
    """The exporter's own samples, put into the store as a frame of their own; what is wrong goes to the incidents."""

    def __init__(self, store: Store, incidents: Incidents | None = None) -> None:
        self._store = store
        self._incidents = incidents if incidents is not None else Incidents()
        self._troubles: list[Callable[[], Iterable[Sample]]] = []
        self._loaded = time.time()
        self._reload_successful = True
        self._tasks = 0
        self._lags: deque[tuple[float, float]] = deque()
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        self._others: list[Callable[[], Iterable[Sample]]] = []
        self._defects = supervised.counts()
        self._first = True
        self._refresh()
        self.add_source(LostLines())

    def add_source(self, source: Callable[[], Iterable[Sample]]) -> None:
        """Take samples of another part of the exporter into the frame."""
        self._others.append(source)
        self._refresh()

    def add_trouble(self, source: Callable[[], Iterable[Sample]]) -> None:
        """Take samples with notes that are told as incidents only, because their series come from elsewhere."""
        self._troubles.append(source)

    def begin(self) -> asyncio.Task[None]:
        """Watch the running event loop until the task is cancelled; after a defect of this very watching, anew."""
        supervised.watch(asyncio.get_running_loop())
        return supervised.keep(Part.OWN_METRICS, self.watch_loop)

    async def watch_loop(self) -> None:
        """Measure for ever how late timers fire, which is how long anything held the event loop."""
        refresh_at = give_back_at = time.monotonic()
        settle_at = refresh_at + _SETTLED_AFTER
        while True:
            due = time.monotonic() + _TICK
            await asyncio.sleep(_TICK)
            now = time.monotonic()
            self._lags.append((now, max(now - due, 0.0)))
            while self._lags[0][0] < now - _WINDOW:
                self._lags.popleft()
            if now >= refresh_at:
                refresh_at = now + 1.0
                self._tasks = len(asyncio.all_tasks())
                self._refresh()
                self._store.expire(time.monotonic())
            if now >= give_back_at:
                give_back_at = now + _GIVE_BACK_EVERY
                memory_use.give_back()
            if now >= settle_at:
                settle_at = float("inf")
                memory_use.settle()

    def reloaded(self, *, successful: bool) -> None:
        """Tell that the configuration was read anew, and whether it is in force now."""
        self._reload_successful = successful
        if successful:
            self._loaded = time.time()
        self._refresh()

    def scraped(self, seconds: float) -> None:
        """Count a scrape that took `seconds`."""
        self._store.accumulate([Sample(exporter_metrics.SCRAPE_DURATION_SECONDS, (), seconds)])

    def process_metrics(self, *, openmetrics: bool) -> bytes:
        """Render CPU, memory, file descriptors and garbage collection of this process, under their usual names."""
        if openmetrics:
            text = bytes(generate_openmetrics(self._registry))  # type: ignore[no-untyped-call] # untyped upstream
            return text.removesuffix(b"# EOF\n")
        return bytes(generate_latest(self._registry))

    def _refresh(self) -> None:
        build = (__version__, platform.python_version(), confluent_kafka.libversion()[0])
        worst = max((lag for _, lag in self._lags), default=0.0)
        samples = [
            Sample(exporter_metrics.BUILD_INFO, build, 1.0),
            Sample(exporter_metrics.EVENT_LOOP_LAG_SECONDS, (), worst),
            Sample(exporter_metrics.TASKS, (), self._tasks),
            Sample(exporter_metrics.CONFIG_LOADED_TIMESTAMP_SECONDS, (), self._loaded),
            Sample(exporter_metrics.CONFIG_RELOAD_SUCCESSFUL, (), float(self._reload_successful)),
            *self._new_defects(),
        ]
        samples += _all_of(self._others)
        now = time.time()
        self._store.replace(_KEY, samples, now, float("inf"))
        self._incidents.observe(_KEY, [*samples, *_all_of(self._troubles)], now)

    def _new_defects(self) -> list[Sample]:
        """Return how many there were since the last time; zeros at first, so that a rate sees the first one."""
        before, self._defects = self._defects, supervised.counts()
        first, self._first = self._first, False
        new = {part: float(count - before[part]) for part, count in self._defects.items()}
        return [Sample(exporter_metrics.DEFECTS_TOTAL, (part,), count) for part, count in new.items() if count or first]


def _all_of(sources: Iterable[Callable[[], Iterable[Sample]]]) -> list[Sample]:
    found: list[Sample] = []
    for source in sources:
        try:
            found += source()
        except Exception as error:  # noqa: BLE001 - what one part cannot say of itself must cost no other's
            supervised.defect(Part.OWN_METRICS, error, getattr(source, "__qualname__", ""))
    return found
