"""A command loads what it needs, so that whoever asks for the version or for help does not wait for the rest."""

from __future__ import annotations

import subprocess
import sys

import pytest

from keywatch.cli.command import COMMANDS

# Loading all of it took 0.6 s of CPU, loading this much 0.05 s.
_CODE = """
import atexit, sys
before = set(sys.modules)
def tell():
    sys.stderr.write(" ".join(sorted(set(sys.modules) - before)))
atexit.register(tell)
from keywatch.cli.begin import main
sys.exit(main(sys.argv[1:]))
"""


def loaded(*arguments: str) -> set[str]:
    """Return which modules a command loaded, after those of Python's own start."""
    done = subprocess.run(
        [sys.executable, "-c", _CODE, *arguments], capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode in {0, 2}, done.stderr
    return set(done.stderr.split())


@pytest.mark.parametrize("flag", ["--version", "--help"])
def test_the_version_and_the_help_need_no_other_package_and_no_command(flag: str) -> None:
    modules = loaded(flag)
    packages = {name.partition(".")[0] for name in modules} - set(sys.stdlib_module_names)
    assert packages == {"keywatch"}
    assert not modules & {"asyncio", "ssl", "http.client", "logging"}
    assert not {name for name in modules if name.removeprefix("keywatch.cli.") in COMMANDS}
    assert len(modules) < 80


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_a_command_loads_no_other(command: str) -> None:
    modules = loaded(command, "--help")
    others = set(COMMANDS) - {command}
    assert f"keywatch.cli.{command}" in modules
    assert not {name for name in modules if name.removeprefix("keywatch.cli.") in others}
