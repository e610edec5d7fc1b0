"""The headers that every response carries, and those that a web configuration puts in their place."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping

from aiohttp import web

_DEFAULTS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Server": "keywatch",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "deny",
}


def dress(response: web.StreamResponse, given: Mapping[str, str] | None = None) -> None:
    """Add what is missing; what is `given` wins, and is left out when it is empty."""
    for name, value in _DEFAULTS.items():
        response.headers.setdefault(name, value)
    for name, value in (given or {}).items():
        response.headers.popall(name, None)
        if value:
            response.headers[name] = value


def page_policy(style: str) -> str:
    """Return the Content-Security-Policy of a page that needs nothing but this one style, known by its hash."""
    known = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{known}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
