"""Which Prometheus a rule file is for: its release, and whether experimental functions are on."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

Release = tuple[int, int]
NEWEST: Final[Release] = (3, 16)
"""What is known of later releases is nothing: they are taken for this one."""
OLDEST: Final[Release] = (2, 42)
_WRITTEN = re.compile(r"v?(\d{1,3})\.(\d{1,3}|x)(\.\d{1,3})?")


class Prometheus(NamedTuple):
    """One Prometheus, as far as it matters for what it loads."""

    release: Release = NEWEST
    experimental: bool = False
    """Started with the feature flags of PromQL: experimental functions, `fill`, and what was still a flag then."""

    def __str__(self) -> str:
        """Return its name for messages."""
        return f"Prometheus {self.release[0]}.{self.release[1]}"

    def since(self, major: int, minor: int) -> bool:
        """Return whether it has what came with that release."""
        return self.release >= (major, minor)

    def flagged(self, flag: Release, stable: Release | None) -> bool:
        """Return whether it has what came behind a flag with one release and without it with another, if any."""
        return (stable is not None and self.release >= stable) or (self.experimental and self.release >= flag)

    @property
    def utf8(self) -> bool:
        """Names of metrics and labels may hold any letter, and stand in quotes."""
        return self.since(3, 0)

    @property
    def numbers_are_durations(self) -> bool:
        """A number may stand for a duration and the other way round; numbers may have underscores."""
        return self.since(2, 54)

    @property
    def duration_expressions(self) -> bool:
        """Durations may be calculated: `[5m * 2]`."""
        return self.flagged((3, 4), (3, 14))

    @property
    def extended_ranges(self) -> bool:
        """The modifiers `anchored` and `smoothed`."""
        return self.flagged((3, 7), (3, 16))


def release(text: str) -> Release:
    """Read `2.42`, `3.16`, `v3.5.1` or `3.x`; raises `ValueError` with what is allowed."""
    found = _WRITTEN.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no release of Prometheus; allowed: 2.42 to 2.55, 3.0 to 3.16, 2.x, 3.x")
    major = int(found[1])
    newest = {2: 55, 3: NEWEST[1]}.get(major)
    if newest is None:
        raise ValueError(f"Prometheus {text} is not known; allowed: 2.42 to 2.55, 3.0 to 3.16, 2.x, 3.x")
    minor = newest if found[2] == "x" else int(found[2])
    if (major, minor) < OLDEST:
        raise ValueError(f"Prometheus {text} is too old; allowed: 2.42 and later")
    return major, min(minor, newest)
