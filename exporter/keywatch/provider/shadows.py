"""Finds the classes of a jar that stand in the way of Keycloak's own of the same name, and whom that breaks.

A provider's class wins over Keycloak's (but not over those that Quarkus boots with). Keycloak was built against its
own: where the jar's lacks a field or method that Keycloak's has, each class of Keycloak that refers to it fails.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final

from keywatch.provider.class_file import ClassFile, ClassFormatError, Reference
from keywatch.provider.class_path import ClassPath
from keywatch.provider.distribution import Distribution, Place
from keywatch.provider.finding import Finding, broken, listed, note, warning
from keywatch.provider.jar import Jar
from keywatch.provider.libraries import family
from keywatch.provider.linkage import error_of, words

_SUBJECT = "shadowing"
_MOST_USERS: Final = 12
_MOST_NEEDLES: Final = 20


def shadows(jar: Jar, keycloak: Distribution, path: ClassPath) -> Iterator[Finding]:
    """Return what is told of classes that both have; raises `DistributionError` and `ArchiveError`."""
    boot = [name for name in jar.classes if name in keycloak.boot]
    if boot:
        yield note(_SUBJECT, f"{_count(boot)} of {_families(boot)} are of Keycloak's boot path too, which wins")
    both = {name: place for name in jar.classes if (place := keycloak.main.get(name)) and name not in keycloak.boot}
    other = {name for name, place in both.items() if not _same(jar, name, place)}
    same = [name for name in both if name not in other]
    if same:
        yield note(_SUBJECT, f"{_count(same)} of {_families(same)} are in Keycloak too, byte for byte the same")
    beside = [name for name in jar.classes if name in keycloak.providers]
    if beside:
        jars = {keycloak.providers[name].archive.path.name for name in beside}
        yield warning(
            _SUBJECT,
            f"{_count(beside)} of {_families(beside)} are in providers/{listed(jars, 3)} too: either may be taken",
        )
    if not other:
        return
    damaged = _damaged(other, both, keycloak, path)
    users = _users(damaged, other, keycloak, path) if damaged else {}
    for lost, by in sorted(users.items()):
        needing = f"{listed(by, 3)} of Keycloak {'needs' if len(by) == 1 else 'need'} it ({error_of(lost)})"
        yield broken(_SUBJECT, f"{words(lost)} is not in the jar's class, which hides Keycloak's; {needing}")
    if not users:
        yield warning(
            _SUBJECT,
            f"{_count(other)} of {_families(other)} hide other ones of Keycloak's; nothing that Keycloak uses is "
            "missing in them, but Keycloak runs with code that it was not tested with",
        )
    else:
        yield broken(_SUBJECT, f"{_count(other)} of {_families(other)} hide Keycloak's: leave them out of the jar")


def _same(jar: Jar, name: str, place: Place) -> bool:
    entry = jar.classes[name][1]
    return (entry.size, entry.checksum) == (place.entry.size, place.entry.checksum)


def _damaged(
    other: set[str], both: Mapping[str, Place], keycloak: Distribution, path: ClassPath
) -> dict[str, set[Reference]]:
    """Return the fields and methods that Keycloak's classes have and the jar's do not, by class."""
    found: dict[str, set[Reference]] = {}
    for name in other:
        try:
            members = ClassFile(keycloak.read(both[name], name)).members()
            lost = {one for member in members if path.lacks(one := Reference(name, *member))}
        except ClassFormatError:
            continue
        if lost:
            found[name] = lost
    return found


def _users(
    damaged: Mapping[str, set[Reference]], other: set[str], keycloak: Distribution, path: ClassPath
) -> dict[Reference, set[str]]:
    """Return who of Keycloak refers to what is lost; a dozen references are enough to tell."""
    needles = sorted({name.rpartition("/")[0].encode() + b"/" for name in damaged}, key=len)[:_MOST_NEEDLES]
    first = tuple(sorted({part for name in damaged for part in name.split("/")[1:-1] if len(part) > 4}))
    found: dict[Reference, set[str]] = defaultdict(set)
    for name, place in keycloak.main_classes((*first, "org.keycloak")):
        if name in other:
            continue
        data = keycloak.read(place, name)
        for needle in needles:
            if needle in data:
                break
        else:
            continue
        try:
            for reference in ClassFile(data).references():
                # By the name of a class below it, too: what counts is where it would be found.
                if reference.owner in damaged and path.lacks(reference):
                    found[reference].add(name.replace("/", "."))
        except ClassFormatError:
            continue
        if len(found) >= _MOST_USERS:
            break
    return dict(found)


def _families(names: list[str] | set[str]) -> str:
    return listed({family(name) for name in names}, 4)


def _count(names: list[str] | set[str]) -> str:
    return "1 class" if len(names) == 1 else f"{len(names):,} classes"
