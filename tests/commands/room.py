"""A room of its own for commands: namespaces in which a document's hosts, ports and files are those that it names.

What runs in it sees a loopback that nobody else uses, processes of its own, and copies of `/etc` and of the tree; its
end ends them all.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.exporter.documents.tree import ROOT
from tests.kafka import distribution
from tests.prometheus import server

_NEEDED = ("unshare", "mount", "ip", "jq", "openssl", "javac", "jcmd", "prometheus", "promtool", "amtool", "ss", "lsof")
_PROBE = "ip link set lo up && mount -t tmpfs none /mnt && mount --bind /etc /mnt"
_UNSHARE = (
    "unshare",
    "--net",
    "--mount",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
    "--propagation",
    "private",
)


def missing() -> str:
    """Say what this machine lacks for such a room; empty when nothing."""
    if os.geteuid() != 0:
        return "namespaces with hosts and files of their own are made by root only"
    if lacking := [program for program in _NEEDED if shutil.which(program) is None]:
        return f"there is no {', no '.join(lacking)}"
    if words := distribution.requirements_missing() or server.missing():
        return words
    tried = subprocess.run([*_UNSHARE, "sh", "-c", _PROBE], capture_output=True, text=True, check=False)
    return f"no namespaces: {tried.stderr.strip()}" if tried.returncode else ""


class Room:
    """A context manager that enters with all servers up."""

    def __init__(self, tools: Path) -> None:
        self._tools = tools
        self._folder = tempfile.TemporaryDirectory(prefix="keywatch-room-")
        self._inside: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        folder = Path(self._folder.name)
        folder.chmod(0o755)
        command = [*_UNSHARE, sys.executable, "-m", "tests.commands.inside", str(folder), str(self._tools)]
        with (folder / "log").open("wb") as log:
            self._inside = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )
        with contextlib.ExitStack() as failed:
            failed.callback(self._end)
            self._said()
            failed.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end()

    def _end(self) -> None:
        """End the first process of the room, and with it the kernel ends the others."""
        if self._inside is not None:
            with self._inside as process:
                process.kill()
        self._folder.cleanup()

    def run(self, command: str) -> dict[str, Any]:
        """Run a command as a shell would; return `code`, `out` and `err`."""
        assert self._inside is not None
        assert self._inside.stdin is not None
        self._inside.stdin.write(f"{json.dumps(command)}\n")
        self._inside.stdin.flush()
        return self._said()

    def _said(self) -> dict[str, Any]:
        assert self._inside is not None
        assert self._inside.stdout is not None
        line = self._inside.stdout.readline()
        if not line:
            log = (Path(self._folder.name) / "log").read_text(errors="replace")[-4000:]
            raise RuntimeError(f"the room ended:\n{log}")
        found: dict[str, Any] = json.loads(line)
        return found
