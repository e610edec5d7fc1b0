"""The log waits for nobody: lines are handed over, written by a thread, and those that find no room are counted."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import select
import threading
from collections.abc import Iterator
from typing import IO, cast

import pytest

from keywatch.config.web import Log
from keywatch.engine import supervised
from keywatch.engine.supervised import Part
from keywatch.service import log_setup
from keywatch.service.log_writer import LogWriter
from tests.kafka.waiting import wait_until


@pytest.fixture
def pipe() -> Iterator[tuple[int, IO[str]]]:
    """Return both ends of a pipe that nobody reads."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        yield reading, stream
    with contextlib.suppress(OSError):
        os.close(reading)


def say(writer: LogWriter, words: str) -> None:
    writer.handle(logging.LogRecord("x", logging.INFO, "x.py", 1, words, (), None))


def flood(writer: LogWriter) -> None:
    for _ in range(1000):
        say(writer, "x" * 1000)


def test_lines_come_out_whole_and_in_order(pipe: tuple[int, IO[str]]) -> None:
    writer = LogWriter(pipe[1])
    for number in range(100):
        say(writer, f"line {number}")
    writer.flush()
    assert os.read(pipe[0], 65536).decode().splitlines() == [f"line {number}" for number in range(100)]
    assert writer.lost == 0


@pytest.mark.parametrize("blocking", [True, False])
def test_a_full_pipe_holds_up_nobody_and_what_finds_no_room_is_lost(
    pipe: tuple[int, IO[str]], *, blocking: bool
) -> None:
    os.set_blocking(pipe[1].fileno(), blocking)
    writer = LogWriter(pipe[1], most_lines=100)
    said = threading.Thread(target=flood, args=(writer,))
    said.start()
    said.join(10)
    assert not said.is_alive()
    assert 1000 - 100 - 70 <= writer.lost < 1000  # a pipe holds 64 KiB
    while writer._done[0] < writer._taken[0]:
        if select.select([pipe[0]], [], [], 0.1)[0]:
            os.read(pipe[0], 65536)
    lost = writer.lost
    say(writer, "again")
    writer.flush()
    assert writer.lost == lost, "it writes on once somebody reads"


def test_what_waits_is_bounded_in_bytes_too(pipe: tuple[int, IO[str]]) -> None:
    writer = LogWriter(pipe[1], most_bytes=300_000)
    for _ in range(10):
        say(writer, "x" * 100_000)
    assert writer.lost >= 6
    assert writer._taken[1] - writer._done[1] <= 300_000


def test_a_line_without_end_is_cut() -> None:
    stream = io.StringIO()
    writer = LogWriter(stream)
    say(writer, "x" * 10_000_000)
    writer.flush()
    assert len(stream.getvalue()) < 300_000
    assert stream.getvalue().endswith(" [cut]\n")


def test_a_reader_that_went_costs_lines_and_nothing_else(pipe: tuple[int, IO[str]]) -> None:
    writer = LogWriter(pipe[1])
    os.close(pipe[0])
    for _ in range(3):
        say(writer, "x")
    wait_until(lambda: writer.lost == 3, 10, "they are counted")


def test_words_that_do_not_fit_their_figures_are_a_lost_line() -> None:
    writer = LogWriter(io.StringIO())
    writer.handle(logging.LogRecord("x", logging.INFO, "x.py", 1, "%d", ("no number",), None))
    assert writer.lost == 1


def test_a_writer_that_died_is_followed_by_another() -> None:
    stream = io.StringIO()
    writer = LogWriter(stream)
    before = supervised.counts()[Part.LOG]
    writer._lines.put(cast(bytes, None))
    wait_until(lambda: supervised.counts()[Part.LOG] == before + 1, 10, "it is counted")
    wait_until(lambda: not writer._thread.is_alive(), 10, "its thread ended")
    say(writer, "again")
    wait_until(lambda: stream.getvalue() == "again\n", 10, "it writes on")


def test_a_change_of_the_configuration_keeps_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    monkeypatch.setattr("sys.stderr", io.StringIO())
    try:
        log_setup.set_up(Log(format="json"))
        (first,) = root.handlers
        log_setup.set_up(Log(format="text", level="error"))
        assert root.handlers == [first]
        assert isinstance(first.formatter, log_setup.TextFormatter)
        lost = log_setup.LostLines()
        assert [sample.value for sample in lost()] == [0.0]
        cast(LogWriter, first)._refused = 3
        assert [sample.value for sample in lost()] == [3.0]
        assert [sample.value for sample in lost()] == [0.0]
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.captureWarnings(capture=False)
