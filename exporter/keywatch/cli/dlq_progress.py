"""Shows how far a command is: a bar where a person looks, a line now and then elsewhere, on standard error."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from keywatch.cli.out import complain
from keywatch.redrive.tally import Tally

_EVERY = 10.0


class ProgressView:
    """A context manager; `show` is called after each batch."""

    def __init__(self, words: str, total: int) -> None:
        self._words = words
        self._total = total
        self._began = self._shown = time.monotonic()
        self._bar: object | None = None
        self._task: object | None = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            from rich.console import Console  # noqa: PLC0415 - only where somebody looks
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

            bar = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True, highlight=False),
            )
            bar.start()
            self._bar, self._task = bar, bar.add_task(self._words, total=max(self._total, 1))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()  # type: ignore[attr-defined] # rich's, loaded only where somebody looks

    def show(self, tally: Tally) -> None:
        """Show what was done so far."""
        done = tally.put + tally.parked + tally.refusals + tally.not_meant + tally.settled_before + tally.moved
        if self._bar is not None:
            self._bar.update(self._task, completed=done)  # type: ignore[attr-defined] # as above
            return
        now = time.monotonic()
        if now - self._shown >= _EVERY:
            self._shown = now
            rate = done / max(now - self._began, 0.001)
            complain(f"{self._words}: {done} of {self._total}, {rate:.0f} a second")
