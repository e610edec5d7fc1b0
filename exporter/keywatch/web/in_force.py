"""The web configuration in force: read anew when its files change, kept when what they say now cannot be used."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from keywatch.config.yaml_file import ConfigError
from keywatch.engine.looking import Looking
from keywatch.engine.probe import Sample
from keywatch.metrics import exporter as exporter_metrics
from keywatch.web.file import Protection, load

_LOG = logging.getLogger(__name__)
# A file that changed so short a time ago may still be written, and may change again under the same time stamp.
_SETTLES_AFTER = 0.25
# What a bad file needs to become good may be another file, which nobody watches yet.
_TRY_AGAIN_AFTER = 1.0

_Stamp = tuple[tuple[int, int, int] | None, ...]


class InForce:
    """Gives what protects the port now; without a file, nothing does. Files are looked at on a thread."""

    def __init__(self, path: Path | None, clock: Callable[[], float] = time.time) -> None:
        """Read the file for the first time; raises `ConfigError`. `clock` gives Unix time."""
        self._path = path
        self._clock = clock
        self._protection = load(path) if path else Protection()
        self._loaded = clock()
        self._seen: _Stamp | None = None  # so that it is read again: it may have changed while it was read
        self._problem = ""
        self._try_again = 0.0
        # It lives as long as the process does, and so does its thread.
        self._looking = Looking("web-files", self.look) if path else None

    def now(self) -> Protection:
        """Return what holds by what the files said when they were last looked at; asks no file system."""
        return self._protection

    async def fresh(self) -> Protection:
        """Return what holds for a new connection or request, by what the files say now."""
        if self._looking is not None:
            await self._looking.fresh()
        return self._protection

    def begin(self) -> None:
        """Have the files looked at without waiting for it; needs a running event loop."""
        if self._looking is not None:
            self._looking.begin()

    def look(self) -> None:
        """Read the files again when they changed. A file system may keep it waiting, so it is for a thread."""
        if self._path is None:
            return
        stamp = _stamp(self._protection.files)
        due = stamp != self._seen or (self._problem and time.monotonic() >= self._try_again)
        if not due or _unsettled(stamp, self._clock()):
            return
        try:
            fresh = load(self._path)
            _not_weaker(self._path, self._protection, fresh)
        except ConfigError as error:
            self._keep(str(error), stamp)
        else:
            self._take(fresh, stamp)

    def samples(self) -> Iterator[Sample]:
        """Return whether what the files say now is in force, and since when what is in force is."""
        if self._path is not None:
            yield Sample(exporter_metrics.WEB_CONFIG_RELOAD_SUCCESSFUL, (), float(not self._problem))
            yield Sample(exporter_metrics.WEB_CONFIG_LOADED_TIMESTAMP_SECONDS, (), self._loaded)

    def _take(self, fresh: Protection, stamp: _Stamp) -> None:
        if self._seen is not None or self._problem:
            _LOG.info("%s: read anew: %s", self._path, fresh)
        # Files that are named for the first time were not watched while they were read.
        self._seen = stamp if fresh.files == self._protection.files else None
        self._protection, self._loaded, self._problem = fresh, self._clock(), ""

    def _keep(self, problem: str, stamp: _Stamp) -> None:
        if problem != self._problem:
            for line in (*problem.splitlines(), "what was read before stays in force"):
                _LOG.error("%s", line)
        self._seen, self._problem, self._try_again = stamp, problem, time.monotonic() + _TRY_AGAIN_AFTER


def _stamp(files: tuple[Path, ...]) -> _Stamp:
    found: list[tuple[int, int, int] | None] = []
    for file in files:
        try:
            about = file.stat()
        except OSError:
            found.append(None)
        else:
            found.append((about.st_mtime_ns, about.st_size, about.st_ino))
    return tuple(found)


def _unsettled(stamp: _Stamp, now: float) -> bool:
    return any(0 <= now - about[0] / 1e9 < _SETTLES_AFTER for about in stamp if about is not None)


def _not_weaker(path: Path, old: Protection, fresh: Protection) -> None:
    """Refuse to open the port: a file that is being written looks for a moment as if its end had been taken away."""
    before, after = old.config.tls_server_config, fresh.config.tls_server_config
    lost = ""
    if before and not after:
        lost = "tls_server_config"
    elif before and after and before.client_auth_type == "RequireAndVerifyClientCert" != after.client_auth_type:
        lost = "the demand for client certificates"
    elif before and after and before.client_allowed_sans and not after.client_allowed_sans:
        lost = "client_allowed_sans"
    elif old.config.basic_auth_users and not fresh.config.basic_auth_users:
        lost = "all of basic_auth_users"
    if lost:
        raise ConfigError(f"{path}: takes away {lost}, which needs a restart")
