"""Finds in a Keycloak's providers the jar that a new one takes the place of."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from keywatch.provider.archive import ArchiveError
from keywatch.provider.class_path import ClassPath
from keywatch.provider.finding import listed
from keywatch.provider.jar import Jar
from keywatch.provider.jar_check import Report
from keywatch.provider.java_runtime import ASSUMED_RELEASE, JavaRuntime
from keywatch.provider.services import providers

_NAME: Final = re.compile(r"[\w+-][\w.+-]{0,200}\.jar")


class InstalledError(Exception):
    """A jar cannot take the place that is meant; the message names the files."""


def place(home: Path, report: Report, name: str, *, upgrade: bool) -> str:
    """Return the name in `providers` that a jar gets: that of the jar with the same ids, or its own for a first one.

    Raises `InstalledError` where there is one and none is expected, or the other way round.
    """
    same = [path.name for path in sorted((home / "providers").glob("*.jar")) if ids_of(path) & _ids(report)]
    if len(same) > 1:
        raise InstalledError(f"{home / 'providers'}: {listed(same)} have the same id: take away all but one")
    if upgrade:
        if not same:
            raise InstalledError(
                f"{home / 'providers'}: no jar has a provider of {name}: install it in place of upgrading"
            )
        return same[0]
    if same:
        raise InstalledError(f"{home / 'providers' / same[0]}: has the same provider: upgrade in place of installing")
    if not _NAME.fullmatch(name):
        raise InstalledError(
            f"{name}: is no name for a file in providers: letters, digits and . _ + - with .jar at its end"
        )
    if (home / "providers" / name).exists():
        raise InstalledError(f"{home / 'providers' / name}: is there, and has another provider")
    return name


def ids_of(path: Path) -> set[tuple[str, str]]:
    """Return service and id of the providers in a jar, or their classes where ids are not known; none if unreadable."""
    try:
        jar = Jar(path, ASSUMED_RELEASE)
    except (ArchiveError, OSError):
        return set()
    try:
        found, _ = providers(jar, ClassPath(jar, None, JavaRuntime(ASSUMED_RELEASE)), keycloak_known=False)
    except ArchiveError:
        return set()
    finally:
        jar.close()
    return {(one.service, one.id or one.name) for one in found}


def _ids(report: Report) -> set[tuple[str, str]]:
    return {(one.service, one.id or one.name) for one in report.providers}
