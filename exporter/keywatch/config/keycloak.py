"""The part of the configuration that says where the Keycloaks are whose events cross a cluster."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from keywatch.config.paths import FilePath
from keywatch.config.security import Section, TlsSection, Url, Variable, check_tls, distinct


class BasicAuthSection(Section):
    """Who keywatch is to a proxy in front of the server."""

    username: str = Field(..., min_length=1, description="User.")
    password: SecretStr | None = Field(None, description="Password.")
    password_file: FilePath | None = Field(None, description="File that holds the password.")
    password_env: Variable | None = Field(None, description="Variable that holds the password.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [key for key in ("password", "password_file", "password_env") if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError(f"{' and '.join(given)} are given; only one may be" if given else "password is missing")
        return self


class KeycloakSection(Section):
    """Probe `keycloak`: is each node of Keycloak alive and ready, and if not, why? One entry for each node."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,100}$")] = Field(
        ..., description="Value of the label `keycloak`."
    )
    url: Url = Field(
        ...,
        description="The management interface, http(s)://host:9000; before Keycloak 25 port 8080; with a path, if any.",
    )
    tls: TlsSection | None = Field(None, description="TLS towards an https:// URL; unset: the system's authorities.")
    basic_auth: BasicAuthSection | None = Field(None, description="Who keywatch is to a proxy in front of it.")
    period: float = Field(0.5, ge=0.1, le=3600, description="Seconds between two questions.")
    timeout: float = Field(1.0, ge=0.1, le=60, description="Seconds Keycloak has to answer.")
    misses: int = Field(2, ge=1, le=20, description="Failures in a row after which it is down.")
    renew_after: float = Field(3.0, ge=0.1, le=3600, description="Seconds after which a new connection is opened.")

    @model_validator(mode="after")
    def _tls_fits(self) -> Self:
        check_tls(self.url, self.tls)
        return self


KeycloakSections = Annotated[tuple[KeycloakSection, ...], AfterValidator(distinct)]
