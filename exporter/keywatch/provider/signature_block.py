"""Verifies the block that signs a jar's signature file: CMS SignedData (RFC 5652), by RSA, ECDSA or EdDSA.

The certificate's own chain is not followed: who is trusted is said by fingerprint. Certificates of DSA keys, which
keytool makes in a form that the library refuses, cannot be read. Needs the extra `listener`.
"""

from __future__ import annotations

import datetime as dt
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa

from keywatch.provider.der import DerError, Node, first, identifier

_HASHES: Final[dict[str, type[hashes.HashAlgorithm]]] = {
    "1.3.14.3.2.26": hashes.SHA1,
    "2.16.840.1.101.3.4.2.1": hashes.SHA256,
    "2.16.840.1.101.3.4.2.2": hashes.SHA384,
    "2.16.840.1.101.3.4.2.3": hashes.SHA512,
}
_PSS: Final = "1.2.840.113549.1.1.10"
_MESSAGE_DIGEST: Final = "1.2.840.113549.1.9.4"
_TIME_STAMP: Final = "1.2.840.113549.1.9.16.2.14"
_MOST_CERTIFICATES: Final = 20
_SET, _CONTEXT_0, _CONTEXT_1 = 0x31, 0xA0, 0xA1


class Signer(NamedTuple):
    """Who signed: the certificate's subject, its SHA-256, when it holds, and what is weak about the signature."""

    subject: str
    fingerprint: str
    begins: dt.datetime
    ends: dt.datetime
    self_signed: bool
    time_stamped: bool
    weak: str


class BlockError(Exception):
    """A signature block is damaged, or does not fit what it signs; the text says which."""


def verify(block: bytes, signed: bytes) -> Signer:
    """Return who signed some bytes by a block of the first signer in it. Raises `BlockError`."""
    try:
        signed_data = first(block).children()[1].children()[0].children()
        infos = [one for one in signed_data if one.tag == _SET][-1]
        certificates = [one.whole for part in signed_data if part.tag == _CONTEXT_0 for one in part.children()]
        return _verified(infos.children()[0].children(), signed, certificates[:_MOST_CERTIFICATES])
    except (DerError, ValueError, IndexError, KeyError, UnsupportedAlgorithm) as error:
        raise BlockError(f"cannot be read: {str(error) or type(error).__name__}") from error
    except InvalidSignature:
        raise BlockError("does not fit: it was made for other bytes, or by another key") from None


def _verified(info: list[Node], signed: bytes, certificates: list[bytes]) -> Signer:
    certificate = _certificate(info[1].children()[1].content, certificates)
    algorithm = _HASHES[identifier(info[2].children()[0].content)]()
    rest = info[3:]
    covered = signed
    if rest[0].tag == _CONTEXT_0:
        attributes = rest.pop(0)
        digests = [
            one.children()[1].children()[0].content
            for one in attributes.children()
            if identifier(one.children()[0].content) == _MESSAGE_DIGEST
        ]
        wanted = digests[0]
        digest = hashes.Hash(algorithm)
        digest.update(signed)
        if digest.finalize() != wanted:
            raise BlockError("does not fit: the signature file was changed after it was signed")
        covered = bytes([_SET]) + attributes.whole[1:]  # RFC 5652, 5.4: as a SET, not as [0]
    kind = identifier(rest[0].children()[0].content)
    _check(certificate, kind, algorithm, rest[1].content, covered)
    stamped = any(
        identifier(one.children()[0].content) == _TIME_STAMP
        for rest_of_it in rest[2:]
        if rest_of_it.tag == _CONTEXT_1
        for one in rest_of_it.children()
    )
    key = certificate.public_key()
    weak = "SHA-1" if isinstance(algorithm, hashes.SHA1) else ""
    if isinstance(key, rsa.RSAPublicKey | dsa.DSAPublicKey) and key.key_size < 2048:
        weak = f"a key of {key.key_size} bits"
    return Signer(
        certificate.subject.rfc4514_string(),
        certificate.fingerprint(hashes.SHA256()).hex(),
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
        certificate.subject == certificate.issuer,
        stamped,
        weak,
    )


def _certificate(serial: bytes, certificates: list[bytes]) -> x509.Certificate:
    """Return the certificate with a serial number; the others are not looked at any further."""
    for data in certificates:
        fields = first(data).children()[0].children()
        number = fields[1 if fields[0].tag == _CONTEXT_0 else 0]  # behind the version, where there is one
        if number.content == serial:
            return x509.load_der_x509_certificate(data)
    raise BlockError("does not hold the signer's certificate")


def _check(
    certificate: x509.Certificate, kind: str, algorithm: hashes.HashAlgorithm, signature: bytes, covered: bytes
) -> None:
    """Raise `InvalidSignature` where a signature is not of the certificate's key over `covered`."""
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        if kind == _PSS:
            pss = padding.PSS(padding.MGF1(algorithm), padding.PSS.AUTO)
            key.verify(signature, covered, pss, algorithm)
        else:
            key.verify(signature, covered, padding.PKCS1v15(), algorithm)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(signature, covered, ec.ECDSA(algorithm))
    elif isinstance(key, dsa.DSAPublicKey):
        key.verify(signature, covered, algorithm)
    elif isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        key.verify(signature, covered)
    else:
        raise BlockError("was made by a kind of key that is not known")
