"""What people are told of the probe `keycloak` beside its series."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from keywatch.engine.about import About
from keywatch.engine.probe import Reason
from keywatch.net import http_peer

ABOUT: Final[Mapping[str, About]] = {
    "keycloak": About(
        needs="""
            - An entry in `keycloaks` for each node, and a way to its management interface.
            - `health-enabled=true` in Keycloak; `metrics-enabled=true` besides, or it is ready without its database.
              `keywatch_keycloak_started` needs Keycloak 21 or newer.
            - No Kafka, and no other probe.
        """,
        reasons=http_peer.REASONS | {Reason.REJECTED, Reason.UNSUPPORTED},
        guides=("keycloak.md",),
    )
}
