"""The part of the configuration that says who keywatch is to the brokers: SASL, and where tokens come from."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from keywatch.config.paths import FilePath
from keywatch.config.security import Section, TokenUrl, Variable, one_of


def _not_auth(name: str) -> str:
    if name == "auth":
        raise ValueError("auth is the token itself; it is no extension")
    return name


CommandPart = Annotated[str, Field(pattern=r"^[^\x00]{1,4096}$")]
# As RFC 7628, 3.1 has keys and values; `auth` is the token's own.
ExtensionName = Annotated[str, Field(pattern=r"^[A-Za-z]{1,100}$"), AfterValidator(_not_auth)]
ExtensionValue = Annotated[str, Field(pattern=r"^[\x21-\x2b\x2d-\x7e]{1,1000}$")]
Word = Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,1000}$")]
Region = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$")]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "GSSAPI"]
# RFC 7518, 3.1 and RFC 8037: those by which a client signs with a key of its own.
Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
_USER_KEYS = ("username", "username_file", "password", "password_file", "password_env")
_SECRET_KEYS = ("client_secret", "client_secret_file", "client_secret_env")
_SIGNING_KEYS = ("client_key_id", "client_key_algorithm", "client_assertion_audience")
_ORIGINS = {
    "token_url": (
        *("token_url", "client_id", *_SECRET_KEYS, "client_key_file", *_SIGNING_KEYS, "client_assertion_file"),
        *("scope", "audience", "token_ca_file"),
    ),
    "token_file": ("token_file",),
    "token_command": ("token_command",),
    "aws_region": ("aws_region", "aws_profile", "aws_role_arn"),
}
"""Where tokens may come from, and the keys that belong to each."""
_PREFERRED = tuple(key for key in _ORIGINS if key != "token_url")
"""Which is meant where there are two: it is named by one key alone."""


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
    client_key_file: FilePath | None = Field(
        None,
        description="PEM file of the key by which it signs who it is, in place of a secret; needs the extra `jwt`.",
    )
    client_key_id: Word | None = Field(None, description="Which of its keys that is to the server (`kid`).")
    client_key_algorithm: Algorithm | None = Field(
        None, description="How it signs; default: RS256, or what fits the curve of the key."
    )
    client_assertion_file: FilePath | None = Field(
        None,
        description="File that holds a JWT by which others vouch for it, in place of a secret.",
    )
    client_assertion_audience: Word | None = Field(
        None, description="For whom it signs that (`aud`); default: token_url."
    )
    scope: str | None = Field(None, description="Scope to ask for.")
    audience: Word | None = Field(None, description="Audience to ask for, where the token server takes one.")
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
    aws_region: Region | None = Field(
        None,
        description="Region of an Amazon MSK cluster with IAM, in place of token_url; needs the extra `aws`.",
    )
    aws_profile: Word | None = Field(None, description="Profile of AWS's configuration to take credentials from.")
    aws_role_arn: Word | None = Field(None, description="Role to assume first.")
    extensions: dict[ExtensionName, ExtensionValue] = Field(
        default_factory=dict,
        max_length=20,
        description="What goes with a token, such as logicalCluster and identityPoolId (OAUTHBEARER).",
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.mechanism == "OAUTHBEARER":
            self._refuse(_USER_KEYS)
            needs = self._tokens()
        elif self.mechanism == "GSSAPI":
            self._refuse((*_USER_KEYS, *_token_keys(), "extensions"))
            needs = {}
        else:
            self._refuse((*_token_keys(), "extensions"))
            needs = {"username": one_of(self, "username"), "password": one_of(self, "password")}
        missing = [key for key, given in needs.items() if not given]
        if missing:
            raise ValueError(f"{self.mechanism} needs {' and '.join(missing)}")
        return self

    def _tokens(self) -> dict[str, object]:
        """Check that tokens come from one place, and return what that needs."""
        origin = next((key for key in _PREFERRED if getattr(self, key) is not None), "token_url")
        self._refuse([key for key in _token_keys() if key not in _ORIGINS[origin]], origin)
        if self.aws_profile is not None and self.aws_role_arn is not None:
            raise ValueError("aws_profile and aws_role_arn are given; only one may be")
        if origin != "token_url":
            return {}
        secret, keys = one_of(self, "client_secret"), ("client_key_file", "client_assertion_file")
        proofs = [key for key in (secret, *(key for key in keys if getattr(self, key) is not None)) if key]
        if len(proofs) > 1:
            raise ValueError(f"{' and '.join(proofs)} are given; only one may be")
        if "client_key_file" not in proofs:
            self._refuse(_SIGNING_KEYS, proofs[0] if proofs else "a client without client_key_file")
        needs: dict[str, object] = {"token_url": self.token_url, "client_id": self.client_id}
        return needs | {"client_secret (or client_key_file, client_assertion_file)": proofs}

    def _refuse(self, keys: list[str] | tuple[str, ...], because_of: str = "") -> None:
        for key in keys:
            if getattr(self, key) not in (None, {}):
                raise ValueError(f"{key} means nothing to {because_of or self.mechanism}")


def _token_keys() -> list[str]:
    return [key for keys in _ORIGINS.values() for key in keys]
