"""Gives keywatch names of its own for the brokers, in a mount namespace, so that the machine's stay as they are."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

_DOMAIN = "keywatch.test"
# Names are looked up in the file alone: what the machine asks beside is not part of the fault.
_MOUNT = 'mount --bind "$0" /etc/hosts && mount --bind "$0.switch" /etc/nsswitch.conf && exec "$@"'


def name(node: int) -> str:
    """Return a broker's name."""
    return f"broker-{node}.{_DOMAIN}"


def write(file: Path, nodes: Iterable[int]) -> None:
    """Return names to these nodes alone, at once; the file stays the same one, as it is mounted."""
    lines = ["127.0.0.1 localhost", *(f"127.0.0.{node} {name(node)}" for node in nodes)]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    file.with_suffix(".switch").write_text("hosts: files\n", encoding="utf-8")


def wrapper(file: Path) -> Sequence[str]:
    """Return what stands before a command that is to see `file` as /etc/hosts."""
    return ["unshare", "--mount", "sh", "-c", _MOUNT, str(file)]


def lacks() -> str:
    """Return the reason why this machine allows no mount namespace; empty when it does."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return "a mount namespace needs root and unshare: run it as root"
    done = subprocess.run(["unshare", "--mount", "true"], capture_output=True, text=True, check=False, timeout=10)
    return done.stderr.strip()
