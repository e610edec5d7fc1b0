"""Moments as flags: so long ago, or a time of ISO 8601."""

from __future__ import annotations

import argparse
import datetime as dt
import re

_AGO = re.compile(r"(\d{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def moment(text: str) -> dt.datetime:
    """Read `15m` as that long ago, or a moment of ISO 8601, in UTC without a zone; raises `ArgumentTypeError`."""
    match = _AGO.fullmatch(text)
    try:
        if match:
            return dt.datetime.now(dt.UTC) - dt.timedelta(**{_UNITS[match[2]]: int(match[1])})
        found = dt.datetime.fromisoformat(text)
        return found.replace(tzinfo=dt.UTC) if found.tzinfo is None else found.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        words = f"{text!r} is no time; allowed: 30s, 15m, 24h, 7d, or 2026-11-25T08:00:00Z"
        raise argparse.ArgumentTypeError(words) from None
