"""A server of a test's own: its folder, its ports, and an end without a trace."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.kafka.guard import Guard
from tests.kafka.ports import PortReservation
from tests.kafka.process import ServerProcess


class OwnServer(ServerProcess):
    """A context manager that enters ready; `name` is in the folder's name.

    One that was made holds ports, so it must be ended for good by `close`, also when it never started.
    """

    def __init__(self, title: str, name: str) -> None:
        folder = Path(tempfile.gettempdir()) / f"keywatch-{name}-{secrets.token_hex(6)}"
        super().__init__(title, folder, folder / "server.log")
        self._ports = PortReservation()
        self._guard: Guard | None = None

    @property
    def has_folder(self) -> bool:
        """Whether its folder was made."""
        return self._guard is not None

    def make_folder(self, mode: int = 0o700) -> None:
        """Make its folder, guarded from now on: whatever becomes of this process, nothing in it stays behind."""
        self._guard = Guard(self.folder)
        self.folder.mkdir(mode=mode)

    def start(self) -> None:
        """Start the process and wait until it is ready."""
        raise NotImplementedError

    def close(self) -> None:
        """End it at once, remove all data, and give the ports back; also twice."""
        # A stack, so that one step that fails does not keep the others from being done; the last one in goes first.
        with contextlib.ExitStack() as ending:
            if self._guard is not None:
                ending.callback(self._guard.close)
                self._guard = None
            ending.callback(self._ports.close)
            ending.callback(shutil.rmtree, self.folder, ignore_errors=True)
            ending.callback(self.end)

    def end(self) -> None:
        """Kill the process if it runs."""
        if self.running:
            self.kill()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def link(source: str, target: str) -> None:
    """Have a file at another place too, as `shutil.copytree` does: a hard link, or a copy on another file system."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
