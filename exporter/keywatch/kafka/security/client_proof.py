"""How a client proves to a token server who it is: by a secret, by what it signs with a key, or by another's word."""

from __future__ import annotations

import logging
import time
import uuid
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from keywatch.config.secret import Secret

_LOG = logging.getLogger(__name__)
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
# How long what a client signs is good: servers refuse much more, and clocks differ.
_SIGNED_FOR = 60
# A shorter key is not safe (RFC 7518, 3.3), and a longer one takes a second to sign by.
_LEAST_RSA_BITS, _MOST_RSA_BITS = 2048, 8192
_OF_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_OF_CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}


class KeyUnusableError(Exception):
    """A client's key cannot be used; the text says why and holds nothing of it."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What goes with one request for a token."""

    headers: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)


class ClientProof(Protocol):
    """One way to prove it."""

    @property
    def version(self) -> int:
        """What changes when the secret, the key or the word changed."""

    def proof(self) -> Proof:
        """Return what goes with a request now."""


class SharedSecret:
    """The client's name and secret (RFC 6749, 2.3.1)."""

    def __init__(self, client_id: str, secret: Secret) -> None:
        self._client_id, self._secret = client_id, secret

    @property
    def version(self) -> int:
        """What changes when the secret changed."""
        return self._secret.version

    def proof(self) -> Proof:
        """Return the header that holds both."""
        both = b64encode(f"{self._client_id}:{self._secret.current()}".encode()).decode()
        return Proof(headers={"Authorization": f"Basic {both}"})


class GivenAssertion:
    """A JWT that somebody else made and renews in a file (RFC 7523, 2.2), such as a projected one of Kubernetes."""

    def __init__(self, client_id: str, assertion: Secret) -> None:
        self._client_id, self._assertion = client_id, assertion

    @property
    def version(self) -> int:
        """What changes when the file changed: nothing, as a token that was given for an older one is still good."""
        return 0

    def proof(self) -> Proof:
        """Return what stood in the file when it was last looked at."""
        return _asserted(self._client_id, self._assertion.current())


class SignedAssertion:
    """A JWT that the client signs with its private key (`private_key_jwt`; RFC 7523, 3)."""

    def __init__(
        self,
        client_id: str,
        key: Secret,
        audience: str,
        *,
        key_id: str | None = None,
        algorithm: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Take the key as PEM; raises `KeyUnusableError`, also where the libraries that sign are not installed."""
        self._client_id, self._audience = client_id, audience
        self._headers = {"kid": key_id} if key_id else {}
        self._wanted, self._clock = algorithm, clock
        self._secret, self._seen = key, key.version
        self._key, self._algorithm = signing_key(key.current(), algorithm)

    @property
    def version(self) -> int:
        """What changes when the key changed."""
        return self._secret.version

    def proof(self) -> Proof:
        """Sign a JWT that is good for a minute and for this request alone."""
        import jwt  # noqa: PLC0415 - an extra, which other ways do without

        if self._seen != self._secret.version:
            self._seen = self._secret.version
            try:
                self._key, self._algorithm = signing_key(self._secret.current(), self._wanted)
            except KeyUnusableError as error:
                _LOG.warning("sasl.client_key_file %s; the last good key stays in force", error)
        now = int(self._clock())
        claims = {
            "iss": self._client_id,
            "sub": self._client_id,
            "aud": self._audience,
            "jti": uuid.uuid4().hex,
            "iat": now,
            "exp": now + _SIGNED_FOR,
        }
        return _asserted(self._client_id, jwt.encode(claims, self._key, self._algorithm, dict(self._headers)))


def signing_key(pem: str, algorithm: str | None) -> tuple[Any, str]:
    """Return a private key and how it signs; raises `KeyUnusableError`."""
    try:
        import jwt  # noqa: F401, PLC0415 - as above: told here, at the start, and not when a token is wanted
        from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: PLC0415
        from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415
    except ImportError:
        raise KeyUnusableError(
            "needs libraries that are not installed here: in the source tree, pip install '.[jwt]'"
        ) from None
    try:
        key = load_pem_private_key(pem.encode(), None)
    except TypeError:
        raise KeyUnusableError("holds a key with a password; one without is wanted") from None
    except (ValueError, UnsupportedAlgorithm):
        raise KeyUnusableError("holds no private key in PEM's form") from None
    able: tuple[str, ...]
    if isinstance(key, rsa.RSAPrivateKey):
        kind, able = f"an RSA key of {key.key_size} bits", _OF_RSA
        if not _LEAST_RSA_BITS <= key.key_size <= _MOST_RSA_BITS:
            raise KeyUnusableError(f"holds {kind}; allowed: {_LEAST_RSA_BITS} to {_MOST_RSA_BITS}")
    elif isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _OF_CURVES:
        kind, able = f"a key on {key.curve.name}", (_OF_CURVES[key.curve.name],)
    elif isinstance(key, ed25519.Ed25519PrivateKey):
        kind, able = "an Ed25519 key", ("EdDSA",)
    else:
        raise KeyUnusableError("holds a key that no JWT is signed with; allowed: RSA, P-256, P-384, P-521, Ed25519")
    if algorithm is not None and algorithm not in able:
        raise KeyUnusableError(f"holds {kind}, which does not sign by {algorithm}; allowed: {', '.join(able)}")
    return key, algorithm or able[0]


def _asserted(client_id: str, assertion: str) -> Proof:
    """Return the form's fields; the name is in the assertion too, but some servers want it beside it."""
    return Proof(form={"client_id": client_id, "client_assertion_type": _ASSERTION_TYPE, "client_assertion": assertion})
