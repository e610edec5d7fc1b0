"""Keycloak's own database engine (H2) as a server apart from Keycloak, so that it alone can die or stand still."""

from __future__ import annotations

import socket
from pathlib import Path

from tests.kafka import distribution as kafka
from tests.kafka.process import ServerProcess
from tests.kafka.waiting import wait_until

_HOST = "127.0.0.1"
_JVM = ("-Xms16m", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData")


class Database(ServerProcess):
    """Serves the database that lies in a Keycloak's `home` to that Keycloak."""

    def __init__(self, folder: Path, home: Path, port: int) -> None:
        super().__init__("Keycloak's database", folder, folder / "database.log")
        self._home = home
        self._port = port

    @property
    def url(self) -> str:
        """Return what Keycloak takes as `--db-url`; it gives its embedded database the same setting."""
        return f"jdbc:h2:tcp://{_HOST}:{self._port}/./keycloakdb;NON_KEYWORDS=VALUE"

    def start(self, deadline: float = 120.0) -> None:
        """Start the process and wait until it accepts connections. Raises `TimeoutError`."""
        java = kafka.java()
        if java is None:
            raise kafka.DistributionError("there is no java on the PATH")
        jar = next((self._home / "lib" / "lib" / "main").glob("com.h2database.h2-*.jar"))
        where = [f"-Dh2.bindAddress={_HOST}", f"-Djava.io.tmpdir={self.folder}", "-cp", str(jar)]
        serve = ["org.h2.tools.Server", "-tcp", "-tcpPort", str(self._port)]
        self.launch([java, *_JVM, *where, *serve, "-baseDir", str(self._home / "data" / "h2")])
        wait_until(self._accepts, deadline, f"{self.title} accepts connections")

    def _accepts(self) -> bool:
        try:
            socket.create_connection((_HOST, self._port), 1).close()
        except OSError:
            return False
        return True
