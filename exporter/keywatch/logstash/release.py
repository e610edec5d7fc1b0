"""Which Logstash a pipeline is for: what its grammar and its settings have depends on it."""

from __future__ import annotations

import re
from typing import NamedTuple


class Release(NamedTuple):
    """A release of Logstash; its patches make no difference here."""

    major: int
    minor: int


NEWEST = Release(9, 99)
COMMENTS_ANYWHERE = Release(8, 15)
"""The first whose grammar lets comments stand between entries of tables and in a last line that does not end."""
RENAMED_OPTIONS = Release(9, 0)
"""The first without the options that were renamed, such as `ssl` and `cacert`."""
_OLDEST = Release(8, 0)
_WRITTEN = re.compile(r"(\d{1,2})(?:\.(\d{1,2}|x)(?:\.(?:\d{1,3}|x))?)?")


def release(text: str) -> Release:
    """Read a release as it is written, such as 9, 8.14 or 8.14.3; raises `ValueError`.

    A major alone, or with `.x`, means the newest of its releases.
    """
    found = _WRITTEN.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no release of Logstash; one is 8.14 or 9")
    minor = int(found[2]) if found[2] and found[2] != "x" else NEWEST.minor
    read = Release(int(found[1]), minor)
    if read < _OLDEST:
        raise ValueError(f"Logstash {text} is too old; 8.0 and newer are known")
    return read
