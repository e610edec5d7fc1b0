"""How one cluster's brokers and keywatch prove themselves to each other: TLS, then SASL, for every kind of client."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from keywatch.config.model import Cluster
from keywatch.config.sasl import SaslSection
from keywatch.config.secret import Secret, SecretError, SecurityError
from keywatch.engine.looking import Looking
from keywatch.kafka.connection import BrokerConnection
from keywatch.kafka.security.aws_msk import AwsMskToken, SignerMissingError
from keywatch.kafka.security.client_proof import (
    ClientProof,
    GivenAssertion,
    KeyUnusableError,
    SharedSecret,
    SignedAssertion,
)
from keywatch.kafka.security.oauth import TokenFile, Tokens
from keywatch.kafka.security.sasl import Credentials, Exchange, OAuthBearer, Plain, Scram
from keywatch.kafka.security.token_command import TokenCommand
from keywatch.kafka.security.token_server import TokenServer
from keywatch.net.tls import Tls, TlsSource, Trust

# A client tries some broker every half of `reconnect.backoff.ms`, also while each refuses its credentials or its
# certificate, and every broker logs each try. Measured: with 1000 ms it is twice a second, or a little more.
_CALM = {"reconnect.backoff.ms": 1200, "reconnect.backoff.max.ms": 2000}
_TOKEN_CA = ("sasl", "token_ca_file")


class ClusterSecurity:
    """Everything of one cluster that proves identity; files are read again when they change."""

    def __init__(self, cluster: Cluster) -> None:
        """Read all files; raises `SecurityError`."""
        self._tls = TlsSource(cluster.tls) if cluster.tls is not None else None
        self._sasl = cluster.sasl
        self._secrets: dict[str, Secret] = {}
        self._tokens: Tokens | None = None
        """Where tokens come from, which librdkafka's clients are handed too: they fetch none themselves."""
        self._token_ca: Trust | None = None
        self._credentials = self._prepare(cluster.sasl) if cluster.sasl is not None else None
        changes = any(secret.is_file for secret in self._secrets.values())
        changes = changes or (self._tls is not None and self._tls.has_files)
        changes = changes or self._token_ca is not None
        sources = [one for one in (self._tls, self._token_ca, *self._secrets.values()) if one is not None]
        self._looking = Looking(f"files-{cluster.name}", partial(_look, sources)) if changes else None

    async def fresh(self) -> None:
        """Have the files looked at, on a thread, so that what follows goes by what they say now."""
        if self._looking is not None:
            await self._looking.fresh()

    def tls(self) -> Tls | None:
        """Return how to speak TLS now; None for plaintext."""
        return self._tls.current() if self._tls is not None else None

    async def authenticate(self, connection: BrokerConnection, timeout: float) -> None:
        """Prove who keywatch is, within `timeout` seconds; raises `BrokerError`.

        GSSAPI is librdkafka's alone: a raw connection stops at ApiVersions, which brokers answer to anyone.
        """
        if self._credentials is not None:
            exchange = Exchange(connection, timeout)
            await exchange.greet(self._credentials.mechanism)
            await self._credentials.prove(exchange)

    @property
    def speechless(self) -> bool:
        """Whether raw connections cannot log in, so that all they can ask for is ApiVersions."""
        return self._sasl is not None and self._credentials is None

    def version(self) -> tuple[int, ...]:
        """Return what changes when a certificate or a secret changed, so that clients must be made anew."""
        tls = (self._tls.version,) if self._tls is not None else ()
        return (*tls, *(self._credentials.version() if self._credentials else ()))

    def client_settings(self) -> dict[str, Any]:
        """Make librdkafka's settings, with the secrets as they are now."""
        protocol = ("SASL_" if self._sasl else "") + ("SSL" if self._tls else "PLAINTEXT")
        settings: dict[str, Any] = {} if protocol == "PLAINTEXT" else {"security.protocol": protocol, **_CALM}
        if self._tls is not None:
            settings |= self._tls.client_settings()
        if self._sasl is not None:
            settings |= self._sasl_settings(self._sasl)
        return settings

    def warnings(self) -> list[str]:
        """Name what works but should not be so."""
        found = self._tls.warnings() if self._tls is not None else []
        if self._tls is None and self._sasl is not None and self._sasl.mechanism in {"PLAIN", "OAUTHBEARER"}:
            found.append(f"sasl.mechanism: {self._sasl.mechanism} without tls sends the secret readable to everybody")
        if self._sasl is not None and (self._sasl.token_url or "").startswith("http://"):
            what = "tokens" if _signs(self._sasl) else "the client's secret"
            found.append(f"sasl.token_url: http:// sends {what} readable to everybody")
        if (key := self._secrets.get("client_key_file")) is not None and key.is_open_to_all():
            found.append("sasl.client_key_file can be read by everybody on this machine")
        return found

    def _prepare(self, section: SaslSection) -> Credentials | None:
        for name in ("username", "password", "client_secret"):
            value, file, env = (getattr(section, f"{name}{suffix}", None) for suffix in ("", "_file", "_env"))
            if isinstance(value, str):
                value = SecretStr(value)
            try:
                self._secrets[name] = Secret(value, file, env)
            except SecretError as error:
                raise SecurityError(("sasl", name), str(error)) from error
        if section.mechanism == "PLAIN":
            return Plain(self._secrets["username"], self._secrets["password"])
        if section.mechanism == "OAUTHBEARER":
            self._tokens = self._origin(section)
            return OAuthBearer(self._tokens, section.extensions)
        if section.mechanism == "GSSAPI":
            return None
        return Scram(section.mechanism, self._secrets["username"], self._secrets["password"])

    def _origin(self, section: SaslSection) -> Tokens:
        """Return where tokens come from. No client is made anew when they change: each asks by itself."""
        if section.token_file is not None:
            return TokenFile(self._read("token_file", section.token_file))
        if section.token_command is not None:
            return TokenCommand(section.token_command)
        if section.aws_region is not None:
            try:
                return AwsMskToken(section.aws_region, profile=section.aws_profile, role_arn=section.aws_role_arn)
            except SignerMissingError as error:
                raise SecurityError(("sasl", "aws_region"), str(error)) from None
        if section.token_ca_file is not None:
            self._token_ca = Trust(section.token_ca_file, _TOKEN_CA)
        return TokenServer(
            section.token_url or "",
            self._client_proof(section),
            scope=section.scope,
            audience=section.audience,
            context=self._token_ca.current if self._token_ca is not None else None,
        )

    def _client_proof(self, section: SaslSection) -> ClientProof:
        client_id = section.client_id or ""
        if section.client_assertion_file is not None:
            return GivenAssertion(client_id, self._read("client_assertion_file", section.client_assertion_file))
        if section.client_key_file is None:
            return SharedSecret(client_id, self._secrets["client_secret"])
        try:
            return SignedAssertion(
                client_id,
                self._read("client_key_file", section.client_key_file),
                section.client_assertion_audience or section.token_url or "",
                key_id=section.client_key_id,
                algorithm=section.client_key_algorithm,
            )
        except KeyUnusableError as error:
            raise SecurityError(("sasl", "client_key_file"), f"{section.client_key_file} {error}") from None

    def _read(self, key: str, file: Path) -> Secret:
        """Return what a file holds that is looked at like secrets."""
        try:
            self._secrets[key] = Secret(None, file)
        except SecretError as error:
            raise SecurityError(("sasl", key), str(error)) from error
        return self._secrets[key]

    def _sasl_settings(self, section: SaslSection) -> dict[str, Any]:
        settings: dict[str, Any] = {"sasl.mechanism": section.mechanism}
        if self._tokens is not None:
            settings["oauth_cb"] = partial(self._tokens.for_client, section.extensions)
        elif section.mechanism != "GSSAPI":
            settings["sasl.username"] = self._secrets["username"].current()
            settings["sasl.password"] = self._secrets["password"].current()
        return settings


def _signs(section: SaslSection | None) -> bool:
    return section is not None and (section.client_key_file is not None or section.client_assertion_file is not None)


def _look(sources: Sequence[TlsSource | Trust | Secret]) -> None:
    """Read again what changed."""
    for source in sources:
        source.look()
