"""The names of TLS suites and curves as a web configuration writes them, and what OpenSSL calls the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

TLS13_SUITES = frozenset({"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"})
"""Always on in TLS 1.3, whatever a list says."""

TLS12_SUITES: Mapping[str, str] = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
}

CURVES: Mapping[str, str] = {
    "CurveP256": "prime256v1",
    "CurveP384": "secp384r1",
    "CurveP521": "secp521r1",
    "X25519": "X25519",
}


def checked_suite(name: str) -> str:
    """Return the name of a suite back; raises `ValueError` for one that is not known or not safe."""
    if name not in TLS12_SUITES and name not in TLS13_SUITES:
        raise ValueError(f"{name!r} is not allowed; allowed: {', '.join(sorted({*TLS12_SUITES, *TLS13_SUITES}))}")
    return name


def checked_curve(name: str) -> str:
    """Return the name of a curve back; raises `ValueError`."""
    if name not in CURVES:
        raise ValueError(f"{name!r} is not allowed; allowed: {', '.join(CURVES)}")
    return name


def openssl_suites(names: Iterable[str]) -> str:
    """Write the suites for TLS 1.2 among `names` as OpenSSL's list, in their order; empty when there are none."""
    return ":".join(TLS12_SUITES[name] for name in names if name in TLS12_SUITES)
