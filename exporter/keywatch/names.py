"""How names that others chose are shown: whole while they are of a usual length, else shortened and told apart."""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b
from typing import Final

LONGEST: Final = 255
"""Letters of the longest name that is shown whole; topics have up to 249, realms up to 255, groups up to 32,767."""
LONGEST_WORDS: Final = 2000
"""Letters of the longest words about what is wrong: they quote names, and what others answered."""
_BEGINNING = 100
_DIGEST_BYTES = 20
_MARK = "…"
_LENGTH = _BEGINNING + len(_MARK) + 2 * _DIGEST_BYTES
_SHORTENED = re.compile(rf".{{{_BEGINNING}}}{_MARK}[0-9a-f]{{{2 * _DIGEST_BYTES}}}", re.DOTALL)


def shortened(name: str) -> str:
    """Return a name as labels, pages and logs show it: whole, or its beginning and a digest of all of it.

    Two names never become one: also a name that looks like a shortened one is told by its digest. So it is to be called
    once for each name, where the name is shown.
    """
    if len(name) <= LONGEST and not (len(name) == _LENGTH and _SHORTENED.fullmatch(name)):
        return name
    return _with_digest(name)


def cut(words: str) -> str:
    """Return words about what is wrong, cut where they are longer than anybody reads."""
    return words if len(words) <= LONGEST_WORDS else f"{words[: LONGEST_WORDS - len(_MARK)]}{_MARK}"


# One long name is shown in all series of its group; a few of them are remembered, because each may be 130 kB.
@lru_cache(maxsize=32)
def _with_digest(name: str) -> str:
    digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).hexdigest()
    return f"{name[:_BEGINNING]}{_MARK}{digest}"
