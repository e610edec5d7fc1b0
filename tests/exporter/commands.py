"""Runs the `keywatch` command in a process of its own, as users do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_KEYWATCH = (sys.executable, "-m", "keywatch")


def keywatch(*arguments: str, deadline: float = 100.0) -> subprocess.CompletedProcess[str]:
    """Run the command to its end; raises `subprocess.TimeoutExpired`, and kills it, after `deadline` seconds."""
    return subprocess.run([*_KEYWATCH, *arguments], capture_output=True, text=True, check=False, timeout=deadline)


@contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start the command; it is killed when the block is left and it still runs."""
    pipe = subprocess.PIPE
    with subprocess.Popen([*_KEYWATCH, *arguments], stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()
