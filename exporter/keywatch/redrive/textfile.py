"""Writes what a run did as series into a file for node_exporter's textfile collector, or for a push gateway."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from keywatch.metrics import redrive
from keywatch.metrics.metric import Metric
from keywatch.redrive.errors import CannotWriteError
from keywatch.redrive.refusal import Refusal
from keywatch.redrive.tally import Tally
from keywatch.surfaces import label

_EVERY = 5.0


class TextFile:
    """One file for one queue, replaced as a whole, so that nobody reads half of it."""

    def __init__(self, path: Path, cluster: str, dlq: str) -> None:
        self._path = path
        self._labels = f'cluster="{label(cluster)}",dlq="{label(dlq)}"'
        self._written = float("-inf")

    def update(self, tally: Tally) -> None:
        """Write it while the run goes on, every few seconds; raises `CannotWriteError`."""
        if time.monotonic() - self._written >= _EVERY:
            self.write(tally, running=True)

    def write(self, tally: Tally, *, running: bool) -> None:
        """Write it now; raises `CannotWriteError`."""
        self._written = time.monotonic()
        beside = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            beside.write_text("".join(self._lines(tally, running=running)), encoding="utf-8")
            beside.chmod(0o644)
            beside.replace(self._path)
        except OSError as error:
            raise CannotWriteError(f"{self._path}: cannot be written: {error.strerror}") from error

    def _lines(self, tally: Tally, *, running: bool) -> Iterator[str]:
        values: dict[Metric, dict[str, float]] = {
            redrive.REDRIVE_RUNNING: {"": float(running)},
            redrive.REDRIVE_LAST_RUN_TIMESTAMP_SECONDS: {"": time.time()},
            redrive.REDRIVE_REPLAYED: {"": tally.put},
            redrive.REDRIVE_PARKED: {"": tally.parked},
            redrive.REDRIVE_REFUSED: {f',reason="{reason}"': tally.refused[reason] for reason in Refusal},
            redrive.REDRIVE_DIED_AGAIN: {"": tally.returned},
        }
        for metric, found in values.items():
            yield f"# HELP {metric.name} {metric.help}\n# TYPE {metric.name} {metric.kind}\n"
            for more, value in found.items():
                yield f"{metric.name}{{{self._labels}{more}}} {value:.15g}\n"
