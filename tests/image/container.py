"""Builds the image with buildah and runs programs in a container of it, on a network of its own."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).parents[2]
_BUILD_SECONDS, _RUN_SECONDS = 600.0, 60.0
# A fresh network namespace has a loopback that is down; not every machine has `ip` to bring it up.
_LOOPBACK_UP = (
    "import fcntl, os, socket, struct, sys;"
    "fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sH14x', b'lo', 0x41));"
    "os.execvp(sys.argv[1], sys.argv[1:])"
)


def requirements_missing() -> str | None:
    """Say why no image can be built here; None when it can."""
    if os.geteuid() != 0:
        return "an image is built by root only"
    missing = [tool for tool in ("buildah", "debootstrap", "unshare") if shutil.which(tool) is None]
    return f"there is no {' and no '.join(missing)}" if missing else None


class Container:
    """A container of a freshly built image; a context manager that removes both."""

    def __init__(self) -> None:
        self.tag = f"keywatch-test:{secrets.token_hex(6)}"
        self._environment = {**os.environ, "BUILDAH_ISOLATION": "chroot"}
        self._name = ""

    def __enter__(self) -> Self:
        command = [str(ROOT / "deploy" / "image" / "build.sh"), "--debootstrap", self.tag]
        built = subprocess.run(command, capture_output=True, text=True, timeout=_BUILD_SECONDS, check=False)
        assert built.returncode == 0, (built.stdout + built.stderr)[-4000:]
        # The script chose what the machine can do; images are only seen by the driver that stored them.
        self._environment["STORAGE_DRIVER"] = built.stdout.split()[-1]
        self._name = self._buildah("from", "--pull=never", self.tag).strip()
        self.files = Path(self._buildah("mount", self._name).strip())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._buildah("rm", self._name)
        self._buildah("rmi", self.tag)

    def inspect(self) -> dict[str, Any]:
        """Return the image's configuration in Docker's form."""
        found: dict[str, Any] = json.loads(self._buildah("inspect", "--type", "image", self.tag))["Docker"]
        return found

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command as the image's user, with no network but a loopback of its own."""
        inside = ["buildah", "run", self._name, "--", *command]
        return subprocess.run(
            ["unshare", "--net", sys.executable, "-c", _LOOPBACK_UP, *inside],
            capture_output=True,
            text=True,
            timeout=_RUN_SECONDS,
            env=self._environment,
            check=False,
        )

    def _buildah(self, *arguments: str) -> str:
        done = subprocess.run(
            ["buildah", *arguments], capture_output=True, text=True, env=self._environment, check=True
        )
        return done.stdout
