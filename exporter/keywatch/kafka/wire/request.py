"""One request to a broker as it is sent, whatever it asks."""

from __future__ import annotations

from typing import NamedTuple


class Request(NamedTuple):
    """One request: API key, version, whether that version is flexible (KIP-482), and the encoded body."""

    api: int
    version: int
    flexible: bool
    body: bytes
