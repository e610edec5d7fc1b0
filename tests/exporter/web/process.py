"""`keywatch serve` with a web configuration as a process of its own, on a free port, with its log in a file."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

_SERVES = re.compile(r"://127\.0\.0\.1:(\d+)/metrics")
_DEADLINE = 20.0


@dataclass(frozen=True)
class Exporter:
    """A running exporter."""

    number: int
    """Where it listens on the loopback."""
    log: Path
    process: psutil.Process

    def text(self) -> str:
        """Return all that it said."""
        return self.log.read_text(encoding="utf-8")


@contextmanager
def exporter(folder: Path, web_file: Path, *flags: str, config: str = "") -> Iterator[Exporter]:
    """Start it on a Kafka that is not there and wait until it serves; it is killed when the block is left."""
    config = config or "clusters: [{bootstrap: ['127.0.0.1:1']}]"
    main, log = folder / "keywatch.yml", folder / "log"
    main.write_text(f"{config}\nweb: {{listen_address: '127.0.0.1:0', config_file: {web_file}}}\n", encoding="utf-8")
    command = [sys.executable, "-m", "keywatch", "serve", "--config.file", str(main), "--log.format", "text", *flags]
    with log.open("wb") as said, subprocess.Popen(command, stdout=said, stderr=said) as process:
        try:
            yield Exporter(_number(log, process), log, psutil.Process(process.pid))
            assert process.poll() is None, log.read_text(encoding="utf-8")
        finally:
            process.kill()


def _number(log: Path, process: subprocess.Popen[bytes]) -> int:
    end = time.monotonic() + _DEADLINE
    while time.monotonic() < end and process.poll() is None:
        if found := _SERVES.search(log.read_text(encoding="utf-8")):
            return int(found[1])
        time.sleep(0.02)
    raise TimeoutError(f"the exporter does not serve:\n{log.read_text(encoding='utf-8')}")
