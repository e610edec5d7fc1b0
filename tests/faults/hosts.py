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
_MOUNT_RESOLVER = 'mount --bind "$0.dns" /etc/nsswitch.conf && mount --bind "$0.resolver" /etc/resolv.conf && exec "$@"'


def name(node: int, zone: str = _DOMAIN) -> str:
    """Return a broker's name."""
    return f"broker-{node}.{zone}"


def write(file: Path, nodes: Iterable[int]) -> None:
    """Return names to these nodes alone, at once; the file stays the same one, as it is mounted."""
    lines = ["127.0.0.1 localhost", *(f"127.0.0.{node} {name(node)}" for node in nodes)]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    file.with_suffix(".switch").write_text("hosts: files\n", encoding="utf-8")


def wrapper(file: Path) -> Sequence[str]:
    """Return what stands before a command that is to see `file` as /etc/hosts."""
    return ["unshare", "--mount", "sh", "-c", _MOUNT, str(file)]


def asking(file: Path, server: str) -> Sequence[str]:
    """Return what stands before a command that is to ask this name `server` alone; `file` is what its files begin with.

    Nothing is set but the server, so that the system waits as long as it does everywhere.
    """
    file.with_suffix(".dns").write_text("hosts: files dns\n", encoding="utf-8")
    file.with_suffix(".resolver").write_text(f"nameserver {server}\n", encoding="utf-8")
    return ["unshare", "--mount", "sh", "-c", _MOUNT_RESOLVER, str(file)]


def lacks() -> str:
    """Return the reason why this machine allows no mount namespace; empty when it does."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return "a mount namespace needs root and unshare: run it as root"
    done = subprocess.run(["unshare", "--mount", "true"], capture_output=True, text=True, check=False, timeout=10)
    return done.stderr.strip()
