"""Has the configuration read anew once its file, or one that it names, has changed and is at rest again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from keywatch.config.files import Stamp, stamp_of
from keywatch.config.yaml_file import ConfigError
from keywatch.engine import supervised
from keywatch.engine.probe import ProbeError, Sample
from keywatch.engine.supervised import Part
from keywatch.engine.worker import Worker
from keywatch.metrics import exporter as exporter_metrics
from keywatch.service.reload import Reload

_EVERY = 0.5
# A look that takes longer is given up: the file system does not answer, and the series stands still.
_LOOK_WITHIN = 5.0
# Who writes a file in place, or one file after the other, is done when nothing has changed for so long.
_AT_REST_AFTER = 1.0
# What changes all the time is read as it is after so long.
_PATIENCE = 5.0
# What a bad file needs to become good may be a file that nobody looks at, such as one that only the bad file names.
_TRY_AGAIN_AFTER = 5.0

Stamps = Mapping[Path, Stamp | None]


class Changes:
    """Judges by what files look like whether it is time to read them. Times are of a monotonic clock."""

    def __init__(self) -> None:
        self._read: Stamps | None = None
        self._seen: Stamps | None = None
        self._changed = self._began = 0.0
        self._try_again: float | None = None

    def due(self, stamps: Stamps, now: float) -> bool:
        """Return whether they should be read now; `now` is when they looked like this."""
        if stamps != self._seen:
            if self._seen == self._read:
                self._began = now
            self._seen, self._changed = stamps, now
        if stamps == self._read:
            return self._try_again is not None and now >= self._try_again
        return now - self._changed >= _AT_REST_AFTER or now - self._began >= _PATIENCE

    def done(self, stamps: Stamps, now: float, *, good: bool, files: tuple[Path, ...]) -> None:
        """Tell that they were read while they looked like this or later, and which files are looked at from now on."""
        # Files that are looked at for the first time may have changed since they were read: read once more.
        self._read = stamps if set(files) <= set(stamps) else None
        self._seen, self._began, self._changed = self._read, now, now
        self._try_again = None if good else now + _TRY_AGAIN_AFTER


class FileWatch:
    """Looks at the configuration's files twice a second, on a thread, and reloads when they changed."""

    def __init__(
        self,
        path: Path,
        named: Callable[[], tuple[Path, ...]],
        reload: Reload,
        look: Callable[[Path], Stamp | None] = stamp_of,
    ) -> None:
        """`path` is the configuration's, `named` gives the files that the one in force names; `look` may block."""
        self._path = path
        self._named = named
        self._reload = reload
        self._look = look
        self._worker = Worker("config-files")
        self._changes = Changes()
        self._looked = time.time()

    def begin(self) -> asyncio.Task[None]:
        """Watch until the task is cancelled; needs a running event loop."""
        return supervised.keep(Part.LOOKING, self.watch, "config-files")

    async def watch(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(_EVERY)
            files = self._files()
            try:
                async with asyncio.timeout(_LOOK_WITHIN):
                    stamps = await self._worker.call(partial(_stamps, files, self._look))
            except (TimeoutError, ProbeError):
                continue
            self._looked = time.time()
            if self._changes.due(stamps, time.monotonic()):
                good = await self._read_anew()
                self._changes.done(stamps, time.monotonic(), good=good, files=self._files())

    def samples(self) -> Iterator[Sample]:
        """Return when the files were last looked at."""
        yield Sample(exporter_metrics.CONFIG_LOOKED_AT_TIMESTAMP_SECONDS, (), self._looked)

    def _files(self) -> tuple[Path, ...]:
        return (self._path, *self._named())

    async def _read_anew(self) -> bool:
        try:
            await self._reload.now(unasked=True)
        except ConfigError:  # it is logged already
            return False
        return True


def _stamps(files: tuple[Path, ...], look: Callable[[Path], Stamp | None]) -> Stamps:
    return {file: look(file) for file in files}
