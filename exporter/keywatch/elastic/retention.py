"""How long a policy keeps what it governs, and whether another one would keep it for less."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_SECONDS = {"d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "micros": 1e-6, "nanos": 1e-9, "": 1e-3}
_DURATION = re.compile(r"(\d{1,12})(d|h|m|s|ms|micros|nanos|)")
FOREVER = float("inf")


def kept_for(policy: Mapping[str, Any]) -> float:
    """Return the seconds after which a policy deletes, ILM's or ISM's; infinite for one that never does.

    Raises `ValueError` for a time that cannot be read.
    """
    inner = policy.get("policy", policy)
    if "states" in inner:
        deleting = {
            state["name"] for state in inner["states"] if any("delete" in action for action in state.get("actions", ()))
        }
        ages = [
            _seconds(str(age))
            for state in inner["states"]
            for transition in state.get("transitions", ())
            if transition.get("state_name") in deleting
            for age in transition.get("conditions", {}).values()
        ]
        return min(ages, default=FOREVER)
    phase = inner.get("phases", {}).get("delete")
    if not phase or "delete" not in phase.get("actions", {}):
        return FOREVER
    return _seconds(str(phase.get("min_age", "0ms")))


def in_words(seconds: float) -> str:
    """Say how long, in days where that is exact enough."""
    if seconds == FOREVER:
        return "for ever"
    days = seconds / 86_400
    return f"{days:g} days" if days >= 1 else f"{seconds:g} s"


def _seconds(text: str) -> float:
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a time")
    return float(match[1]) * _SECONDS[match[2]]
