"""Tells a listener's own classes from those of libraries that it brings, as they are or under another name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_ROOTS: Final = (
    *(
        "org/apache",
        "com/fasterxml",
        "tools/jackson",
        "kotlin",
        "kotlinx",
        "io/prometheus",
        "io/micrometer",
        "org/slf4j",
    ),
    *("ch/qos", "org/xerial", "com/github/luben", "net/jpountz", "org/jetbrains", "org/intellij", "com/google"),
    *("io/netty", "org/yaml", "javax", "jakarta", "org/jboss", "io/quarkus", "io/smallrye", "scala", "groovy"),
    *("io/confluent", "org/bouncycastle", "org/lz4", "io/opentelemetry", "org/checkerframework", "org/bitbucket"),
    *("org/codehaus", "io/vertx", "com/sun", "org/glassfish", "io/cloudevents", "org/json", "net/minidev", "okhttp3"),
)
_HOSTS: Final = frozenset({"github", "gitlab", "bitbucket"})
_RELOCATED: Final = re.compile(r"(?:^|/)(?:shaded?|shadow|repackaged|relocated|thirdparty|vendor|libs?)/")
_LIBRARY: Final = re.compile(rf"(?:^|/)(?:{'|'.join(_ROOTS)})/")
_BROUGHT: Final = re.compile(rf"^(?:{'|'.join(_ROOTS)})/")
# What Kafka's client does without, and what for (its pom has them as optional, or they are for one setting alone).
OPTIONAL: Final = {
    "com/github/luben/zstd/": "compression.type=zstd",
    "net/jpountz/": "compression.type=lz4",
    "org/xerial/snappy/": "compression.type=snappy",
    "org/jose4j/": "SASL/OAUTHBEARER with tokens that the client checks",
    "com/fasterxml/jackson/": "SASL/OAUTHBEARER and JSON of the client's own",
    "org/ietf/jgss/": "SASL/GSSAPI",
    "io/opentelemetry/": "metrics pushed to the broker",
    "javax/servlet/": "",
    "org/apache/kafka/shaded/": "metrics pushed to the broker",
}
"""Names that libraries refer to and do without, with what fails then; empty: nothing that a listener uses."""


def is_library(name: str, own: frozenset[str]) -> bool:
    """Return whether a class is a library's; `own` holds the packages that the provider's classes stand in."""
    if _RELOCATED.search(name):
        return True
    package = next((package for package in own if name.startswith(package)), None)
    if package is None:
        return bool(own) or _LIBRARY.search(name) is not None
    # Brought under another name: a library's package within the listener's own.
    return _BROUGHT.match(package) is None and _LIBRARY.search(name, len(package) - 1) is not None


def packages(classes: Iterable[str]) -> frozenset[str]:
    """Return the beginnings of the packages of some classes that tell whose they are, such as `org/shop/`."""
    found = set()
    for name in classes:
        parts = name.split("/")[:-1]
        if parts:
            found.add("/".join(parts[: 3 if parts[1:2] and parts[1] in _HOSTS else 2]) + "/")
    return frozenset(found)


def family(name: str) -> str:
    """Return what a class of a library is told as: its package, three parts of it at most."""
    return ".".join(name.split("/")[:-1][:3]) or name
