"""TLS towards the brokers: one description, made into an `ssl` context and into librdkafka's settings."""

from __future__ import annotations

import ssl
from typing import Any

from keywatch.config import TlsSection
from keywatch.kafka.connection import Tls


class TlsFilesError(Exception):
    """A certificate or key file cannot be used; the text names the file."""


def tls_of(section: TlsSection | None) -> Tls | None:
    """Make the context for the raw connections; None for plaintext. Raises `TlsFilesError`."""
    if section is None:
        return None
    try:
        context = ssl.create_default_context(cafile=str(section.ca_file) if section.ca_file else None)
    except (ssl.SSLError, OSError) as error:
        raise TlsFilesError(f"tls.ca_file: {section.ca_file} holds no certificate that can be used") from error
    if section.cert_file is not None and section.key_file is not None:
        password = section.key_password.get_secret_value() if section.key_password else ""
        try:
            # A password is always given, or OpenSSL would ask for one on the terminal.
            context.load_cert_chain(section.cert_file, section.key_file, password=password)
        except (ssl.SSLError, OSError) as error:
            raise TlsFilesError(
                f"tls.cert_file, tls.key_file: {section.cert_file} and {section.key_file} do not make a pair,"
                " or the key's password is wrong"
            ) from error
    return Tls(context, section.server_name)


def client_settings(section: TlsSection | None) -> dict[str, Any]:
    """Make librdkafka's settings for the same."""
    if section is None:
        return {}
    settings: dict[str, Any] = {"security.protocol": "SSL"}
    if section.ca_file:
        settings["ssl.ca.location"] = str(section.ca_file)
    if section.cert_file and section.key_file:
        settings["ssl.certificate.location"] = str(section.cert_file)
        settings["ssl.key.location"] = str(section.key_file)
    if section.key_password:
        settings["ssl.key.password"] = section.key_password.get_secret_value()
    if section.server_name:
        # librdkafka can only verify the host's own name; with another one it must trust the authority alone.
        settings["ssl.endpoint.identification.algorithm"] = "none"
    return settings
