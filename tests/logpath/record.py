"""Records what the dashboard of logs shows: minutes of calm on the path of logs, then one trouble after the other.

`python -m tests.logpath.record` writes tests/dashboards/recording-logs.tar.xz and .json; ten minutes.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

import yaml

from tests.dashboards.record import HERE, config, hold, keep, say
from tests.logpath.log_path import LogPath, log_path
from tests.logpath.refusals import read_only, refusing
from tests.logpath.traffic import Traffic
from tests.prometheus.server import Prometheus

BLOCKS = HERE / "recording-logs.tar.xz"
_STREAM = "logs-keycloak.user_event-default"
_RATE = 5.0
# As long as a rate looks back, and what a panel draws of it.
_CALM_SECONDS = 120.0
_RECOVERY_SECONDS = 90.0


class Play:
    """The row of troubles, each until it is over."""

    def __init__(self, path: LogPath) -> None:
        """Take a path that is well."""
        self._path = path
        self.moments: dict[str, tuple[float, float]] = {}

    def run(self) -> None:
        """Have minutes of calm, then each trouble, and calm between them."""
        path = self._path
        with self._scene("all"):
            path.exporter.until(LogPath.nearly_calm, _RECOVERY_SECONDS, "the first are found")
            with self._scene("calm"):
                hold(_CALM_SECONDS)
            for name, trouble, seconds in (
                ("Logstash stopped", self._stopped, 60),
                ("documents held back", self._held, 60),
                ("documents refused", lambda: refusing(path.opensearch, _STREAM), 45),
                ("index read-only", lambda: read_only(path.opensearch, _STREAM), 45),
                ("redaction fails", self._unredacted, 20),
                ("OpenSearch frozen", self._frozen, 60),
            ):
                with self._scene(name):
                    self._make(trouble, seconds)
                hold(15)

    @contextlib.contextmanager
    def _scene(self, name: str) -> Iterator[None]:
        begun = time.time()
        say(f"{time.strftime('%X')} {name}")
        yield
        self.moments[name] = (begun, time.time())

    def _make(self, trouble: Callable[[], contextlib.AbstractContextManager[None]], seconds: float) -> None:
        with trouble():
            hold(seconds)
        self._path.exporter.until(LogPath.nearly_calm, _RECOVERY_SECONDS, "what waited is found")

    @contextlib.contextmanager
    def _stopped(self) -> Iterator[None]:
        self._path.carrier.stop_reading()
        self._path.interface.stop()
        yield
        self._path.interface.start()
        self._path.carrier.read()

    @contextlib.contextmanager
    def _held(self) -> Iterator[None]:
        self._path.carrier.hold()
        yield
        self._path.carrier.release()

    @contextlib.contextmanager
    def _unredacted(self) -> Iterator[None]:
        self._path.ruby.out_of_order("redact.rb")
        yield
        self._path.ruby.out_of_order(None)

    @contextlib.contextmanager
    def _frozen(self) -> Iterator[None]:
        self._path.opensearch.freeze_all()
        yield
        self._path.opensearch.thaw_all()


def main() -> int:
    """Record."""
    with (
        log_path(lag_period=1.0) as path,
        Traffic(path.kafka.bootstrap, _RATE),
        Prometheus(_watching(path), "--web.enable-admin-api") as recorder,
    ):
        play = Play(path)
        play.run()
        keep(recorder.snapshot(), play.moments, BLOCKS)
    return 0


def _watching(path: LogPath) -> str:
    """Return the configuration of other recordings without the job of a Keycloak, which is not here."""
    data = yaml.safe_load(config(f"127.0.0.1:{path.exporter.port}", ""))
    data["scrape_configs"] = [job for job in data["scrape_configs"] if job["job_name"] != "keycloak"]
    return yaml.safe_dump(data)


if __name__ == "__main__":
    sys.exit(main())
