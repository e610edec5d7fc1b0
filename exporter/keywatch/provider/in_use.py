"""Judges whether a running Keycloak uses a listener: it is loaded, realms name it, and their attributes can be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from keywatch.config.endpoint import endpoint
from keywatch.listeners.event_types import OTHER, user_event
from keywatch.provider.admin import Admin
from keywatch.provider.finding import Finding, broken, listed, note, warning

_SUBJECT = "in use"
_PREFIX: Final = "kafka."
_FLAGS: Final = frozenset({"enable.user.events", "enable.admin.events"})


async def in_use(admin: Admin, ids: Sequence[str], realms: Sequence[str]) -> list[Finding]:
    """Return what is found of listeners with some ids in some realms, all that can be seen if none is named."""
    found: list[Finding] = []
    loaded = await admin.loaded()
    for one in ids:
        if one in loaded:
            found.append(note(_SUBJECT, f"{one} is loaded"))
        else:
            words = f"{one} is not loaded: Keycloak has {listed(loaded)}; was it built after the jar was put there?"
            found.append(broken(_SUBJECT, words))
    using = 0
    for realm in realms or await admin.realms():
        named = await admin.listeners_of(realm)
        using += bool(set(ids) & set(named))
        if not set(ids) & set(named):
            severity = broken if realms else note
            found.append(
                severity(_SUBJECT, f"realm {realm} does not name it among its event listeners ({listed(named)})")
            )
        if lost := [name for name in named if name not in loaded]:
            found.append(broken(_SUBJECT, f"realm {realm} names {listed(lost)}, which is not loaded (KC-SERVICES0083)"))
        found += of_attributes(realm, await admin.attributes_of(realm))
    if not using and not realms:
        found.append(broken(_SUBJECT, "no realm names it among its event listeners: it gets no event"))
    return found


def of_attributes(realm: str, attributes: Mapping[str, str]) -> Iterator[Finding]:
    """Judge a realm's attributes for a listener: a malformed address makes every login of the realm fail."""
    for name, value in sorted(attributes.items()):
        if not name.startswith(_PREFIX):
            continue
        key = name.removeprefix(_PREFIX)
        if wrong := attribute_mistake(key, value):
            yield broken(_SUBJECT, f"realm {realm}: attribute {name} {wrong}")
    types = attributes.get(f"{_PREFIX}included.event.types")
    if types is not None and not attribute_mistake("included.event.types", types):
        yield note(_SUBJECT, f"realm {realm}: only events of these types are sent: {types}")
    for key in sorted(_FLAGS):
        if attributes.get(f"{_PREFIX}{key}") == "false":
            yield warning(_SUBJECT, f"realm {realm}: attribute {_PREFIX}{key} is false: none of these events is sent")


def attribute_mistake(key: str, value: str) -> str:
    """Say what is wrong with the value of an attribute `kafka.<key>`; empty: nothing that is known."""
    if key == "bootstrap.servers":
        for address in value.split(","):
            try:
                endpoint(address)
            except ValueError as error:
                return f"is malformed: {error}; every login of the realm fails with it, and what could repair it too"
    if key == "included.event.types":
        names = [name.strip() for name in value.split(",")]
        if unknown := [name for name in names if name != name.upper() or user_event(name)[0] == OTHER]:
            left = "no user event is sent" if len(unknown) == len(names) else "these are not sent"
            return f"names types that Keycloak 26.7 does not have: {listed(unknown)}; {left}"
    if key in _FLAGS and value not in {"true", "false"}:
        return f"is {value!r}; allowed: true, false"
    return ""
