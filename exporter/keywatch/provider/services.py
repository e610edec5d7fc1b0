"""What a provider jar offers Keycloak: its files of services, the factories in them, and the ids of the providers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from keywatch.provider import code
from keywatch.provider.archive import ArchiveError
from keywatch.provider.class_file import ClassFile, ClassFormatError
from keywatch.provider.class_path import ClassPath
from keywatch.provider.finding import Finding, broken, listed, note, warning
from keywatch.provider.jar import Jar

LISTENERS: Final = "org.keycloak.events.EventListenerProviderFactory"
_NAME: Final = re.compile(r"[\w$]+(?:\.[\w$]+)*")
_SUBJECT = "provider"
_ACC_PUBLIC, _ACC_ABSTRACT = 0x1, 0x400
_MOST_ABOVE: Final = 50


@dataclass
class Provider:
    """A factory: the service, its class, the provider's id (empty where it is computed) and what is wrong with it."""

    service: str
    name: str
    id: str = ""
    findings: list[Finding] = field(default_factory=list)


def providers(jar: Jar, path: ClassPath, *, keycloak_known: bool) -> tuple[list[Provider], list[Finding]]:
    """Return what a jar offers, and what is wrong with that; raises `ArchiveError`."""
    services = {name: names for name, names in jar.services().items() if name.startswith("org.keycloak.")}
    found = [Provider(service, name) for service, names in services.items() for name in names]
    findings: list[Finding] = []
    if not found:
        empty = f": the files {listed(services)} name no class" if services else ""
        findings.append(
            broken(_SUBJECT, f"Keycloak finds no provider in it{empty}; META-INF/services/{LISTENERS} names none")
        )
    elif not services.get(LISTENERS):
        findings.append(warning(_SUBJECT, f"it has no event listener, but {listed(services)}"))
    for one in found:
        one.findings = list(_judged(one, jar, path, keycloak_known=keycloak_known))
    ids: dict[tuple[str, str], list[str]] = {}
    for one in found:
        ids.setdefault((one.service, one.id), []).append(one.name)
    for (_, provider_id), names in ids.items():
        if provider_id and len(names) > 1:
            findings.append(
                broken(_SUBJECT, f"{listed(names)} have the same id {provider_id}: only one of them is taken")
            )
    return found, findings


def _judged(one: Provider, jar: Jar, path: ClassPath, *, keycloak_known: bool) -> Iterator[Finding]:
    name = one.name.replace(".", "/")
    if not _NAME.fullmatch(one.name):
        yield broken(
            _SUBJECT, f"META-INF/services/{one.service} names {one.name!r}, which is no class: no provider loads"
        )
        return
    if name not in jar:
        where = "which another jar has" if path.has(name) else "which nobody has: Keycloak does not start"
        yield (warning if path.has(name) else broken)(
            _SUBJECT, f"META-INF/services/{one.service} names {one.name}, {where}"
        )
        return
    try:
        found = ClassFile(jar.read(name))
        one.id = _id(found, jar)
        constructor = code.has_method(found, "<init>", "()V")
    except (ClassFormatError, ArchiveError) as error:
        yield broken(_SUBJECT, f"{one.name}: {error}")
        return
    if found.access & _ACC_ABSTRACT or not found.access & _ACC_PUBLIC or not constructor:
        why = (
            "is abstract"
            if found.access & _ACC_ABSTRACT
            else "is not public"
            if constructor
            else "has no constructor without arguments"
        )
        yield broken(_SUBJECT, f"{one.name} {why}: Keycloak cannot make one")
    if keycloak_known and not path.missing_above(name) and not path.extends(name, one.service.replace(".", "/")):
        yield broken(_SUBJECT, f"{one.name} is no {one.service}, though the file of services says so")
    if not one.id:
        yield note(_SUBJECT, f"the id of {one.name} is computed when it runs, so it cannot be read from the jar")


def _id(found: ClassFile, jar: Jar) -> str:
    """Return what `getId` returns, that of a class above it in the jar too; empty where that is computed."""
    for _ in range(_MOST_ABOVE):
        if (text := code.returned_text(found, "getId")) is not None:
            return text
        if code.has_method(found, "getId", "()Ljava/lang/String;") or found.superclass not in jar:
            return ""
        found = ClassFile(jar.read(found.superclass))
    return ""
