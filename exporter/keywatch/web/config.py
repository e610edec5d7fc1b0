"""The web configuration: every key of the file that protects keywatch's own port, in the form of Prometheus.

https://prometheus.io/docs/prometheus/latest/configuration/https/ describes that form.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from keywatch.config.paths import FilePath, not_empty
from keywatch.config.security import Section
from keywatch.web.ciphers import TLS12_SUITES, checked_curve, checked_suite
from keywatch.web.values import VERIFIED, bcrypt_hash, header_value, possible_client_auth, seconds, spoken_version

Version = Annotated[Literal["TLS12", "TLS13"], BeforeValidator(spoken_version)]
HeaderValue = Annotated[str, AfterValidator(header_value)]


class TlsServerSection(Section):
    """TLS on keywatch's own port; present means that nothing else is spoken there."""

    cert: Annotated[str, BeforeValidator(not_empty)] | None = None
    key: Annotated[SecretStr, BeforeValidator(not_empty)] | None = None
    client_ca: Annotated[str, BeforeValidator(not_empty)] | None = None
    cert_file: FilePath | None = None
    key_file: FilePath | None = None
    client_ca_file: FilePath | None = None
    client_auth_type: Annotated[
        Literal["NoClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"],
        BeforeValidator(possible_client_auth),
    ] = "NoClientCert"
    client_allowed_sans: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    min_version: Version = "TLS12"
    max_version: Version = "TLS13"
    cipher_suites: tuple[Annotated[str, AfterValidator(checked_suite)], ...] = ()
    prefer_server_cipher_suites: bool = True
    curve_preferences: tuple[Annotated[str, AfterValidator(checked_curve)], ...] = ()

    @model_validator(mode="after")
    def _sources(self) -> Self:
        for name, text, path, needed in (
            ("cert", self.cert, self.cert_file, True),
            ("key", self.key, self.key_file, True),
            ("client_ca", self.client_ca, self.client_ca_file, self.client_auth_type in VERIFIED),
        ):
            if text is not None and path is not None:
                raise ValueError(f"{name} and {name}_file exclude each other")
            if needed and text is None and path is None:
                why = f", as client_auth_type is {self.client_auth_type}" if name == "client_ca" else ""
                raise ValueError(f"{name}_file is missing{why}")
        return self

    @model_validator(mode="after")
    def _clients(self) -> Self:
        authority = self.client_ca is not None or self.client_ca_file is not None
        if authority and self.client_auth_type not in VERIFIED:
            raise ValueError(f"client_ca_file needs client_auth_type to be one of {', '.join(VERIFIED)}")
        if self.client_allowed_sans is not None and self.client_auth_type != "RequireAndVerifyClientCert":
            raise ValueError("client_allowed_sans needs client_auth_type: RequireAndVerifyClientCert")
        return self

    @model_validator(mode="after")
    def _handshake(self) -> Self:
        if self.min_version > self.max_version:
            raise ValueError(f"min_version {self.min_version} is above max_version {self.max_version}")
        if self.cipher_suites and self.min_version == "TLS12" and not TLS12_SUITES.keys() & set(self.cipher_suites):
            raise ValueError("cipher_suites names none for TLS 1.2; add one, or set min_version: TLS13")
        if len(self.curve_preferences) > 1:
            raise ValueError("curve_preferences has several entries; Python's TLS takes one, or chooses without it")
        return self


class HeadersSection(Section):
    """Headers of every response, in place of what keywatch sends by itself; an empty one leaves it out."""

    model_config = ConfigDict(alias_generator=lambda name: "-".join(map(str.capitalize, name.split("_"))))

    content_security_policy: HeaderValue = ""
    strict_transport_security: HeaderValue = ""
    x_content_type_options: Literal["nosniff"] = "nosniff"
    x_frame_options: Literal["deny", "sameorigin"] = "deny"
    x_xss_protection: HeaderValue = Field("", alias="X-XSS-Protection")

    def given(self) -> Mapping[str, str]:
        """Return the headers that the file names."""
        return self.model_dump(by_alias=True, exclude_unset=True)


class HttpServerSection(Section):
    """How HTTP is spoken; HTTP/1.1 always, which `http2: true` only allows for more than."""

    http2: bool = True
    headers: HeadersSection = HeadersSection()


class RateLimitSection(Section):
    """One bucket of tokens for all requests together: one token each `interval` (seconds, 0: no limit)."""

    interval: Annotated[float, BeforeValidator(seconds), Field(le=86_400)] = 0.0
    burst: int = Field(0, ge=0, le=1_000_000)

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.interval and not self.burst:
            raise ValueError("burst must be at least 1, or every request is refused")
        return self


class WebConfig(Section):
    """Everything."""

    tls_server_config: TlsServerSection | None = None
    http_server_config: HttpServerSection = HttpServerSection()
    basic_auth_users: dict[str, Annotated[SecretStr, AfterValidator(bcrypt_hash)]] = Field(default_factory=dict)
    rate_limit: RateLimitSection = RateLimitSection()

    @field_validator("tls_server_config", mode="before")
    @classmethod
    def _present(cls, tls: object) -> object:
        if tls is None:  # all its keys commented out: plaintext is hardly what was meant
            raise ValueError("is empty; name cert_file and key_file, or leave it out for plain HTTP")
        return tls

    @field_validator("basic_auth_users", mode="before")
    @classmethod
    def _names(cls, users: object) -> object:
        for name in users if isinstance(users, Mapping) else ():
            # The name is not quoted: a hash or a password may stand in its place by mistake.
            if isinstance(name, str) and (not name or ":" in name or name.startswith("$2")):
                raise ValueError("a user's name is empty, holds a colon or is a hash; write USER: HASH")
        return users
