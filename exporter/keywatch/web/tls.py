"""TLS of keywatch's own port: a web configuration made into an `ssl` context, and whom its client certificates name."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keywatch.config.files import MOST_CERTIFICATES, FileError, HeldFile, contents
from keywatch.web.ciphers import CURVES, openssl_suites
from keywatch.web.config import TlsServerSection

_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_CLIENTS = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}

_NO_PAIR = frozenset({"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"})
_KINDS_OF_NAMES = ("DNS", "IP Address", "email", "URI")


class TlsMistakeError(Exception):
    """A certificate or a key cannot be used: `key` is where the configuration names it, the text what is wrong."""

    def __init__(self, key: str, text: str) -> None:
        super().__init__(text)
        self.key = key


def server_context(section: TlsServerSection) -> ssl.SSLContext:
    """Make the context for new connections; raises `TlsMistakeError`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[section.min_version]
    context.maximum_version = _VERSIONS[section.max_version]
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    if not section.prefer_server_cipher_suites:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    context.num_tickets = 0  # a connection is kept, so a session need not be; and none outlives a change of authorities
    context.set_alpn_protocols(["http/1.1"])
    if suites := openssl_suites(section.cipher_suites):
        context.set_ciphers(suites)
    for curve in section.curve_preferences:
        if not offers(curve):
            found = ", ".join(name for name in CURVES if offers(name))
            words = f"{curve} cannot be set by this Python; allowed here: {found}; left out, OpenSSL chooses by itself"
            raise TlsMistakeError("curve_preferences", words)
        context.set_ecdh_curve(CURVES[curve])
    _show(context, section)
    _ask(context, section)
    return context


def offers(curve: str) -> bool:
    """Return whether this Python can be told to use a curve: that of Debian 12 does not take X25519."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).set_ecdh_curve(CURVES[curve])
    except (ssl.SSLError, ValueError):
        return False
    return True


def _show(context: ssl.SSLContext, section: TlsServerSection) -> None:
    """Load the server's own certificate and its key."""
    key_text = None if section.key is None else section.key.get_secret_value()
    cert, cert_name, cert_held = _file("cert", section.cert, section.cert_file)
    key, key_name, key_held = _file("key", key_text, section.key_file)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cert_held.path)
    except OSError:  # which SSLError is as well
        raise TlsMistakeError(cert, f"{cert_name} holds no certificate that can be used") from None
    try:
        # A password is always given, or OpenSSL would ask for one on the terminal.
        context.load_cert_chain(cert_held.path, key_held.path, password="")
    except OSError as error:
        reason = getattr(error, "reason", None) or ""
        if reason in _NO_PAIR:
            raise TlsMistakeError(key, f"{key_name} is not the key of the certificate in {cert_name}") from None
        if reason.startswith(("EE_", "CA_")):
            words = reason.lower().replace("_", " ")
            raise TlsMistakeError(cert, f"{cert_name} is too weak for OpenSSL: {words}") from None
        words = "holds no key that can be used; allowed: PEM without a password"
        raise TlsMistakeError(key, f"{key_name} {words}") from None


def _ask(context: ssl.SSLContext, section: TlsServerSection) -> None:
    """Ask clients for certificates of the authorities that are given."""
    context.verify_mode = _CLIENTS[section.client_auth_type]
    if context.verify_mode is ssl.CERT_NONE:
        return
    # What the file holds is trusted as it is, also when it is no root.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    key, name, held = _file("client_ca", section.client_ca, section.client_ca_file)
    try:
        context.load_verify_locations(held.path)
    except OSError:  # which SSLError is as well
        raise TlsMistakeError(key, f"{name} holds no certificate that can be used") from None


def _file(key: str, text: str | None, path: Path | None) -> tuple[str, str, HeldFile]:
    """Return the key that names it, what to call it, and what it holds."""
    if path is None:
        return key, key, HeldFile((text or "").encode(), key)
    try:
        return f"{key}_file", str(path), HeldFile(contents(path, MOST_CERTIFICATES), key)
    except FileError as error:
        raise TlsMistakeError(f"{key}_file", f"{path} {error}") from None


def names_of(certificate: Mapping[str, Any] | None) -> frozenset[str]:
    """Return the alternative names of a verified client certificate: DNS names, addresses, e-mails and URIs."""
    found = (certificate or {}).get("subjectAltName", ())
    return frozenset(canonical(value) for kind, value in found if kind in _KINDS_OF_NAMES)


def canonical(name: str) -> str:
    """Write an IP address in its shortest form, so that two ways of writing it are one; other names stay."""
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name
