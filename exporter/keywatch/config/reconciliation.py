"""The part of the configuration that says which of Keycloak's counted events a listener has to deliver."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from keywatch.config.security import Section
from keywatch.listeners.event_types import OTHER, user_event


def _checked_pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"{text!r} is not a regular expression: {error}") from error
    return text


def _checked_type(text: str) -> str:
    if user_event(text)[0] == OTHER:
        raise ValueError(f"{text!r} is no event type of Keycloak's, such as LOGIN or LOGIN_ERROR")
    return text


Pattern = Annotated[str, AfterValidator(_checked_pattern)]
EventType = Annotated[str, AfterValidator(_checked_type)]


class ReconciliationSection(Section):
    """Probe `reconciliation`: did all events arrive that Keycloak counted? Needs the listener's Keycloaks below."""

    keycloaks: tuple[str, ...] = Field(
        (), description="Names of the Keycloak nodes that the listener runs in; none: all of the cluster's."
    )
    realms: tuple[Pattern, ...] = Field(
        (".*",), min_length=1, description="Patterns of the realms, by name, in which the listener is switched on."
    )
    exclude_realms: tuple[Pattern, ...] = Field(
        ("master",), description="Patterns of realms in which it is not switched on."
    )
    types: tuple[EventType, ...] = Field(
        (), description="Event types that the listener is set to send, as Keycloak calls them; none: all."
    )
    window: float = Field(10.0, ge=2, le=3600, description="Seconds that an event may take from Keycloak to Kafka.")
    give_up_after: float = Field(
        300.0, ge=10, le=86_400, description="Seconds after which what is missing is lost; a producer tries for 120."
    )
    tolerance: int = Field(0, ge=0, description="Missing events that are no alarm, exported as a series.")
    period: float = Field(1.0, ge=0.5, le=60, description="Seconds between two readings of Keycloak's counters.")
    timeout: float = Field(2.0, ge=0.1, le=60, description="Seconds for a reading.")
