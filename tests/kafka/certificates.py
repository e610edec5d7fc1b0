"""Makes a small certificate authority on the spot and issues certificates, good and bad, for brokers and clients."""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Certificate:
    """A certificate's files, all PEM but the last."""

    certificate: Path
    key: Path
    bundle: Path
    """Key and chain in one file: what Kafka takes as `ssl.keystore.location` with `ssl.keystore.type=PEM`."""
    pkcs12: Path
    """Key and chain as PKCS12 without a password."""


class CertificateAuthority:
    """A certificate authority whose files lie in `folder` (made when missing); a second instance is another one."""

    def __init__(self, folder: Path, name: str = "keywatch test authority") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _common_name(name)
        now = dt.datetime.now(dt.UTC)
        self._authority = (
            x509.CertificateBuilder(self._name, self._name, self._key.public_key(), x509.random_serial_number())
            .not_valid_before(now - 400 * _DAY)
            .not_valid_after(now + 400 * _DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(sign_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.certificate = folder / "authority.pem"
        """What a client trusts: `ssl.ca.location`, or `ssl.truststore.location` with `ssl.truststore.type=PEM`."""
        self.certificate.write_bytes(self._authority.public_bytes(serialization.Encoding.PEM))

    def server(self, name: str, hosts: Sequence[str], *, ends_in: dt.timedelta = 30 * _DAY) -> Certificate:
        """Issue a server certificate for `hosts` (IP addresses or DNS names), valid until `ends_in` from now.

        Files begin with `name`. An `ends_in` below zero gives an expired one, hosts that are not the server's give a
        wrong one.
        """
        alternatives: list[x509.GeneralName] = [_general_name(host) for host in hosts]
        return self._issue(name, ends_in, ExtendedKeyUsageOID.SERVER_AUTH, x509.SubjectAlternativeName(alternatives))

    def client(
        self, name: str, *, ends_in: dt.timedelta = 30 * _DAY, alternatives: Sequence[x509.GeneralName] = ()
    ) -> Certificate:
        """Issue a client certificate whose common name is `name`: the principal `User:CN=<name>` to Kafka."""
        names = x509.SubjectAlternativeName(alternatives) if alternatives else None
        return self._issue(name, ends_in, ExtendedKeyUsageOID.CLIENT_AUTH, names)

    def _issue(
        self,
        name: str,
        ends_in: dt.timedelta,
        usage: x509.ObjectIdentifier,
        alternatives: x509.SubjectAlternativeName | None,
    ) -> Certificate:
        key = ec.generate_private_key(ec.SECP256R1())
        now = dt.datetime.now(dt.UTC)
        public = key.public_key()
        builder = (
            x509.CertificateBuilder(self._name, _common_name(name), public, x509.random_serial_number())
            # Long before now, so that also an expired one was valid once and clocks need not agree.
            .not_valid_before(now - 300 * _DAY)
            .not_valid_after(now + ends_in)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(sign_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if alternatives is not None:
            builder = builder.add_extension(alternatives, critical=False)
        return self._write(name, key, builder.sign(self._key, hashes.SHA256()))

    def _write(self, name: str, key: ec.EllipticCurvePrivateKey, issued: x509.Certificate) -> Certificate:
        plain = serialization.NoEncryption()
        # PKCS8 is the only form of a key that Kafka's PEM key store reads.
        secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        public = issued.public_bytes(serialization.Encoding.PEM)
        chain = public + self._authority.public_bytes(serialization.Encoding.PEM)
        store = pkcs12.serialize_key_and_certificates(name.encode(), key, issued, [self._authority], plain)
        return Certificate(
            certificate=self._file(f"{name}.pem", public),
            key=self._file(f"{name}.key", secret),
            bundle=self._file(f"{name}.bundle.pem", secret + chain),
            pkcs12=self._file(f"{name}.p12", store),
        )

    def _file(self, name: str, content: bytes) -> Path:
        path = self._folder / name
        path.touch(mode=0o600)
        path.write_bytes(content)
        return path


def _common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _key_usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        encipher_only=False,
        decipher_only=False,
    )
