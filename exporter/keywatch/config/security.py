"""TLS as a part of the configuration, and what all of its sections share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Protocol, Self, TypeVar

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
        given = one_of(self, "key_password")
        if given and self.key_file is None:
            raise ValueError(f"{given} is given, but no key_file")
        return self


def check_tls(url: str, tls: TlsSection | None) -> None:
    """Raise `ValueError` for TLS towards a server that is not spoken to by it."""
    if tls is not None and not url.startswith("https://"):
        raise ValueError("tls is given, but url is not https://")


def one_of(section: Section, name: str) -> str:
    """Return which source of a secret is given, empty for none; raises `ValueError` for two."""
    names = [key for key in (name, f"{name}_file", f"{name}_env") if getattr(section, key, None) is not None]
    if len(names) > 1:
        raise ValueError(f"{' and '.join(names)} are given; only one may be")
    return names[0] if names else ""
