"""The marked event that proves the way of logs: an event of a user as a listener writes it, of nobody."""

from __future__ import annotations

import json
import uuid

KEY = b"keywatch-canary"
"""Key of the records, by which keywatch leaves them out when it counts events."""

# Known to every dictionary, harmless in every report, and never counted as a login.
TYPE = "CLIENT_INFO"
CLIENT = "keywatch"


def marked_event(realm: str, moment: float) -> tuple[str, bytes]:
    """Make an event of this realm that happens at `moment` (Unix time); returns its id and the record's value."""
    event_id = str(uuid.uuid4())
    event = {
        "id": event_id,
        "time": int(moment * 1000),
        "type": TYPE,
        "realmId": realm,
        "realmName": realm,
        "clientId": CLIENT,
        "details": {},
    }
    return event_id, json.dumps(event, separators=(",", ":")).encode()
