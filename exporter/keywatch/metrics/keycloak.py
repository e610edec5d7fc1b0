"""The metrics of Keycloak's nodes (standard library only)."""

from __future__ import annotations

from typing import Final

from keywatch.metrics.metric import Metric, MetricKind

_CK: Final = ("cluster", "keycloak")

KEYCLOAK_UP = Metric(
    "keywatch_keycloak_up",
    MetricKind.GAUGE,
    "1 when Keycloak answers that it lives, 0 after two misses in a row.",
    _CK,
    "keycloak",
    health=True,
)
KEYCLOAK_READY = Metric(
    "keywatch_keycloak_ready",
    MetricKind.GAUGE,
    "1 when Keycloak answers that it is ready to serve; 0 when it does not, or does not answer.",
    _CK,
    "keycloak",
    health=True,
)
KEYCLOAK_STARTED = Metric(
    "keywatch_keycloak_started",
    MetricKind.GAUGE,
    "1 when Keycloak answers that it has started.",
    _CK,
    "keycloak",
)
KEYCLOAK_CHECK = Metric(
    "keywatch_keycloak_check",
    MetricKind.GAUGE,
    "1 when a check that readiness is made of says UP, 0 when it says DOWN.",
    (*_CK, "check"),
    "keycloak",
    health=True,
)
KEYCLOAK_DOWN_REASON = Metric(
    "keywatch_keycloak_down_reason",
    MetricKind.GAUGE,
    "1 for the reason why Keycloak is down, 0 for a reason that no longer holds.",
    (*_CK, "reason"),
    "keycloak",
    health=True,
)
KEYCLOAK_FAILURES_TOTAL = Metric(
    "keywatch_keycloak_failures_total",
    MetricKind.COUNTER,
    "Single questions that Keycloak did not answer as it should, by reason.",
    (*_CK, "reason"),
    "keycloak",
)
KEYCLOAK_RESPONSE_SECONDS = Metric(
    "keywatch_keycloak_response_seconds",
    MetricKind.GAUGE,
    "How long Keycloak's last answer took, connection set-up left out.",
    _CK,
    "keycloak",
    health=True,
)
KEYCLOAK_TLS_CERTIFICATE_NOT_AFTER_TIMESTAMP_SECONDS = Metric(
    "keywatch_keycloak_tls_certificate_not_after_timestamp_seconds",
    MetricKind.GAUGE,
    "When the certificate that Keycloak last showed ends, in Unix time.",
    _CK,
    "keycloak",
)
