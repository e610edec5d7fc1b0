"""The probe of a folder tells both edges, keeps what was known when the folder cannot be read, and waits for nobody."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from keywatch.engine.probe import ProbeError, Reason, Sample, Schedule
from keywatch.engine.store import Key, Store
from keywatch.metrics import dead_letters as cat
from keywatch.metrics.metric import Metric
from keywatch.probes.dead_letters.files.folder import DeadLetterFolder, Look
from keywatch.probes.dead_letters.folder import DlqFolderProbe
from keywatch.probes.dead_letters.letter import DeadLetterReason
from tests.exporter.fakes.dead_letter_folder import FIRST_MILLIS, Bed
from tests.exporter.waiting import until

LABELS = ("kafka", "dead")


class Watched:
    """A probe, its folder, and a store that holds what it told."""

    def __init__(self, bed: Bed) -> None:
        self.bed = bed
        self.timeout = 30.0
        """Of a run, in seconds: no test but that of a file system that hangs is about it."""
        self.probe = DlqFolderProbe("kafka", "dead", str(bed.path), bed.folder, Schedule(0.5, self.timeout))
        self.store = Store()
        self.samples: list[Sample] = []

    async def run(self) -> None:
        """Run once; raises `ProbeError` as the probe does, after its samples were taken."""
        self.bed.now += 0.5
        key = Key("kafka", "dlq", "dead")
        try:
            self.samples = list(await self.probe.run(self.timeout))
        except ProbeError as error:
            self.samples = list(error.samples)
            self.store.degrade(key, self.samples, 0.0, 1e9)
            raise
        self.store.replace(key, self.samples, 0.0, 1e9)

    async def fails(self) -> ProbeError:
        """Run once and give the failure."""
        with pytest.raises(ProbeError) as failed:
            await self.run()
        return failed.value

    def value(self, metric: Metric, *more: str) -> float | None:
        """Return what the store says now."""
        return self.store.values(metric).get((*LABELS, *more))

    @property
    def notes(self) -> list[str]:
        """What is wrong, in words."""
        return [sample.note for sample in self.samples if sample.note]


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    path = tmp_path / "dlq"
    path.mkdir()
    made = Watched(Bed(path))
    yield made
    made.bed.folder.close()


async def test_every_counter_is_there_at_zero_before_the_first_dead_letter(watched: Watched) -> None:
    watched.bed.write(0)
    await watched.run()
    assert watched.store.counters[cat.DLQ_ADDED_TOTAL] == {(*LABELS, reason): 0.0 for reason in DeadLetterReason}
    assert watched.value(cat.DLQ_UP) == 1
    assert watched.value(cat.DLQ_RECORDS) == 1
    assert watched.value(cat.DLQ_UNREADABLE) == 0
    assert watched.value(cat.DLQ_OLDEST_TIMESTAMP_SECONDS) == FIRST_MILLIS / 1000
    watched.bed.write(1)
    await watched.run()
    assert watched.value(cat.DLQ_ADDED_TOTAL, "circuit_open") == 1
    assert watched.value(cat.DLQ_NEWEST_TIMESTAMP_SECONDS) == FIRST_MILLIS / 1000 + 1
    assert watched.notes == []


async def test_what_is_unreadable_is_told_on_both_edges_with_its_reason(watched: Watched) -> None:
    link = watched.bed.path / "dlq-1-1.json"
    link.symlink_to("/etc/passwd")
    await watched.run()
    assert watched.value(cat.DLQ_UNREADABLE) == 1
    assert watched.value(cat.DLQ_UNREADABLE_REASON, "symlink") == 1
    assert watched.notes == ["cannot be read, symlink: 1, such as 'dlq-1-1.json'"]
    link.unlink()
    await watched.run()
    assert watched.value(cat.DLQ_UNREADABLE) == 0
    assert watched.value(cat.DLQ_UNREADABLE_REASON, "symlink") == 0
    assert watched.notes == []


async def test_a_missing_folder_is_down_and_empty_and_up_again_when_it_is_made(watched: Watched) -> None:
    watched.bed.path.rmdir()
    await watched.run()
    assert (watched.value(cat.DLQ_UP), watched.value(cat.DLQ_RECORDS)) == (0, 0)
    assert watched.notes == [f"missing: the folder {watched.bed.path} does not exist"]
    watched.bed.path.mkdir()
    watched.bed.write(1)
    await watched.run()
    assert (watched.value(cat.DLQ_UP), watched.value(cat.DLQ_RECORDS)) == (1, 1)
    assert watched.value(cat.DLQ_ADDED_TOTAL, "circuit_open") == 1


def _denied(_: Watched) -> OSError:
    return PermissionError(13, "Permission denied")


def _broken(_: Watched) -> OSError:
    return OSError(5, "Input/output error")


@pytest.mark.parametrize(
    ("error", "reason", "words"),
    [(_denied, Reason.AUTHORIZATION, "the right to read"), (_broken, Reason.STORAGE, "Input/output error")],
)
async def test_a_folder_that_cannot_be_read_is_down_for_a_reason_and_its_depth_does_not_fall(
    error: Callable[[Watched], OSError], reason: Reason, words: str, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched.bed.write(0)
    await watched.run()
    with monkeypatch.context() as patch:

        def refuse(_: DeadLetterFolder) -> Look:
            raise error(watched)

        patch.setattr(DeadLetterFolder, "scan", refuse)
        failed = await watched.fails()
    assert failed.reason is reason
    assert words in failed.detail
    assert (watched.value(cat.DLQ_UP), watched.value(cat.DLQ_RECORDS)) == (0, 1)
    await watched.run()
    assert (watched.value(cat.DLQ_UP), watched.value(cat.DLQ_RECORDS)) == (1, 1)


async def test_a_folder_that_was_never_read_has_no_depth_but_its_counters(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: DeadLetterFolder) -> Look:
        raise _denied(watched)

    monkeypatch.setattr(DeadLetterFolder, "scan", refuse)
    await watched.fails()
    assert (watched.value(cat.DLQ_UP), watched.value(cat.DLQ_RECORDS)) == (0, None)
    assert watched.value(cat.DLQ_ADDED_TOTAL, "other") == 0


async def test_a_file_system_that_hangs_costs_one_deadline_and_no_dead_letter(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    await watched.run()
    watched.bed.write(1)
    answer = threading.Event()
    truth = DeadLetterFolder.scan

    def hang(folder: DeadLetterFolder) -> Look:
        answer.wait(10)
        return truth(folder)

    with monkeypatch.context() as patch:
        patch.setattr(DeadLetterFolder, "scan", hang)
        patch.setattr(watched, "timeout", 0.2)
        started = asyncio.get_running_loop().time()
        assert (await watched.fails()).reason is Reason.TIMEOUT_RESPONSE
        assert (await watched.fails()).reason is Reason.STUCK
        assert asyncio.get_running_loop().time() - started < 2
        assert watched.value(cat.DLQ_UP) == 0
    answer.set()
    busy = watched.probe._worker._busy
    assert busy is not None
    await until(busy.done, "the look came back")
    await watched.run()
    assert watched.value(cat.DLQ_UP) == 1
    assert watched.value(cat.DLQ_ADDED_TOTAL, "circuit_open") == 1


async def test_too_many_files_are_said_to_be_too_many(tmp_path: Path) -> None:
    watched = Watched(Bed(tmp_path, most_files=3))
    for number in range(5):
        watched.bed.write(number)
    await watched.run()
    assert watched.value(cat.DLQ_RECORDS) == 5
    assert watched.value(cat.DLQ_OLDEST_TIMESTAMP_SECONDS) is None
    assert watched.notes[0].startswith("crowded: ")
    watched.bed.folder.close()


async def test_closing_lets_go_of_thread_and_watch(watched: Watched) -> None:
    await watched.run()
    thread = watched.probe._worker._thread
    assert thread is not None
    await watched.probe.close()
    await until(lambda: not thread.is_alive(), "the thread ended")
    assert not watched.bed.folder.listing._changes.watching
