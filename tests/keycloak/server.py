"""Runs a real Keycloak of a test's own, with the faults that it can suffer, and ends it without a trace."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.kafka.own_server import OwnServer, link
from tests.kafka.waiting import wait_until
from tests.keycloak import distribution
from tests.keycloak.database import Database
from tests.keycloak.health import status_of
from tests.keycloak.listener_control import ListenerControl
from tests.keycloak.preparation import prepared

_HOST = "127.0.0.1"
_START = ("start", "--optimized", "--http-enabled=true", "--hostname-strict=false", "--cache=local")
# Each question that comes before it is ready leaves a line, and each producer its hundred settings.
_CALM = ("--log-level-io.smallrye.health=warn", "--log-level-org.apache.kafka=warn")
# Written to by a running Keycloak, so a copy is made of them; all else is shared with the cache.
_OWN = ("data", "conf")


class KeycloakStartError(Exception):
    """Keycloak ended, or was not ready in time; the message carries the last lines of its log."""


class KeycloakServer(OwnServer):
    """One Keycloak with the tests' event listener in it; a context manager that enters ready.

    `kafka` is where the listener writes (`host:port,…`; None: it only counts), `profile` the form in which it does so
    (`scriptonbasestar` or `snuk87`; `listener.order` can change it), and `producer` holds settings of its producer
    beyond those of the listeners of the field. With `own_database` the database is a server of its own
    (`self.database`), which can be killed or frozen apart from Keycloak. A server that was made holds ports, so it
    must be stopped for good by `close`, also when it never started.
    """

    def __init__(
        self,
        kafka: str | None = None,
        *,
        profile: str = "scriptonbasestar",
        producer: Mapping[str, str] | None = None,
        options: Sequence[str] = (),
        own_database: bool = False,
    ) -> None:
        super().__init__("Keycloak", "keycloak")
        self.options = list(options)
        """Options of `kc.sh start` beyond the harness's own; take effect at the next start."""
        self.port = self._ports.take(_HOST)
        self.management_port = self._ports.take(_HOST)
        control = self._ports.take(_HOST)
        self.listener = ListenerControl(_HOST, control)
        self.database = Database(self.folder, self._home, self._ports.take(_HOST)) if own_database else None
        wanted = {"control.port": str(control), "profile": profile}
        wanted |= {"bootstrap": kafka} if kafka is not None else {}
        wanted |= {f"producer.{name}": value for name, value in (producer or {}).items()}
        self._properties = [f"-Dkeywatch.listener.{name}={value}" for name, value in wanted.items()]

    @property
    def url(self) -> str:
        """Return where users and administrators go."""
        return f"http://{_HOST}:{self.port}"

    @property
    def management_url(self) -> str:
        """Return where health and metrics are; https when the options name a certificate for it."""
        secured = any("certificate-file" in option for option in self.options)
        return f"{'https' if secured else 'http'}://{_HOST}:{self.management_port}"

    def start(self, deadline: float = 400.0) -> None:
        """Start the process, after preparing its folder if it has none, and wait until it is ready (seconds).

        Raises `KeycloakStartError`, and `DistributionError` when there is no Keycloak to start.
        """
        self.spawn()
        self.wait_ready(deadline)

    def spawn(self) -> None:
        """Start the process and do not wait. Raises `RuntimeError` when it runs already."""
        if not self.has_folder:
            source = prepared()
            self.make_folder()
            _copy(source, self._home)
        if self.database is not None and not self.database.running:
            self.database.start()
        temporary = self.folder / "tmp"
        temporary.mkdir(exist_ok=True)
        listening = (
            f"--http-host={_HOST}",
            f"--http-port={self.port}",
            f"--http-management-port={self.management_port}",
        )
        database = (f"--db-url={self.database.url}",) if self.database is not None else ()
        java = distribution.command(self._home, temporary, self._properties)
        self.launch([*java, *_START, *_CALM, *listening, *database, *self.options])

    def wait_ready(self, deadline: float = 400.0) -> None:
        """Wait until Keycloak takes logins, which is later than it is alive and started.

        Raises `KeycloakStartError` after `deadline` seconds or at the end of the process.
        """
        url = f"{self.management_url}/health/ready"
        try:
            wait_until(lambda: not self.running or status_of(url) == 200, deadline, "Keycloak is ready")
        except TimeoutError as error:
            raise KeycloakStartError(f"{error}\n{self.last_words()}") from error
        if not self.running:
            raise KeycloakStartError(f"Keycloak ended at its start\n{self.last_words()}")

    def restart(self, deadline: float = 400.0) -> None:
        """Stop Keycloak in good order if it runs, and start it; `deadline` seconds for each half."""
        self.stop(deadline)
        self.start(deadline)

    def end(self) -> None:
        """Kill Keycloak and its database if they run."""
        with contextlib.ExitStack() as ending:
            if self.database is not None and self.database.running:
                ending.callback(self.database.kill)
            ending.callback(super().end)

    @property
    def _home(self) -> Path:
        return self.folder / "keycloak"


def _copy(source: Path, home: Path) -> None:
    """Make a home of its own for a Keycloak: hard links to what never changes, or copies on another file system."""
    shutil.copytree(source, home, copy_function=link, ignore=lambda at, _: _OWN if Path(at) == source else ())
    for name in _OWN:
        shutil.copytree(source / name, home / name)
