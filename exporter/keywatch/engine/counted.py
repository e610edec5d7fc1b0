"""Says how many there are of a thing as people do: one of it, or several."""

from __future__ import annotations


def counted(count: float, noun: str, verb: str = "", verbs: str = "") -> str:
    """Write how many there are of what has an ordinary plural, and with `verb`, or `verbs` of several, what it does."""
    number, one = f"{count:.0f}", count == 1
    return " ".join(filter(None, (number, noun if one else f"{noun}s", verb if one else verbs)))
