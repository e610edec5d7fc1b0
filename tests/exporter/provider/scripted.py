"""A Keycloak of which only the folder is real: scripts do with it what a build and a start of Keycloak do.

The build writes what it found in `providers` into `lib/quarkus`, a file at a time; the start refuses when a provider is
another than at the build, or no whole jar, as Keycloak does.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import time
import zipfile
from pathlib import Path

_PARTS = 6
_PART_SECONDS = 0.03


def digests(home: Path) -> dict[str, str]:
    """Return the SHA-256 of each provider, as Keycloak finds them."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted((home / "providers").glob("*.jar"))
    }


def build(home: Path) -> None:
    """Write `lib/quarkus` anew, in place."""
    if (home / "build-fails").exists():
        print("the build does not like it")
        raise SystemExit(3)
    folder = home / "lib" / "quarkus"
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    found = digests(home)
    for part in range(_PARTS):
        time.sleep(_PART_SECONDS)
        (folder / f"part-{part}").write_text(json.dumps(found))
    (home / "built").write_text("yes")


def start(home: Path) -> dict[str, str]:
    """Start on what was built; return the providers that run. Ends with a message where Keycloak would not start."""
    found = digests(home)
    for part in range(_PARTS):
        path = home / "lib" / "quarkus" / f"part-{part}"
        if not path.exists() or json.loads(path.read_text()) != found:
            print("A provider JAR was updated since the last build")
            raise SystemExit(1)
    for name in found:
        with zipfile.ZipFile(home / "providers" / name) as jar:
            if "never-starts" in jar.namelist():
                print("NoClassDefFoundError")
                raise SystemExit(1)
    (home / "running").write_text(json.dumps(found))
    return found


def keywatch(arguments: list[str]) -> None:
    """Run the command `keywatch` in this process, without a word."""
    from keywatch.cli.command import main  # noqa: PLC0415 - the scripts do without

    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):  # noqa: PTH123 - no path of ours
        main(arguments)


if __name__ == "__main__":
    {"build": build, "start": start}[sys.argv[1]](Path(sys.argv[2]))
