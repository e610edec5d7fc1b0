"""What a process holds: memory, descriptors, threads, tasks and series; and what grew that should not have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from tests.kafka.exporter_process import ExporterProcess

_MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Footprint:
    """What it holds at one moment; memory in bytes."""

    memory: float
    descriptors: float
    threads: float
    tasks: float
    series: float

    @classmethod
    def of(cls, exporter: ExporterProcess) -> Footprint:
        """Measure a running exporter; raises `AssertionError` when it does not answer."""
        proc = Path(f"/proc/{exporter.pid}")
        page = exporter.scrape()
        return cls(
            memory=page.value("process_resident_memory_bytes") or 0.0,
            descriptors=len(list((proc / "fd").iterdir())),
            threads=len(list((proc / "task").iterdir())),
            tasks=page.value("keywatch_tasks") or 0.0,
            series=page.text.count("\nkeywatch_"),
        )

    def __str__(self) -> str:
        """Write it for people."""
        held = f"{self.descriptors:.0f} descriptors, {self.threads:.0f} threads, {self.tasks:.0f} tasks"
        return f"{self.memory / _MEGABYTE:.1f} MB, {held}, {self.series:.0f} series"


# What may be more at the end than before, beside a tenth: connections and questions come and go.
_SLACK = Footprint(memory=4 * _MEGABYTE, descriptors=6, threads=3, tasks=8, series=30)


def typical(found: Sequence[Footprint]) -> Footprint:
    """Return the median of each."""
    return Footprint(**{name: median(getattr(one, name) for one in found) for name in asdict(_SLACK)})


def grown(before: Sequence[Footprint], after: Sequence[Footprint]) -> list[str]:
    """Name what is more by more than a tenth and the slack."""
    first, last = typical(before), typical(after)
    complaints = []
    for name, slack in asdict(_SLACK).items():
        was, now = getattr(first, name), getattr(last, name)
        if now > was * 1.1 + slack:
            complaints.append(f"{name}: {was:.0f} before, {now:.0f} after")
    return complaints
