"""keywatch works however it is started: descriptors closed, a log that nobody reads, a SIGHUP at once."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.exporter.commands import keywatch
from tests.kafka.exporter_process import Scrape
from tests.kafka.ports import PortReservation
from tests.kafka.waiting import wait_until

_F_SETPIPE_SZ = 1031
_KEYWATCH = [sys.executable, "-m", "keywatch"]
_SHUT = "127.0.0.1:1"


class Serving:
    """`keywatch serve` on a cluster that is not there."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self._port = port

    def get(self, path: str = "/metrics") -> str:
        """Return a page; raises `OSError`."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=5) as answer:
            return str(answer.read().decode())

    def answers(self) -> bool:
        """Return whether it says that it is alive."""
        with contextlib.suppress(OSError):
            return self.get("/-/healthy") == "keywatch is healthy\n"
        assert self.process.poll() is None, f"it ended with {self.process.poll()}"
        return False

    def value(self, name: str, **labels: str) -> float:
        """Return the value of a series, 0 without one."""
        return Scrape(0, 0, self.get()).value(name, **labels) or 0.0

    def end(self) -> int:
        """Have it end and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


@contextlib.contextmanager
def serving(
    *flags: str, closed: tuple[int, ...] = (), config: Path | None = None, stderr: int | None = None
) -> Iterator[Serving]:
    """Start it with these descriptors closed."""
    with contextlib.closing(PortReservation()) as ports:
        port = ports.take("127.0.0.1")
        watched = ["--config.file", str(config)] if config else ["--kafka", _SHUT]
        command = [*_KEYWATCH, "serve", *watched, "--web.listen-address", f"127.0.0.1:{port}", *flags]
        if closed:
            closing = " ".join(f"{number}{'<' if number == 0 else '>'}&-" for number in closed)
            command = ["sh", "-c", f'exec "$@" {closing}', "sh", *command]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stderr or subprocess.DEVNULL) as process:
            try:
                yield Serving(process, port)
            finally:
                process.kill()


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)], ids=str)
def test_it_serves_and_ends_well_with_descriptors_closed(closed: tuple[int, ...]) -> None:
    with serving(closed=closed) as exporter:
        wait_until(exporter.answers, 30, "it answers")
        wait_until(lambda: exporter.value("keywatch_probe_success", probe="cluster") == 0, 10, "it probes")
        for number in closed:
            descriptor = Path(f"/proc/{exporter.process.pid}/fd/{number}")
            assert str(descriptor.readlink()) == "/dev/null"
        assert exporter.end() == 0


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)], ids=str)
def test_other_commands_keep_their_exit_code_with_descriptors_closed(closed: tuple[int, ...]) -> None:
    closing = " ".join(f"{number}{'<' if number == 0 else '>'}&-" for number in closed)
    for arguments, code in ((["metrics"], 0), (["check", "--kafka", "no address"], 2)):
        command = ["sh", "-c", f'exec "$@" {closing}', "sh", *_KEYWATCH, *arguments]
        done = subprocess.run(command, capture_output=True, timeout=60, check=False)
        assert done.returncode == code
        assert b"Traceback" not in done.stderr


def test_a_command_whose_reader_goes_ends_without_a_trace() -> None:
    shell = f"{sys.executable} -m keywatch config example | head -1"
    done = subprocess.run(["sh", "-c", shell], capture_output=True, timeout=60, check=False)
    assert done.returncode == 0
    assert done.stderr == b""


def test_a_log_that_nobody_reads_holds_up_nothing() -> None:
    reading, writing = os.pipe()
    try:
        fcntl.fcntl(writing, _F_SETPIPE_SZ, 4096)
        os.set_blocking(writing, False)
        with contextlib.suppress(BlockingIOError):
            while os.write(writing, b"x" * 512):
                pass
        os.set_blocking(writing, True)
        with serving("--log.level", "debug", "--log.format", "json", stderr=writing) as exporter:
            wait_until(exporter.answers, 30, "it answers")
            lost = "keywatch_log_lines_lost_total"
            runs = "keywatch_probe_last_run_timestamp_seconds"
            wait_until(lambda: exporter.value("keywatch_probe_success", probe="cluster") == 0, 10, "it probes")
            before = exporter.value(runs, probe="cluster")
            wait_until(lambda: exporter.value(runs, probe="cluster") > before + 2, 10, "it goes on probing")
            assert exporter.value(lost) == 0, "ten thousand lines may wait"
            assert exporter.end() == 0
    finally:
        os.close(reading)
        os.close(writing)


def test_a_log_whose_reader_went_holds_up_nothing_and_its_lines_are_counted() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with serving(stderr=writing) as exporter:
        wait_until(exporter.answers, 30, "it answers")
        wait_until(lambda: exporter.value("keywatch_log_lines_lost_total") > 0, 20, "lines are counted")
        assert exporter.end() == 0
    os.close(writing)


def test_a_hangup_at_once_after_the_start_is_kept_until_it_can_be_obeyed(tmp_path: Path) -> None:
    file = tmp_path / "keywatch.yml"
    file.write_text(f"clusters: [{{bootstrap: ['{_SHUT}']}}]\n", encoding="utf-8")
    log = tmp_path / "log"
    with log.open("wb") as errors, serving("--log.format", "json", config=file, stderr=errors.fileno()) as exporter:
        # As soon as it is Python that runs, and not the shell or its loader.
        maps = Path(f"/proc/{exporter.process.pid}/status")
        wait_until(lambda: int(_caught(maps), 16) & 1 << (signal.SIGHUP - 1), 20, "it keeps the signal")
        assert not log.read_bytes(), "nothing is at work yet"
        for _ in range(3):
            exporter.process.send_signal(signal.SIGHUP)
        wait_until(exporter.answers, 30, "it answers")
        wait_until(lambda: b"configuration read anew" in log.read_bytes(), 10, "it reads the configuration anew")
        assert log.read_bytes().count(b"configuration read anew") == 1
        assert exporter.end() == 0


def _caught(status: Path) -> str:
    return next(line.split()[1] for line in status.read_text().splitlines() if line.startswith("SigCgt:"))


def test_other_commands_end_by_a_hangup(tmp_path: Path) -> None:
    file = tmp_path / "keywatch.yml"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        # A broker that never answers and is waited for, so that there is no verdict before the signal.
        patient = {"timeout": 60, "period": 60}
        cluster = {"name": "c", "bootstrap": [f"127.0.0.1:{silent.getsockname()[1]}"]}
        sections = dict.fromkeys(("broker", "cluster"), patient)
        file.write_text(json.dumps({"clusters": [{**cluster, **sections}]}), encoding="utf-8")
        # Whoever runs the tests may ignore the signal, as nohup does, and hand that on.
        command = ["env", "--default-signal=HUP", *_KEYWATCH, "check", "--config.file", str(file), "--within", "120"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            status = Path(f"/proc/{process.pid}/status")
            wait_until(lambda: _caught(status) != "0" * 16, 20, "it runs")
            process.send_signal(signal.SIGHUP)
            assert process.wait(60) == -signal.SIGHUP
        finally:
            process.kill()
            process.wait()


def test_a_name_that_the_terminal_cannot_show_ends_no_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    done = keywatch("check", "--kafka", "küche:x")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
