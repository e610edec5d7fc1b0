"""Reads what Keycloak's health endpoints answer (MicroProfile Health's form): whether all is up, and each check."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from keywatch.engine.probe import ProbeError, Reason
from keywatch.net.http_peer import Answer

_MOST_CHECKS = 100
_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Health:
    """One answer: whether it says UP, each check by name, words where there is no check, and the seconds it took."""

    up: bool
    checks: Mapping[str, bool]
    words: str = ""
    took: float = 0.0


def health_of(answer: Answer) -> Health:
    """Read an answer; raises `ProbeError` for what is no answer about health. 503 is one: it says DOWN."""
    if answer.status == 404:
        words = "answers 404: Keycloak lacks health-enabled=true, or this is not its management interface"
        raise ProbeError(Reason.UNSUPPORTED, words)
    if answer.status not in {200, 503}:
        raise ProbeError(Reason.PROTOCOL, f"answers with status {answer.status}")
    try:
        found = json.loads(answer.body)
        up = {"UP": True, "DOWN": False}[found["status"]]
        checks = {
            str(check["name"])[:_LONGEST_NAME]: check["status"] == "UP"
            for check in found.get("checks", [])[:_MOST_CHECKS]
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ProbeError(Reason.PROTOCOL, f"answers {answer.status} with something else than health") from None
    return Health(up and answer.status == 200, checks, "", answer.took)
