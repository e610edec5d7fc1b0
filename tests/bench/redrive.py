"""How fast dead letters come back on a real Kafka, from a topic and from a folder, and in how much memory."""

from __future__ import annotations

import json
import re
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.figures import Figure
from tests.kafka import admin, redriving
from tests.kafka.cluster import KafkaCluster
from tests.kafka.redriving import Redriver

_MIB = 1024
_PEAK = r"""
"$@" & child=$!
while kill -0 $child 2>/dev/null; do
  now=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' /proc/$child/status 2>/dev/null)
  peak=${now:-$peak}
  sleep 0.1
done
wait $child
code=$?
echo VmHWM $peak
exit $code
"""
"""Tells beside a command's output how much memory it took at most, in KiB."""


def measure(letters: int, files: int, deep: int, say: Callable[[str], None]) -> list[Figure]:
    """Replay so many letters of a topic and so many files, and list a topic `deep` letters deep."""
    with KafkaCluster(1) as cluster, tempfile.TemporaryDirectory(prefix="keywatch-redrive-") as folder:
        redriver = Redriver(cluster.bootstrap, Path(folder))
        return [
            *_topic(redriver, letters, say),
            *_folder(redriver, Path(folder) / "dead", files, say),
            *_list(redriver, deep, say),
        ]


def _topic(redriver: Redriver, letters: int, say: Callable[[str], None]) -> list[Figure]:
    say(f"{letters} letters of a topic")
    redriving.fill_topic(redriver.bootstrap, "warm-dlq", "warm", 100)
    redriver.run("replay", "--topic", "warm-dlq", "--yes")
    redriving.fill_topic(redriver.bootstrap, "bench-dlq", "bench", letters)
    took, cpu, memory = _timed(redriver, "replay", "--topic", "bench-dlq", "--yes")
    wrong = redriving.faults(redriving.committed(redriver.bootstrap, "bench", seconds=600), letters)
    return [
        Figure(
            f"replay of {letters} letters from a topic, transactions of 3,000, records a second",
            "≥ 20,000",
            f"{letters / took:.0f} ({took:.1f} s with start and plan, {cpu:.1f} s of CPU); "
            f"{wrong or 'each once, in order'}",
            letters / took >= 20_000 and not wrong,
        ),
        Figure(f"memory of that replay ({letters} letters)", "≤ 100 MB", f"{memory:.0f} MiB at most", memory <= 100),
    ]


def _folder(redriver: Redriver, path: Path, files: int, say: Callable[[str], None]) -> list[Figure]:
    say(f"{files} files of a folder")
    admin.create_topic(redriver.bootstrap, "bench-files", partitions=3)
    redriving.fill_folder(path, "bench-files", files)
    took, cpu, memory = _timed(redriver, "replay", "--folder", str(path), "--yes")
    wrong = redriving.faults(redriving.committed(redriver.bootstrap, "bench-files", seconds=600), files)
    return [
        Figure(
            f"replay of {files} files of a folder, files a second",
            "≥ 2,000",
            f"{files / took:.0f} ({took:.1f} s, {cpu:.1f} s of CPU, {memory:.0f} MiB); "
            f"{wrong or 'each once, in order'}",
            files / took >= 2000 and not wrong and memory <= 100,
        )
    ]


def _list(redriver: Redriver, deep: int, say: Callable[[str], None]) -> list[Figure]:
    say(f"a list of {deep} letters")
    redriving.fill_topic(redriver.bootstrap, "deep-dlq", "deep", deep)
    took, cpu, memory = _timed(redriver, "list", "--topic", "deep-dlq")
    began = time.monotonic()
    with redriver.start("list", "--topic", "deep-dlq", "--letters", "--json", "--limit", "20") as process:
        assert process.stdout is not None
        json.loads(process.stdout.readline())
        first = time.monotonic() - began
        process.communicate()
    return [
        Figure(
            f"`dlq list` of {deep} letters / its first line",
            "≤ 30 s / ≤ 1 s",
            f"{took:.1f} s, {cpu:.1f} s of CPU, {memory:.0f} MiB / {first:.2f} s with the command's start",
            took <= 30 and first <= 1,
        )
    ]


def _timed(redriver: Redriver, *arguments: str) -> tuple[float, float, float]:
    """Run a command; returns seconds, seconds of CPU, and MiB of memory at most."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    done = subprocess.run(
        ["bash", "-c", _PEAK, "timed", *redriver.command(*arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=redriver.environment(),
    )
    took = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    peak = re.search(r"VmHWM (\d+)", done.stdout)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return took, cpu, int(peak[1]) / _MIB if peak else 0.0
