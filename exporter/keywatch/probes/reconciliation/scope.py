"""Which events are compared, and under which kind each is looked up; kinds beyond a number share those of one realm."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from keywatch.listeners.event_types import OTHER, user_event
from keywatch.listeners.profile import EventKind, Outcome
from keywatch.patterns import Patterns
from keywatch.probes.events.seen import SeenEvent
from keywatch.probes.reconciliation.balance import OTHER_REALM
from keywatch.probes.reconciliation.counters import EventSeries
from keywatch.probes.reconciliation.tally import CountKey

# All realms together, where the listener writes ids and nobody says which names they have.
ALL_REALMS = "all"
# Kinds of events that have series of their own: four each.
_MOST_KINDS = 5_000
_SERIES_REMEMBERED = 200_000


@dataclass(frozen=True, slots=True)
class Scope:
    """Which events count: of which realms (by name), and of which types and outcomes; None: of all."""

    realms: Patterns
    types: frozenset[tuple[str, Outcome]] | None
    names: Mapping[str, str]
    """Realm id → name, as configured, for listeners that write ids only."""
    named: bool
    """Whether the listener writes the realms' names."""

    def counted(self, realm: str, event: str, error: str) -> CountKey | None:
        """Return how what Keycloak counted is looked up; None for what is not looked for."""
        label = user_event(event)[0]
        outcome = Outcome.ERROR if error else Outcome.SUCCESS
        if not self._wanted(label, outcome):
            return None
        if self.named:
            return CountKey(realm, label, outcome) if realm in self.realms else None
        if self.names:
            return CountKey(realm, label, outcome) if realm in self.names.values() and realm in self.realms else None
        return CountKey(ALL_REALMS, label, outcome) if realm in self.realms else None

    def arrived(self, event: SeenEvent) -> CountKey | None:
        """Return the same for an event that arrived."""
        if event.kind is not EventKind.USER or not self._wanted(event.event, event.outcome):
            return None
        name = event.realm_name or self.names.get(event.realm_id)
        if name is None and (self.named or self.names):
            return None
        if name is not None and name not in self.realms:
            return None
        return CountKey(name if name is not None else ALL_REALMS, event.event, event.outcome)

    def _wanted(self, event: str, outcome: Outcome) -> bool:
        return event != OTHER and (self.types is None or (event, outcome) in self.types)


class Kinds:
    """Finds the kind of a series and of an event within a scope; the first `most` that Keycloak counts are their own.

    `compared` tells whether events of a kind are being compared already: such a one keeps its name on both sides.
    """

    def __init__(self, scope: Scope, compared: Callable[[CountKey], bool], most: int = _MOST_KINDS) -> None:
        self._scope = scope
        self._compared = compared
        self._most = most
        self._own: set[CountKey] = set()
        self._of_series: dict[EventSeries, CountKey | None] = {}

    def counted(self, series: EventSeries) -> CountKey | None:
        """Return the kind of a series of Keycloak's counter; None for what is not looked for."""
        if series in self._of_series:
            return self._of_series[series]
        kind = self._scope.counted(*series[:3])
        if kind is not None and kind not in self._own:
            if len(self._own) < self._most or self._compared(kind):
                self._own.add(kind)
            else:
                kind = kind._replace(realm=OTHER_REALM)
        if len(self._of_series) >= _SERIES_REMEMBERED:
            self._of_series.clear()
        self._of_series[series] = kind
        return kind

    def arrived(self, event: SeenEvent) -> CountKey | None:
        """Return the same for an event that arrived."""
        kind = self._scope.arrived(event)
        if kind is None or kind in self._own or len(self._own) < self._most or self._compared(kind):
            return kind
        return kind._replace(realm=OTHER_REALM)
