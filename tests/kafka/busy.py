"""Keeps all cores busy for a while, as a machine does that has more to do than to watch Kafka."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def busy_cores() -> Iterator[None]:
    """Run a process on each core that does nothing but compute."""
    ended = multiprocessing.Event()
    processes = [
        multiprocessing.Process(target=_spin, args=(ended,), daemon=True) for _ in range(multiprocessing.cpu_count())
    ]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        ended.set()
        for process in processes:
            process.join()


def _spin(ended: object) -> None:
    while not ended.is_set():  # type: ignore[attr-defined] # multiprocessing's events have no type that can be named
        for _ in range(100_000):
            pass
