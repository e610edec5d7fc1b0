"""How a listener is proved after a restart, as the flags say: Keycloak is ready, and an event arrives."""

from __future__ import annotations

import argparse
import asyncio
import time
from dataclasses import dataclass

from keywatch.cli import source
from keywatch.config.model import Cluster
from keywatch.config.secret import SecurityError
from keywatch.config.security import TlsSection
from keywatch.config.yaml_file import ConfigError, validated
from keywatch.kafka.client import Clients
from keywatch.kafka.security.identity import ClusterSecurity
from keywatch.net.http_peer import HttpPeer
from keywatch.provider.journal import ChangeError
from keywatch.provider.real_event import failed_login, from_now, new_user, ready

_KAFKA_SECONDS = 30.0
"""Longest wait for what Kafka tells of a topic."""


@dataclass(frozen=True)
class Proof:
    """What is asked after a restart; empty parts are left out."""

    management: str
    url: str
    realm: str
    topics: tuple[str, ...]
    cluster: Cluster | None
    tls: TlsSection | None
    ready_seconds: float
    event_seconds: float

    def __str__(self) -> str:
        """Return the plan of it."""
        if not self.management:
            return "none: give --ready URL"
        words = f"{self.management}/health/ready answers 200"
        if self.url:
            words += f", a login of nobody in realm {self.realm} is refused"
        if self.topics:
            words += f", and its event comes to {', '.join(self.topics)} within {self.event_seconds:g} s"
        return words

    async def ready(self) -> str:
        """Wait until Keycloak is ready and tell it; raises `ChangeError`."""
        if not self.management:
            return "whether Keycloak is ready is not known: --ready URL asks it"
        peer = HttpPeer(self.management, self.tls)
        try:
            await ready(peer, self.ready_seconds)
        finally:
            await peer.close()
        return "Keycloak is ready"

    def event(self) -> str:
        """Try a login and wait for its event, and tell it; raises `ChangeError`."""
        if not self.url:
            return "no login was tried: --url, --realm and --topic have an event prove the listener"
        user = new_user()
        if not self.topics or self.cluster is None:
            asyncio.run(self._login(user))
            return f"logins in realm {self.realm} are answered; --topic has an event prove the listener"
        try:
            clients = Clients(
                ",".join(map(str, self.cluster.bootstrap)), self.cluster.client, ClusterSecurity(self.cluster)
            )
        except SecurityError as error:
            raise ChangeError(str(error)) from None
        with from_now(clients, self.topics, _KAFKA_SECONDS) as topics:
            asyncio.run(self._login(user))
            began = time.monotonic()
            if topics.holds(user.encode(), self.event_seconds):
                took = time.monotonic() - began
                return f"the event came to {', '.join(self.topics)} after {took:.1f} s: the listener works"
        raise ChangeError(
            f"the event of a login in realm {self.realm} did not come to {', '.join(self.topics)} within "
            f"{self.event_seconds:g} s: is the listener set for the realm, and does it send LOGIN_ERROR?"
        )

    async def _login(self, user: str) -> None:
        peer = HttpPeer(self.url, self.tls)
        try:
            await failed_login(peer, self.realm, user)
        finally:
            await peer.close()


def proof(options: argparse.Namespace) -> Proof:
    """Make the proof that the flags ask for; raises `ConfigError` for flags that do not fit."""
    if bool(options.url) != bool(options.realm):
        raise ConfigError("--url and --realm go together")
    if options.topic and not options.url:
        raise ConfigError("--topic goes with --url and --realm: an event is made by a login")
    for flag, url in (("--ready", options.ready), ("--url", options.url)):
        if url and not url.startswith(("http://", "https://")):
            raise ConfigError(f"{flag} {url}: is no URL: it begins with http:// or https://")
    tls = validated(TlsSection, {"ca_file": options.ca_file}, "flags", {}) if options.ca_file else None
    return Proof(
        (options.ready or "").rstrip("/"),
        (options.url or "").rstrip("/"),
        options.realm or "",
        tuple(options.topic or ()),
        _cluster(options) if options.topic else None,
        tls,
        options.within,
        options.event_within,
    )


def _cluster(options: argparse.Namespace) -> Cluster:
    clusters = [one for one in source.configuration(options).clusters if options.cluster in (None, one.name)]
    if len(clusters) != 1:
        names = "several clusters" if clusters else f"no cluster {options.cluster}"
        raise ConfigError(f"the configuration has {names}; --cluster NAME says which is meant")
    return clusters[0]
