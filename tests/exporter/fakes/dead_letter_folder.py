"""A folder of dead letters as the listener makes them, and a look at it under a clock of the test's own."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

from keywatch.config.dead_letters import DlqSection
from keywatch.probes.dead_letters.files.changes import FolderChanges
from keywatch.probes.dead_letters.files.folder import DeadLetterFolder, Look
from keywatch.probes.dead_letters.letter import DeadLetterReason, Sources

PATTERN = DlqSection(name="dead", folder=Path("/dlq")).file_pattern
FIRST_MILLIS = 1_767_000_000_000


def name(number: int) -> str:
    """Return the listener's name of a file that came so many seconds after the first."""
    return f"dlq-{FIRST_MILLIS + number * 1000}-{123_456_789 + number}.json"


def envelope(error: str = "CircuitBreakerOpenException") -> str:
    """Write what the listener writes."""
    metadata = {"key": "5b1e2a34:LOGIN:77aa", "errorClass": error}
    content = {"id": "dlq-1-1", "eventType": "LOGIN", "eventData": "{}", "failureReason": "x", "metadata": metadata}
    return json.dumps(content, indent=2)


class NoEvents(FolderChanges):
    """What a network file system has: a watch that never tells of anything, or none at all."""

    def __init__(self, *, watchable: bool) -> None:
        super().__init__()
        self._watchable = watchable

    @property
    def watching(self) -> bool:
        """Whether the kernel promises to tell."""
        return self._watchable

    def watch(self, folder: os.PathLike[str] | str) -> bool:
        """Promise."""
        assert folder
        return self._watchable


class Bed:
    """A folder, and looks at it half a second apart."""

    def __init__(self, path: Path, **options: Any) -> None:
        self.path = path
        self.now = 1000.0
        self.added: Counter[DeadLetterReason] = Counter()
        pattern = options.pop("pattern", PATTERN)
        self.folder = DeadLetterFolder(path, pattern, Sources(), clock=lambda: self.now, **options)

    def write(self, number: int, content: str | bytes | None = None) -> Path:
        """Write a file in place, as the listener does."""
        path = self.path / name(number)
        text = envelope() if content is None else content
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def look(self, after: float = 0.5) -> Look:
        """Look once, `after` seconds, and note what came."""
        self.now += after
        look = self.folder.scan()
        self.added += self.folder.take_added()
        return look

    def looks(self, count: int) -> Look:
        """Look so many times and give the last one."""
        return [self.look() for _ in range(count)][-1]
