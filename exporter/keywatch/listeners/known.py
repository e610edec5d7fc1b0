"""The listeners that keywatch knows by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from keywatch.listeners.cinezy import CINEZY
from keywatch.listeners.profile import Profile
from keywatch.listeners.redhatinsights import REDHATINSIGHTS
from keywatch.listeners.scriptonbasestar import SCRIPTONBASESTAR
from keywatch.listeners.snuk87 import SNUK87
from keywatch.listeners.yusufemrebilgin import YUSUFEMREBILGIN

KNOWN: Final[Mapping[str, Profile]] = MappingProxyType(
    {profile.name: profile for profile in (SCRIPTONBASESTAR, SNUK87, REDHATINSIGHTS, YUSUFEMREBILGIN, CINEZY)}
)
"""Name → profile; what is not here is `custom`."""
