"""A real Alertmanager of a test's own."""

from __future__ import annotations

import os
import shutil

from tests.kafka.own_server import OwnServer
from tests.kafka.waiting import wait_until
from tests.keycloak.health import status_of

_HOST = "127.0.0.1"


class Alertmanager(OwnServer):
    """Runs with a configuration, alone."""

    def __init__(self, config: str = "") -> None:
        super().__init__("alertmanager", "alertmanager")
        self.config = config
        """Taken at the next start."""
        self.address = f"{_HOST}:{self._ports.take(_HOST)}"
        self.make_folder()

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.spawn()
        self.wait_ready()

    def spawn(self) -> None:
        """Start it and do not wait."""
        file = self.folder / "alertmanager.yml"
        file.write_text(self.config, encoding="utf-8")
        self.launch(
            [
                # Named by its path, so that the guard finds it should this process die.
                os.fspath(shutil.which("prometheus-alertmanager") or "prometheus-alertmanager"),
                f"--config.file={file}",
                f"--storage.path={self.folder}/silences",
                "--cluster.listen-address=",
                f"--web.listen-address={self.address}",
            ]
        )

    def wait_ready(self) -> None:
        """Wait until it answers; raises `RuntimeError` when it ends instead."""
        ready = f"http://{self.address}/-/ready"
        wait_until(lambda: not self.running or status_of(ready) == 200, 60, "alertmanager is ready")
        if not self.running:
            raise RuntimeError(f"alertmanager ended at its start\n{self.last_words()}")
