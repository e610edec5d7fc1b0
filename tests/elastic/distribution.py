"""Fetches servers once from Maven Central into a cache and says whether this machine can run them."""

from __future__ import annotations

import fcntl
import functools
import os
import re
import shutil
import subprocess
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
_FETCH_SECONDS = 900.0
# Where Debian puts every JDK that it has.
_JDKS = Path("/usr/lib/jvm")


class DistributionError(Exception):
    """A server could not be fetched."""


@dataclass(frozen=True)
class Distribution:
    """One server: its name, coordinates, and the oldest Java that runs it."""

    name: str
    version: str
    group: str
    lowest_java: int

    @property
    def folder(self) -> Path:
        """Where it lies, or will lie after `fetched`."""
        return _cache() / f"{self.name}-{self.version}"

    def requirements_missing(self) -> str | None:
        """Say in a sentence why it cannot be used here; None when it can."""
        if java_home(self.lowest_java) is None:
            return f"A real {self.name} needs Java {self.lowest_java} or newer, and there is none."
        if os.geteuid() == 0 and shutil.which("setpriv") is None:
            return f"{self.name} does not run as root, and there is no setpriv to be somebody else."
        if not self.folder.is_dir() and shutil.which("mvn") is None:
            return f"{self.name} is fetched by Maven, and there is no mvn on the PATH."
        return None

    def fetched(self) -> Path:
        """Return its folder, after fetching it when the cache lacks it; safe against others that do the same.

        Raises `DistributionError` with Maven's last words.
        """
        folder = self.folder
        if not folder.is_dir():
            folder.parent.mkdir(parents=True, exist_ok=True)
            with (folder.parent / f"{folder.name}.lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not folder.is_dir():
                    self._fetch(folder)
        return folder

    def _fetch(self, folder: Path) -> None:
        """Fill a folder beside `folder` and rename it, so that `folder` never exists half full."""
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fetching-") as temporary:
            artifact = f"{self.group}:{self.name}:{self.version}:zip"
            command = ["mvn", "-q", "-B", _COPY, f"-Dartifact={artifact}", f"-DoutputDirectory={temporary}"]
            try:
                done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_FETCH_SECONDS)
            except subprocess.TimeoutExpired as error:
                raise DistributionError(f"Maven did not fetch {artifact} within {_FETCH_SECONDS:g} s") from error
            archive = Path(temporary) / f"{self.name}-{self.version}.zip"
            if done.returncode != 0 or not archive.is_file():
                words = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
                raise DistributionError(f"Maven could not fetch {artifact} (exit {done.returncode}):\n{words}")
            _unpack(archive, Path(temporary) / "unpacked")
            (home,) = (path for path in (Path(temporary) / "unpacked").iterdir() if path.is_dir())
            home.rename(folder)


OPENSEARCH = Distribution("opensearch", "3.8.0", "org.opensearch.distribution.integ-test-zip", 21)
ELASTICSEARCH = Distribution("elasticsearch", "8.19.21", "org.elasticsearch.distribution.integ-test-zip", 17)


@functools.cache
def java_home(lowest: int) -> Path | None:
    """Return the home of a Java of this version or newer: JAVA_HOME, that of the PATH, or another that is installed."""
    homes = [Path(home)] if (home := os.environ.get("JAVA_HOME")) else []
    if found := shutil.which("java"):
        homes.append(Path(found).resolve().parents[1])
    homes += sorted(_JDKS.glob("*"))
    return next((home for home in homes if _version(home) >= lowest), None)


def _version(home: Path) -> int:
    program = home / "bin" / "java"
    if not program.is_file():
        return 0
    asked = subprocess.run([program, "-version"], capture_output=True, text=True, check=False, timeout=60)
    found = re.search(r'version "(?:1\.)?(\d+)', asked.stderr)
    return int(found[1]) if found else 0


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "keywatch"


def _unpack(archive: Path, target: Path) -> None:
    """Unpack with the permissions that the archive has, which Python's own extraction leaves out."""
    with zipfile.ZipFile(archive) as opened:
        for entry in opened.infolist():
            path = Path(opened.extract(entry, target))
            mode = entry.external_attr >> 16 & 0o777
            path.chmod(0o755 if path.is_dir() else (mode | 0o444 or 0o644))
