"""A test that hangs fails in time, with the stack of each thread, whatever it hangs in, and takes no other with it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kafka import guard
from tests.kafka.waiting import wait_until

ROOT = Path(__file__).parents[1]
HANGS = """
import asyncio, threading, time
import pytest

pytestmark = pytest.mark.timeout(1)

def test_alone():
    threading.Thread(target=lambda: time.sleep(3), name="beside").start()
    time.sleep(100)

async def test_on_the_loop():
    await asyncio.sleep(100)

@pytest.fixture
def late():
    yield
    time.sleep(100)

def test_afterwards(late):
    pass

def test_of_another_kind():
    pass
"""


def run_pytest(folder: Path, text: str) -> str:
    """Run a file of tests with the time-outs of this suite, in a worker, and give what was said."""
    file = folder / "test_hangs.py"
    file.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-n", "1", "-c", str(ROOT / "pyproject.toml"), "-p", "tests.conftest"]
    done = subprocess.run([*command, str(file)], cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)
    return done.stdout + done.stderr


def test_what_hangs_fails_with_the_stacks_and_the_others_go_on(tmp_path: Path) -> None:
    said = run_pytest(tmp_path, HANGS)
    assert re.search(r"2 failed, 2 passed, 1 error in", said), said
    failed = set(re.findall(r"^(?:FAILED|ERROR) .*::(\w+)", said, re.MULTILINE))
    assert failed == {"test_alone", "test_on_the_loop", "test_afterwards"}, said
    assert said.count("not done within 1 s") >= 3
    assert re.search(r"^beside:$", said, re.MULTILINE), "the other threads are shown"


REPORTS_SLOWLY = """
import time
import pytest

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item, call):
    if call.when == "setup" and item.name == "test_reported_late":
        time.sleep(2)
"""
REPORTED_LATE = """
import time
import pytest

@pytest.mark.timeout(1)
def test_reported_late():
    time.sleep(100)

def test_of_another_kind():
    pass
"""


def test_a_time_that_ends_between_the_phases_ends_the_test_and_not_the_run(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(REPORTS_SLOWLY, encoding="utf-8")
    said = run_pytest(tmp_path, REPORTED_LATE)
    assert "INTERNALERROR" not in said
    assert re.search(r"1 failed, 1 passed in", said), said


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=str)
def test_nothing_that_a_test_process_started_outlives_it(number: signal.Signals) -> None:
    script = """
        import subprocess, sys
        from tests.kafka import guard
        kept = guard.everything()
        print(subprocess.Popen(["sleep", "600"], start_new_session=True).pid, flush=True)
        sys.stdin.read()
    """
    command = [sys.executable, "-c", "\n".join(line.strip() for line in script.splitlines())]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        left = int(child.stdout.readline())
        # Right after exec it is empty for a moment.
        environment = wait_until(Path(f"/proc/{left}/environ").read_bytes, 15, "it has an environment")
        mark = next(one for one in environment.split(b"\0") if b"KEYWATCH_TEST" in one)
        assert guard.marked(os.fsdecode(mark)) == [left]
        child.send_signal(number)
    wait_until(lambda: not guard.marked(os.fsdecode(mark)), 15, "it is gone")
