"""The bounds of keywatch's own port, and the closed set of reasons for which it turns somebody away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from keywatch.engine.probe import Sample
from keywatch.engine.store import Store
from keywatch.metrics import exporter as exporter_metrics


@dataclass(frozen=True)
class Limits:
    """How many and how long; times in seconds. A scrape needs milliseconds, so that nobody honest comes near them."""

    connections: int = 128
    """Open at once. One more takes the place of one that waits; see `web_crowd`."""
    answers: int = 16
    """Answers at once: each holds a text that may have megabytes."""
    checks: int = 32
    """Passwords that are checked or wait for that."""
    handshake: float = 5.0
    """For a TLS handshake."""
    request: float = 10.0
    """From the first byte of a request, or from a connection's beginning, until its headers are complete."""
    request_bytes: int = 32 * 1024
    """What may come before the answer to it begins; no page of keywatch reads a body."""
    answer: float = 30.0
    """Until an answer is taken."""
    patience: float = 1.0
    """After that, an answer that is not taken gives way to another one."""
    idle: float = 300.0
    """Between two requests on a connection: longer than any usual scrape interval."""
    parting: float = 2.0
    """For TLS's goodbye."""


class Refusal(StrEnum):
    """Why a request was refused or a connection ended."""

    TLS_HANDSHAKE = "tls_handshake"
    CLIENT_CERTIFICATE = "client_certificate"
    CROWDED = "crowded"
    SLOW_REQUEST = "slow_request"
    SLOW_READER = "slow_reader"
    TOO_LARGE = "too_large"
    BAD_REQUEST = "bad_request"
    RATE_LIMITED = "rate_limited"
    UNAUTHORIZED = "unauthorized"
    THROTTLED = "throttled"
    FOREIGN_HOST = "foreign_host"
    FOREIGN_PAGE = "foreign_page"


Count = Callable[[Refusal], None]
"""Takes note of a refusal."""


def counter(store: Store) -> Count:
    """Count refusals in the store; each reason is there from the beginning, or its first one would be no increase."""

    def count(refusal: Refusal, by: float = 1.0) -> None:
        store.accumulate([Sample(exporter_metrics.WEB_REFUSED_TOTAL, (refusal,), by)])

    for refusal in Refusal:
        count(refusal, 0.0)
    return count
