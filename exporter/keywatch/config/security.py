"""The part of the configuration that says how keywatch proves itself to brokers, and they to it: TLS and SASL."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Literal, Protocol, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, SecretStr, model_validator

from keywatch.config.paths import FilePath
from keywatch.surfaces import without_secrets


class Section(BaseModel):
    """What all sections share: unknown keys are errors, and what was read does not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, allow_inf_nan=False)


def _checked_url(text: str) -> str:
    """Take a URL that paths are put behind: a query could only be a secret or a mistake."""
    if "?" in text or "#" in text:
        raise ValueError("must be http://… or https://…, without a query in it")
    return _checked_token_url(text)


def _checked_token_url(text: str) -> str:
    scheme, separator, rest = text.partition("://")
    host = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if scheme not in {"http", "https"} or not separator or not host or "@" in host:
        raise ValueError("must be http://… or https://…, without a user in it")
    if not text.isprintable() or " " in text or "\\" in text:
        raise ValueError("must be http://… or https://…, without spaces, backslashes or line ends in it")
    return text


def _not_auth(name: str) -> str:
    if name == "auth":
        raise ValueError("auth is the token itself; it is no extension")
    return name


class Named(Protocol):
    """A section of which there may be several, told apart by name."""

    @property
    def name(self) -> str:
        """Its name."""


_N = TypeVar("_N", bound=Named)


def distinct(sections: Sequence[_N]) -> Sequence[_N]:
    """Return the sections if each has a name of its own; raises `ValueError`."""
    names = [section.name for section in sections]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two entries are called {name!r}; each needs a name of its own")
    return sections


Variable = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,100}$")]
Url = Annotated[str, AfterValidator(_checked_url)]
# Some servers tell their realms apart by a query; it is hidden wherever the URL is shown.
TokenUrl = Annotated[
    str, AfterValidator(_checked_token_url), PlainSerializer(without_secrets, return_type=str, when_used="json")
]


class TlsSection(Section):
    """TLS towards the brokers; present means TLS is spoken. The files are read again when they change."""

    ca_file: FilePath | None = Field(None, description="PEM file of the authorities to trust; default: the system's.")
    cert_file: FilePath | None = Field(None, description="PEM file of the client certificate, with its chain.")
    key_file: FilePath | None = Field(None, description="PEM file of the client certificate's key.")
    key_password: SecretStr | None = Field(None, description="Password of the key file.")
    key_password_file: FilePath | None = Field(None, description="File that holds the password of the key file.")
    key_password_env: Variable | None = Field(None, description="Variable that holds the password of the key file.")
    server_name: str | None = Field(None, description="Name to expect in the certificate in place of the host.")

    @model_validator(mode="after")
    def _pair(self) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            missing = "key_file" if self.key_file is None else "cert_file"
            raise ValueError(f"cert_file and key_file belong together; {missing} is missing")
        given = _one_of(self, "key_password")
        if given and self.key_file is None:
            raise ValueError(f"{given} is given, but no key_file")
        return self


def check_tls(url: str, tls: TlsSection | None) -> None:
    """Raise `ValueError` for TLS towards a server that is not spoken to by it."""
    if tls is not None and not url.startswith("https://"):
        raise ValueError("tls is given, but url is not https://")


CommandPart = Annotated[str, Field(pattern=r"^[^\x00]{1,4096}$")]
# As RFC 7628, 3.1 has keys and values; `auth` is the token's own. librdkafka joins them by commas.
ExtensionName = Annotated[str, Field(pattern=r"^[A-Za-z]{1,100}$"), AfterValidator(_not_auth)]
ExtensionValue = Annotated[str, Field(pattern=r"^[\x21-\x2b\x2d-\x7e]{1,1000}$")]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "GSSAPI"]
_OAUTH_KEYS = ("token_url", "client_id", "client_secret", "client_secret_file", "client_secret_env", "scope")
_TOKEN_KEYS = ("token_ca_file", "token_file", "token_command", "extensions")
_USER_KEYS = ("username", "username_file", "password", "password_file", "password_env")


class SaslSection(Section):
    """Who keywatch is to the brokers; present means SASL is spoken. The files are read again when they change."""

    mechanism: Mechanism = Field(..., description="How to prove it.")
    username: str | None = Field(None, min_length=1, description="User (PLAIN, SCRAM).")
    username_file: FilePath | None = Field(None, description="File that holds the user.")
    password: SecretStr | None = Field(None, description="Password (PLAIN, SCRAM).")
    password_file: FilePath | None = Field(None, description="File that holds the password.")
    password_env: Variable | None = Field(None, description="Variable that holds the password.")
    token_url: TokenUrl | None = Field(None, description="Where the client fetches tokens (OAUTHBEARER).")
    client_id: str | None = Field(None, min_length=1, description="The client's name there.")
    client_secret: SecretStr | None = Field(None, description="Its secret.")
    client_secret_file: FilePath | None = Field(None, description="File that holds its secret.")
    client_secret_env: Variable | None = Field(None, description="Variable that holds its secret.")
    scope: str | None = Field(None, description="Scope to ask for.")
    token_ca_file: FilePath | None = Field(None, description="PEM file of the authorities to trust for token_url.")
    token_file: FilePath | None = Field(
        None, description="File that holds a token, such as one that Kubernetes projects, in place of token_url."
    )
    token_command: tuple[CommandPart, ...] | None = Field(
        None,
        min_length=1,
        max_length=100,
        description="Program and arguments that print a token, in place of token_url.",
    )
    extensions: dict[ExtensionName, ExtensionValue] = Field(
        default_factory=dict,
        max_length=20,
        description="What goes with a token, such as logicalCluster and identityPoolId (OAUTHBEARER).",
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        user, password = _one_of(self, "username"), _one_of(self, "password")
        secret = _one_of(self, "client_secret")
        if self.mechanism == "OAUTHBEARER":
            self._refuse((*_USER_KEYS,))
            needs = {"token_url": self.token_url, "client_id": self.client_id, "client_secret": secret}
            for other in ("token_file", "token_command"):
                if getattr(self, other) is not None:
                    rest = {"token_ca_file", "token_file", "token_command"} - {other}
                    self._refuse((*_OAUTH_KEYS, *sorted(rest)), other)
                    needs = {}
        elif self.mechanism == "GSSAPI":
            self._refuse((*_USER_KEYS, *_OAUTH_KEYS, *_TOKEN_KEYS))
            needs = {}
        else:
            self._refuse((*_OAUTH_KEYS, *_TOKEN_KEYS))
            needs = {"username": user, "password": password}
        missing = [key for key, given in needs.items() if not given]
        if missing:
            raise ValueError(f"{self.mechanism} needs {' and '.join(missing)}")
        return self

    def _refuse(self, keys: tuple[str, ...], because_of: str = "") -> None:
        for key in keys:
            if getattr(self, key) not in (None, {}):
                raise ValueError(f"{key} means nothing to {because_of or self.mechanism}")


def _one_of(section: Section, name: str) -> str:
    """Return which source of a secret is given, empty for none; raises `ValueError` for two."""
    names = [key for key in (name, f"{name}_file", f"{name}_env") if getattr(section, key, None) is not None]
    if len(names) > 1:
        raise ValueError(f"{' and '.join(names)} are given; only one may be")
    return names[0] if names else ""
