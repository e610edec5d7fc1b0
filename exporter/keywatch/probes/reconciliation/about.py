"""What people are told of the probe `reconciliation` beside its series."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from keywatch.engine.about import About
from keywatch.engine.probe import Reason
from keywatch.net import http_peer

ABOUT: Final[Mapping[str, About]] = {
    "reconciliation": About(
        needs="""
            - `reconcile` at a listener in `events`, and the nodes that it runs in among `keycloaks`.
            - What probe `events` of the same listener reads: it judges only while that reads everything and all
              leaders live.
            - `metrics-enabled=true` and `event-metrics-user-enabled=true` in Keycloak, 26.2 or newer.
            - All nodes at once: while one of them cannot be read it fails, waits for it, and after 60 s goes on
              without. A sample of Keycloak's that is no count (NaN, negative, there twice, lower than before) costs
              only itself: it is named, its kind of event waits for it, the others are compared.
            - The first 5000 kinds of events (realm, type, outcome) that Keycloak counts have series of their own; those
              beyond are compared together, as of the realm `other`.
        """,
        reasons=http_peer.REASONS | {Reason.UNSUPPORTED},
        guides=("nothing-lost.md", "keycloak.md"),
    )
}
