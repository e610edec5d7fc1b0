"""What watching a folder of 100,000 dead letters costs, and how soon a new one is seen; needs no Kafka."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import uvloop

from keywatch.engine.incidents import Incidents
from keywatch.engine.probe import Schedule
from keywatch.engine.runner import Runner
from keywatch.engine.scheduler import Scheduler
from keywatch.engine.store import Store
from keywatch.metrics import dead_letters
from keywatch.probes.dead_letters.files.changes import FolderChanges
from keywatch.probes.dead_letters.files.folder import DeadLetterFolder
from keywatch.probes.dead_letters.folder import DlqFolderProbe
from keywatch.probes.dead_letters.letter import Sources
from keywatch.service.memory_use import be_frugal
from tests.bench.figures import Figure, spread
from tests.exporter.fakes.dead_letter_folder import FIRST_MILLIS, PATTERN, NoEvents, envelope

_FILES = 100_000
_SCHEDULE = Schedule(0.5, 2.0)
_SHARE, _SEEN = 0.05, 1.5
# Without events the folder is listed, and at 5 % of a core 100,000 files are listed every two seconds.
_SEEN_LISTING = 4.0


def measure(seconds: float, whole: bool, say: Callable[[str], None]) -> list[Figure]:
    """Watch the folder as the exporter does, `seconds` long while nothing changes and while a file a second comes.

    What was there at the start is looked into little by little, which takes minutes; `whole` waits for all of it.
    """
    be_frugal()
    with tempfile.TemporaryDirectory(prefix="keywatch-dlq-") as folder:
        say(f"making {_FILES} files")
        for number in range(_FILES):
            _write(Path(folder), number)
        say("the kernel's events")
        figures = uvloop.run(_watch(Path(folder), FolderChanges(), seconds, _SEEN, "", say, whole=whole))
        say("as on a network file system")
        words = ", without events (as on a network file system)"
        figures += uvloop.run(_watch(Path(folder), NoEvents(watchable=False), seconds, _SEEN_LISTING, words, say))
    return figures


def _write(folder: Path, number: int) -> Path:
    path = folder / f"dlq-{FIRST_MILLIS + number * 1000}-{number}.json"
    path.write_text(envelope(), encoding="utf-8")
    return path


async def _watch(
    path: Path,
    changes: FolderChanges,
    seconds: float,
    seen_within: float,
    words: str,
    say: Callable[[str], None],
    *,
    whole: bool = False,
) -> list[Figure]:
    store = Store()
    scheduler = Scheduler(Runner(store, Incidents()))
    folder = DeadLetterFolder(path, PATTERN, Sources(), changes=changes)
    before = _rss()
    scheduler.add(DlqFolderProbe("bench", "dead", str(path), folder, _SCHEDULE))
    started, spent = time.monotonic(), time.process_time()
    while not store.values(dead_letters.DLQ_RECORDS).get(("bench", "dead")):  # noqa: ASYNC110 - the probe's first frame
        await asyncio.sleep(0.02)
    first = time.monotonic() - started
    while folder.checks._unchecked and (whole or time.monotonic() - started < seconds):  # noqa: ASYNC110 - as above
        await asyncio.sleep(0.5)
    took = time.monotonic() - started
    through = (time.process_time() - spent) / took
    looked = _FILES - len(folder.checks._unchecked)
    say(f"{looked} files were looked into in {took:.0f} s at {through * 100:.1f} % of a core")
    folder.checks.clear()
    await asyncio.sleep(3.0)
    quiet = await _share(seconds, lambda: asyncio.sleep(1.0))
    say(f"nothing changes: {quiet * 100:.2f} %")
    latencies: list[float] = []

    async def one() -> None:
        await asyncio.sleep(1.0 - (latencies[-1] if latencies and latencies[-1] < 1.0 else 0.0))
        latencies.append(await _seen(store, path, _FILES + len(latencies)))

    busy = await _share(seconds, one)
    memory = _rss() - before
    await scheduler.stop()
    for number in range(len(latencies)):
        (path / f"dlq-{FIRST_MILLIS + (_FILES + number) * 1000}-{_FILES + number}.json").unlink()
    return [
        Figure(
            f"folder with {_FILES} dead letters{words}, CPU while nothing changes / while a file a second comes",
            "≤ 5 % of one core",
            f"{quiet * 100:.2f} % / {busy * 100:.2f} %; at the start {through * 100:.1f} % for {took:.0f} s, in which"
            f" {looked} files were looked into; {memory:.0f} MiB",
            max(quiet, busy, through) <= _SHARE,
        ),
        Figure(
            f"new file in that folder{words} → `dlq_added_total` ({len(latencies)} files, min / median / max)",
            f"≤ {seen_within:g} s",
            f"{spread(latencies)}; the folder's first frame after {first:.2f} s",
            max(latencies) <= seen_within,
        ),
    ]


async def _share(seconds: float, act: Callable[[], object]) -> float:
    """Return the share of a core that the process uses while `act` is done again and again."""
    started, spent = time.monotonic(), time.process_time()
    while time.monotonic() - started < seconds:
        await act()  # type: ignore[misc] # what it gives is awaited only
    return (time.process_time() - spent) / (time.monotonic() - started)


async def _seen(store: Store, path: Path, number: int) -> float:
    """Write a file, and give the seconds until the counter shows it."""
    before = _added(store)
    started = time.monotonic()
    _write(path, number)
    while _added(store) == before:  # noqa: ASYNC110 - the probe's next frame
        await asyncio.sleep(0.02)
    return time.monotonic() - started


def _added(store: Store) -> float:
    return sum(store.values(dead_letters.DLQ_ADDED_TOTAL).values())


def _rss() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * 4096 / 2**20
