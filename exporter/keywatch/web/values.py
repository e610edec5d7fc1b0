"""Single values of a web configuration: each check gives the value back or says what is wrong and what is allowed."""

from __future__ import annotations

import re
from typing import Any

from pydantic import SecretStr

# 21 characters of salt and one that only holds two bits, then the hash; $2y$ is what htpasswd writes.
_HASH = re.compile(r"\$2[aby]\$(?P<cost>[0-9]{2})\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}")
_COSTS = range(4, 17)  # a cost of 16 takes some 4 s, and Prometheus gives a scrape 10 s
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h)")
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_OLD_VERSIONS = ("TLS10", "TLS11")
_UNVERIFIED = ("RequestClientCert", "RequireAnyClientCert", "RequireClientCert")
VERIFIED = ("VerifyClientCertIfGiven", "RequireAndVerifyClientCert")


def spoken_version(value: Any) -> Any:
    """Refuse versions of TLS that no one may speak any more; raises `ValueError`, as all these do."""
    if value in _OLD_VERSIONS:
        raise ValueError(f"{value!r} is not allowed: it is broken (RFC 8996); allowed: TLS12, TLS13")
    return value


def possible_client_auth(value: Any) -> Any:
    """Refuse ways to ask for a client's certificate that Python's `ssl` does not have."""
    if value in _UNVERIFIED:
        raise ValueError(
            f"{value!r} is not allowed: it lets in any certificate, and Python's TLS verifies each one that it asks"
            f" for; allowed: NoClientCert, {', '.join(VERIFIED)}"
        )
    return value


def seconds(value: Any) -> float:
    """Read a length of time as Go writes it, such as `1m30s`."""
    text = "0s" if value in (0, "0") and value is not False else value
    if not isinstance(text, str) or not re.fullmatch(f"(?:{_DURATION.pattern})+", text):
        raise ValueError("is not a length of time; allowed: 0, or numbers with units such as 100ms, 1s or 1m30s")
    return sum(float(number) * _UNITS[unit] for number, unit in _DURATION.findall(text))


def bcrypt_hash(value: SecretStr) -> SecretStr:
    """Refuse what is not a bcrypt hash, or one that takes longer than a scrape may; never quotes it."""
    match = _HASH.fullmatch(value.get_secret_value())
    if match is None:
        raise ValueError("is not a bcrypt hash; allowed: what `htpasswd -nBC 12 USER` prints after USER:")
    if int(match["cost"]) not in _COSTS:
        raise ValueError(f"its bcrypt cost {int(match['cost'])} is out of range; allowed: {_COSTS[0]} to {_COSTS[-1]}")
    return value


def header_value(value: str) -> str:
    """Refuse what would end a header's line."""
    if not re.fullmatch(r"[\t\x20-\x7e]*", value):
        raise ValueError("holds a character that a header cannot carry; allowed: printable ASCII")
    return value
