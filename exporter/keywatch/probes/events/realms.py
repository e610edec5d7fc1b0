"""The realms of a Keycloak: their names by id, and a bounded number of values for the label `realm`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from keywatch.listeners.event_types import OTHER

# Names are learnt from records, and whoever can write to the topic could invent realms.
_NAMES_KEPT = 10_000


class Realms:
    """Names by id, configured or learnt from events; the first `most` realms get a label of their own."""

    def __init__(self, configured: Mapping[str, str], most: int) -> None:
        self._configured = dict(configured)
        self._names = dict(configured)
        self._labels = set(list(configured.values())[:most])
        self._most = most
        self._others: set[str] = set()

    @property
    def names(self) -> Mapping[str, str]:
        """Realm id → name, as far as they are known; a live view."""
        return MappingProxyType(self._names)

    def record(self, realm_id: str, name: str) -> None:
        """Record a realm's name; what is configured stays."""
        known = self._names.get(realm_id)
        if known != name and realm_id not in self._configured and (known or len(self._names) < _NAMES_KEPT):
            self._names[realm_id] = name

    def label(self, realm_id: str) -> str:
        """Return the label: the name, or the id while none is known, or `other` when there are too many realms."""
        label = self._names.get(realm_id, realm_id)
        if label not in self._labels:
            if len(self._labels) >= self._most:
                if len(self._others) < _NAMES_KEPT:
                    self._others.add(realm_id)
                return OTHER
            self._labels.add(label)
        return label

    @property
    def left_out(self) -> int:
        """How many realms share the label `other`, at least."""
        return len(self._others)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels in use, without `other`."""
        return tuple(self._labels)
