"""Finds what the classes of a jar refer to and nobody has: classes, and fields and methods by their descriptors.

Only what the listener's own classes reach is followed, through libraries too: a jar brings many classes that never
load. What its own classes miss breaks it; what a library misses breaks when that code runs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from keywatch.provider.archive import ArchiveError
from keywatch.provider.class_file import ClassFile, ClassFormatError, Reference
from keywatch.provider.class_path import ClassPath
from keywatch.provider.finding import Finding, broken, listed, note, warning
from keywatch.provider.jar import Jar
from keywatch.provider.libraries import OPTIONAL, family, is_library, packages

_SUBJECT = "linking"
_MOST_KEPT: Final = 2_000
_MOST_CONSTANTS: Final = 10_000_000
_PRODUCERS: Final = ("clients/producer/KafkaProducer", "clients/producer/Producer")


@dataclass
class Linkage:
    """What following the references found."""

    own: set[str] = field(default_factory=set)
    """The listener's own classes."""
    reached: int = 0
    """Classes that were followed, own ones too."""
    newest: dict[str, int] = field(default_factory=dict)
    """The class of the newest Java release among them, and that release."""
    uses_kafka: bool = False
    """Whether one of its own classes names Kafka's producer, that of a shaded client too."""
    texts: set[str] = field(default_factory=set)
    """Texts of the listener's own classes."""
    findings: list[Finding] = field(default_factory=list)


def follow(jar: Jar, factories: list[str], path: ClassPath, *, keycloak_known: bool) -> Linkage:
    """Follow what `factories` and the classes beside them refer to."""
    found = Linkage()
    owners = packages(factories)
    found.own = {name for name in jar.classes if not is_library(name, owners)} | {
        one for one in factories if one in jar
    }
    gaps = _Gaps(path, found.own)
    waiting = sorted(found.own)
    seen = set(waiting)
    newest = constants = 0
    while waiting:
        name = waiting.pop()
        try:
            each = ClassFile(jar.read(name))
            constants += each.constants
            if constants > _MOST_CONSTANTS:
                found.findings.append(broken(_SUBJECT, f"its classes have more than {_MOST_CONSTANTS:,} constants"))
                break
            if each.java > newest:
                newest = each.java
                found.newest = {name: newest}
            named = each.classes()
            if keycloak_known:
                gaps.look(each, name, named)
            if name in found.own:
                found.uses_kafka = found.uses_kafka or any(one.endswith(_PRODUCERS) for one in named)
                if len(found.texts) < _MOST_KEPT:
                    found.texts |= each.strings()
        except (ClassFormatError, ArchiveError) as error:
            found.findings.append(broken(_SUBJECT, f"{name}: {error}"))
            continue
        for other in named:
            if other not in seen and other in jar:
                seen.add(other)
                waiting.append(other)
    found.reached = len(seen)
    found.findings += gaps.findings()
    return found


class _Gaps:
    def __init__(self, path: ClassPath, own: set[str]) -> None:
        self._path = path
        self._own = own
        self._classes: dict[str, set[str]] = defaultdict(set)
        self._members: dict[Reference, set[str]] = defaultdict(set)
        self._above: dict[str, str] = {}
        self._library_classes: dict[str, set[str]] = defaultdict(set)
        self._library_members: dict[Reference, set[str]] = defaultdict(set)

    def look(self, found: ClassFile, name: str, named: list[str]) -> None:
        own = name in self._own
        for other in named:
            if not self._path.has(other):
                self._keep(self._classes if own else self._library_classes, other, name)
            elif own and other not in self._own and (above := self._path.missing_above(other)):
                self._above.setdefault(other, above)
        for reference in found.references():
            if self._path.lacks(reference):
                self._keep(self._members if own else self._library_members, reference, name)

    @staticmethod
    def _keep(gaps: dict[str, set[str]] | dict[Reference, set[str]], what: str | Reference, name: str) -> None:
        if len(gaps) < _MOST_KEPT:
            gaps[what].add(name)  # type: ignore[index] # of the one kind or of the other

    def findings(self) -> Iterator[Finding]:
        for what, users in sorted(self._classes.items()):
            yield broken(_SUBJECT, f"class {_dotted(what)} is missing; {_users(users)} (NoClassDefFoundError)")
        for what, above in sorted(self._above.items()):
            if above not in self._classes:
                yield broken(_SUBJECT, f"class {_dotted(what)} cannot load: class {_dotted(above)} above it is missing")
        for member, users in sorted(self._members.items()):
            yield broken(_SUBJECT, f"{words(member)} is missing; {_users(users)} ({error_of(member)})")
        yield from self._of_libraries()

    def _of_libraries(self) -> Iterator[Finding]:
        kinds: dict[str, tuple[set[str], set[str]]] = {}
        for what, users in self._library_classes.items():
            known = next((prefix for prefix in OPTIONAL if what.startswith(prefix)), None)
            missing, using = kinds.setdefault(known or family(what), (set(), set()))
            missing.add(_dotted(what))
            using |= {family(user) for user in users}
        for kind, (missing, using) in sorted(kinds.items()):
            if kind in OPTIONAL:
                if OPTIONAL[kind]:
                    yield note(
                        _SUBJECT,
                        f"without {kind.strip('/').replace('/', '.')}, which is not there, {OPTIONAL[kind]} fails",
                    )
            else:
                yield warning(_SUBJECT, f"{listed(using, 3)} would need {listed(missing, 4)}, which nobody has")
        by_users: dict[str, list[Reference]] = defaultdict(list)
        for member, users in self._library_members.items():
            by_users[listed({family(user) for user in users}, 2)].append(member)
        for user, members in sorted(by_users.items()):
            told = listed((words(member) for member in members), 4)
            yield warning(_SUBJECT, f"{user} would need {told}, which its owner does not have")


def words(reference: Reference) -> str:
    """Write a field or method as Java's own errors do, with its descriptor."""
    if reference.is_method:
        return f"method {_dotted(reference.owner)}.{reference.name}{reference.descriptor}"
    return f"field {_dotted(reference.owner)}.{reference.name} of type {reference.descriptor}"


def error_of(reference: Reference) -> str:
    """Return what Java throws where it is missing."""
    return "NoSuchMethodError" if reference.is_method else "NoSuchFieldError"


def _users(names: set[str]) -> str:
    return f"{listed((_dotted(name) for name in names), 3)} {'needs' if len(names) == 1 else 'need'} it"


def _dotted(name: str) -> str:
    return name.replace("/", ".")
