"""The wheel built from this tree, installed alone into an environment of its own beside this one's dependencies."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parents[2]
_SECONDS = 300.0


class Installed:
    """A context manager that enters with the wheel built and installed: `wheel` is its file, `packages` its place."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="keywatch-wheel-")
        self.folder = Path(self._folder.name)
        self.python = self.folder / "venv" / "bin" / "python"

    def __enter__(self) -> Self:
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        built = self.folder / "dist"
        # The build reads the tree and writes nothing into it.
        _run([*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(built), str(ROOT)])
        (self.wheel,) = built.glob("*.whl")
        _run([sys.executable, "-m", "venv", "--without-pip", str(self.folder / "venv")])
        site = sysconfig.get_path("purelib", vars={"base": str(self.folder / "venv")})
        self.packages = Path(site)
        # A folder that a .pth file names has its own .pth files passed over: the tree's editable install is not there.
        (self.packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
        _run([*pip, "--python", str(self.python), "install", "--no-deps", "--no-index", str(self.wheel)])
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._folder.cleanup()

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run an installed command, or with `python` first the interpreter, in an empty folder; the tree is far."""
        empty = self.folder / "empty"
        empty.mkdir(exist_ok=True)
        return subprocess.run(
            [str(self.python.with_name(command[0])), *command[1:]],
            cwd=empty,
            env={name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
