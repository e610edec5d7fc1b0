"""Keeps Kafka's loaded classes in an archive of the JVM's, so that a node starts with a third less of a core's time."""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Callable
from pathlib import Path

from tests.kafka import distribution


def options(java: str, record: Callable[[list[str]], object]) -> list[str]:
    """Return the options of the JVM that use the archive, after having it made where it is missing (10 s, 52 MB).

    `record` runs a node once, with the options it is given, and ends it in good order, which is when the JVM writes the
    archive. One that does not fit, say after an update of Java, is ignored by the JVM. Without one nodes start slower.
    """
    binary = Path(java).resolve()
    digest = hashlib.sha256(f"{binary} {binary.stat().st_mtime_ns}".encode()).hexdigest()[:8]
    archive = distribution.cache_folder() / f"classes-{digest}.jsa"
    if not archive.exists():
        with (archive.parent.parent / f"{archive.parent.name}-{archive.stem}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not archive.exists():
                _record(archive, record)
    return [f"-XX:SharedArchiveFile={archive}", "-Xlog:disable", "-Xlog:all=error:stderr"]


def _record(archive: Path, record: Callable[[list[str]], object]) -> None:
    """Write beside the archive and rename, so that it never exists half written."""
    unfinished = archive.with_suffix(".unfinished")
    record([f"-XX:ArchiveClassesAtExit={unfinished}", "-Xlog:disable", "-Xlog:all=error:stderr"])
    if unfinished.exists():
        unfinished.rename(archive)
