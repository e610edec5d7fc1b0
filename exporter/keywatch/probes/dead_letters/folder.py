"""What died into this folder? Looks at the files of one dead-letter queue on a thread of its own, twice a second."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from keywatch.engine.probe import ProbeError, Reason, Sample, Schedule
from keywatch.engine.worker import Worker
from keywatch.probes.dead_letters.files.folder import MOST_FILES, DeadLetterFolder, Look
from keywatch.probes.dead_letters.series import DeadLetterSeries, QueueState


class DlqFolderProbe:
    """One folder of dead letters; a file system that does not answer costs only this probe."""

    name = "dlq"

    def __init__(self, cluster: str, dlq: str, path: str, folder: DeadLetterFolder, schedule: Schedule) -> None:
        self.cluster = cluster
        self.target = dlq
        self.schedule = schedule
        self._path = path
        self._folder = folder
        self._series = DeadLetterSeries(cluster, dlq)
        self._worker = Worker(f"dlq-{dlq}")
        self._last = Look(False, 0, None, {}, "", False)

    async def run(self, timeout: float) -> Sequence[Sample]:
        """Look at the folder; raises `ProbeError` when it cannot be read, with what was known of it last."""
        try:
            async with asyncio.timeout(timeout):
                look = await self._worker.call(self._folder.scan)
        except TimeoutError:
            raise self._failed(Reason.TIMEOUT_RESPONSE, f"{self._path} was not read in {timeout:g} s") from None
        except ProbeError as error:
            raise self._failed(error.reason, error.detail) from None
        except PermissionError:
            raise self._failed(Reason.AUTHORIZATION, f"the right to read {self._path} is missing") from None
        except OSError as error:
            raise self._failed(Reason.STORAGE, f"{self._path} cannot be read: {error.strerror}") from error
        self._last = look
        trouble = None if look.exists else f"missing: the folder {self._path} does not exist"
        return self._series.samples(self._state(look, trouble), self._folder.take_added())

    async def close(self) -> None:
        """Let the thread end after what it is doing."""
        self._worker.end(self._folder.close)

    def _failed(self, reason: Reason, detail: str) -> ProbeError:
        state = self._state(self._last, f"{reason}: {detail}")
        if not self._last.exists:
            state = state._replace(records=None)
        return ProbeError(reason, detail, self._series.samples(state, {}))

    @staticmethod
    def _state(look: Look, trouble: str | None) -> QueueState:
        oldest, newest = look.span or (None, None)
        crowd = f"crowded: more than {MOST_FILES} files are only counted, the new ones without reason"
        unreadable = {str(flaw): count for flaw, count in look.flaws.items()}
        return QueueState(
            trouble, look.files, oldest, newest, unreadable, look.example, crowd if look.crowded else None
        )
