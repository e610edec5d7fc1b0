"""What a class of a provider jar finds when it is linked: a class by its name, a field or method in its hierarchy.

Order of search, as Keycloak's class loader has it: Java, the jars that Quarkus boots with, the provider jar, the other
providers, Keycloak's other jars. Fields and methods are resolved after JVMS 5.4.3.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from keywatch.provider.class_file import ClassFile, ClassFormatError, Reference
from keywatch.provider.distribution import Distribution
from keywatch.provider.jar import Jar
from keywatch.provider.java_runtime import JavaRuntime

# Their methods take any descriptor (JVMS 2.9.3).
_POLYMORPHIC: Final = frozenset({"java/lang/invoke/MethodHandle", "java/lang/invoke/VarHandle"})
_DEEPEST: Final = 500
_MOST_OF_A_CLASS: Final = 4_000_000
_MOST_OF_ALL: Final = 400_000_000


class Outline(NamedTuple):
    """What linking needs of a class. `members` holds name and descriptor of each between line breaks.

    `open` is set where not all is known: a class of Java's where no runtime was given, or a damaged one.
    """

    above: tuple[str, ...]
    members: str
    open: bool = False


_UNKNOWN: Final = Outline((), "", open=True)


class ClassPath:
    """All classes that the classes of a jar find; `keycloak` None: those of Keycloak are not known."""

    def __init__(self, jar: Jar | None, keycloak: Distribution | None, java: JavaRuntime) -> None:
        self._jar = jar
        self._keycloak = keycloak
        self._java = java
        self._outlines: dict[str, Outline | None] = {}
        self._kept = 0
        self._hierarchies: dict[str, list[str]] = {}

    def outline(self, name: str) -> Outline | None:
        """Return what is known of a class; None: nobody has it."""
        if name not in self._outlines:
            self._outlines[name] = self._look_up(name)
        return self._outlines[name]

    def has(self, name: str) -> bool:
        """Return whether somebody has a class; it is not read for that."""
        if name in self._outlines:
            return self._outlines[name] is not None
        jars = (self._keycloak.boot, self._keycloak.main, self._keycloak.providers) if self._keycloak else ()
        return name in self._java or (self._jar is not None and name in self._jar) or any(name in one for one in jars)

    def missing_above(self, name: str) -> str:
        """Return what a class extends or implements, directly or not, and nobody has; empty: nothing."""
        for each in self._hierarchy(name):
            if self.outline(each) is None:
                return each
        return ""

    def extends(self, name: str, other: str) -> bool:
        """Return whether a class is another, extends it or implements it."""
        return other in self._hierarchy(name)

    def lacks(self, reference: Reference) -> bool:
        """Return whether the owner of a field or method is there, and the field or method surely is not."""
        owner = self.outline(reference.owner)
        if owner is None or (reference.owner in _POLYMORPHIC and reference.is_method):
            return False
        wanted = f"\n{reference.name} {reference.descriptor}\n"
        if wanted in owner.members:
            return False
        for name in self._hierarchy(reference.owner):
            outline = self.outline(name)
            if outline is None or outline.open or wanted in outline.members:
                return False
        return True

    def _hierarchy(self, name: str) -> list[str]:
        """Return a class and all above it, each once, those that nobody has as well."""
        if name in self._hierarchies:
            return self._hierarchies[name]
        found = dict.fromkeys([name])
        waiting = [name]
        while waiting and len(found) < _DEEPEST:
            outline = self.outline(waiting.pop())
            for each in outline.above if outline is not None else ():
                if each not in found:
                    found[each] = None
                    waiting.append(each)
        self._hierarchies[name] = list(found)
        return self._hierarchies[name]

    def _look_up(self, name: str) -> Outline | None:
        try:
            data = self._bytes(name)
            if data is None:
                return None
            if not data:
                return _UNKNOWN
            found = ClassFile(data)
            members = self._members(found)
        except ClassFormatError:
            return _UNKNOWN
        above = (*((found.superclass,) if found.superclass else ()), *found.interfaces)
        return Outline(above, f"\n{members}\n")

    def _members(self, found: ClassFile) -> str:
        """Join names and descriptors; raises `ClassFormatError` for more than is bearable, of this class or of all."""
        lines, letters = [], 0
        for name, descriptor in found.members():
            lines.append(f"{name} {descriptor}")
            letters += len(lines[-1])
            if letters > _MOST_OF_A_CLASS or self._kept + letters > _MOST_OF_ALL:
                raise ClassFormatError("has more members than are read")
        self._kept += letters
        return "\n".join(lines)

    def _bytes(self, name: str) -> bytes | None:
        """Return a class file, nothing in it where it is there and cannot be read; None where there is none."""
        if name in self._java:
            return self._java.read(name) or b""
        keycloak = self._keycloak
        if keycloak is not None and (place := keycloak.boot.get(name)):
            return keycloak.read(place, name)
        if self._jar is not None and name in self._jar:
            return self._jar.read(name)
        if keycloak is not None and (place := keycloak.providers.get(name) or keycloak.main.get(name)):
            return keycloak.read(place, name)
        return None
