"""No command ends with a traceback: not by Ctrl-C, however early, and not by an output or a disk that takes nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from keywatch.assets.export import LEDGER
from keywatch.cli.exit_codes import CANNOT_WRITE, INTERRUPTED
from tests.kafka.waiting import wait_until

_KEYWATCH = [sys.executable, "-m", "keywatch"]
_DASHBOARDS = [sys.executable, "-c", "from keywatch_dashboards.begin import main; raise SystemExit(main())"]
FULL = Path("/dev/full")
COMMANDS = (
    "--version",
    "--help",
    "check --kafka 127.0.0.1:1 --within 1",
    "check --kafka 127.0.0.1:1 --within 1 --json",
    "check --help",
    "config example",
    "config check FILE",
    "metrics",
    "metrics --markdown",
    "rules check RULES",
    "logs lint PIPELINE",
    "assets list",
    "assets export FOLDER --only alerts/rules",
    "demo --kafka 127.0.0.1:1 --seconds 0.1",
)
_ROOT = Path(__file__).parents[3]
# Interrupts itself when a module is looked for, at its turn; says on the last descriptor whether that turn came.
_INTERRUPTED = """
import importlib.abc, os, signal, sys
class Finder(importlib.abc.MetaPathFinder):
    turn = 0
    def find_spec(self, *_):
        if 'keywatch.cli.begin' in sys.modules:
            Finder.turn += 1
            if Finder.turn == int(sys.argv[1]):
                os.write(2, b'interrupted\\n')
                os.kill(os.getpid(), 2)
from keywatch.cli.begin import main
sys.meta_path.insert(0, Finder())
sys.exit(main(sys.argv[2:]))
"""


@pytest.fixture
def arguments(tmp_path: Path) -> dict[str, str]:
    file = tmp_path / "keywatch.yml"
    file.write_text(
        "clusters: [{bootstrap: ['127.0.0.1:1']}]\nweb: {listen_address: '127.0.0.1:0'}\n", encoding="utf-8"
    )
    return {
        "FILE": str(file),
        "FOLDER": str(tmp_path / "assets"),
        "RULES": str(_ROOT / "alerts" / "rules" / "kafka.yml"),
        "PIPELINE": str(_ROOT / "tests" / "logstash" / "good.conf"),
    }


@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_standard_output_that_takes_nothing_is_said_in_a_line(
    command: str, unbuffered: str, arguments: dict[str, str]
) -> None:
    words = [arguments.get(word, word) for word in command.split()]
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with FULL.open("wb") as full:
        done = subprocess.run(
            [*_KEYWATCH, *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=100,
            env=environment,
        )
    assert done.stderr == "standard output: cannot be written: No space left on device\n"
    assert done.returncode == CANNOT_WRITE


@pytest.mark.parametrize("command", ["check --kafka nothing", "config check /nowhere", "check --nothing", "logs"])
def test_a_standard_error_that_takes_nothing_leaves_the_exit_code(command: str) -> None:
    with FULL.open("wb") as full:
        done = subprocess.run([*_KEYWATCH, *command.split()], stderr=full, check=False, timeout=100)
    assert done.returncode == 2


@pytest.mark.parametrize("command", ["--help", "--out FOLDER"])
def test_dashboards_too(command: str, arguments: dict[str, str]) -> None:
    words = [arguments.get(word, word) for word in command.split()]
    with FULL.open("wb") as full:
        done = subprocess.run([*_DASHBOARDS, *words], stdout=full, stderr=full, check=False, timeout=100)
    assert done.returncode in ({CANNOT_WRITE, 0} if command == "--help" else {0})


def test_a_disk_that_is_full_is_named_and_what_was_there_stays(tmp_path: Path) -> None:
    # A limit on the length of files is told like a full disk, and needs no disk of its own.
    folder = tmp_path / "assets"
    command = ["sh", "-c", f'trap "" XFSZ; ulimit -f 8; exec "$@" >{tmp_path}/out', "sh", *_KEYWATCH]
    done = subprocess.run(
        [*command, "assets", "export", str(folder)], capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == CANNOT_WRITE
    assert "cannot be written: File too large\n" in done.stderr
    assert done.stderr.startswith(str(folder))
    assert "Traceback" not in done.stderr
    assert {path.name for path in folder.rglob(".*")} <= {LEDGER}, "nothing half written stays behind"
    again = subprocess.run([*_KEYWATCH, "assets", "export", str(folder)], capture_output=True, check=False, timeout=100)
    assert again.returncode == 0, "the next time it goes on from there"


@pytest.mark.parametrize("command", ["--version", "check --kafka 127.0.0.1:1", "logs search --url http://127.0.0.1:1"])
def test_ctrl_c_while_modules_are_loaded_ends_without_a_word(command: str) -> None:
    turn, step, seen = 1, 7, 0
    while True:
        done = subprocess.run(
            [sys.executable, "-c", _INTERRUPTED, str(turn), *command.split()],
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        if not done.stderr.startswith("interrupted\n"):
            break  # it looked for fewer modules than that
        assert (done.returncode, done.stderr) == (INTERRUPTED, "interrupted\n")
        seen += 1
        turn, step = turn + step, step * 2
    assert seen > 1


@pytest.mark.parametrize("command", ["serve", "check", "demo"])
def test_ctrl_c_while_it_works_ends_without_a_trace(command: str, tmp_path: Path) -> None:
    flags = {"serve": ["--kafka", "127.0.0.1:1", "--web.listen-address", "127.0.0.1:0"], "demo": []}
    waiting = flags.get(command, ["--kafka", "127.0.0.1:1", "--within", "60"])
    out, err = tmp_path / "out", tmp_path / "err"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = subprocess.Popen([*_KEYWATCH, command, *waiting], stdout=stdout, stderr=stderr)
        try:
            threads = Path(f"/proc/{process.pid}/task")
            wait_until(lambda: process.poll() is not None or len(list(threads.iterdir())) > 2, 60, "it works")
            process.send_signal(signal.SIGINT)
            code = process.wait(30)
        finally:
            process.kill()
    assert code in {INTERRUPTED, 0, 1}, "130, or that of a command that had ended by then"
    assert "Traceback" not in err.read_text(errors="replace")
