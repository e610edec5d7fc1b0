"""TLS towards the brokers: one description, made into an `ssl` context and into librdkafka's settings."""

from __future__ import annotations

import logging
import ssl
from dataclasses import dataclass
from typing import Any

from keywatch.config.secret import Secret, SecretError, SecurityError, Stamp, stamp_of
from keywatch.config.security import TlsSection

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tls:
    """How to speak TLS: the context, and the name to verify when it is not the host's own."""

    context: ssl.SSLContext
    server_name: str | None = None


class TlsSource:
    """The context of one cluster, made anew when one of its files changed."""

    def __init__(self, section: TlsSection) -> None:
        """Read all files; raises `SecurityError`."""
        self._section = section
        try:
            self._password = Secret(section.key_password, section.key_password_file, section.key_password_env)
        except SecretError as error:
            raise SecurityError(("tls", "key_password"), str(error)) from error
        self._files = [file for file in (section.ca_file, section.cert_file, section.key_file) if file is not None]
        self._stamps = self._stamped()
        self._tls = self._load()
        self.version = 0
        """Goes up whenever the files changed and are good."""

    def current(self) -> Tls:
        """Return the context of the files as they are now; while they do not fit together, the last good one."""
        stamps = self._stamped()
        if stamps != self._stamps:
            self._stamps = stamps
            try:
                self._tls = self._load()
            except SecurityError as error:
                # A certificate and its key change one after the other: the next look finds both.
                _LOG.warning("%s; the last good files stay in force", error)
            else:
                self.version += 1
        return self._tls

    def client_settings(self) -> dict[str, Any]:
        """Make librdkafka's settings for the same."""
        section = self._section
        settings: dict[str, Any] = {}
        if section.ca_file:
            settings["ssl.ca.location"] = str(section.ca_file)
        if section.cert_file and section.key_file:
            settings["ssl.certificate.location"] = str(section.cert_file)
            settings["ssl.key.location"] = str(section.key_file)
        if password := self._password.current():
            settings["ssl.key.password"] = password
        if section.server_name:
            # librdkafka can only verify the host's own name; with another one it must trust the authority alone.
            settings["ssl.endpoint.identification.algorithm"] = "none"
        return settings

    def warnings(self) -> list[str]:
        """Name what works but should not be so."""
        key = self._section.key_file
        if key is not None and key.stat().st_mode & 0o004:
            return [f"tls.key_file: {key} can be read by everybody on this machine"]
        return []

    def _stamped(self) -> list[Stamp | None]:
        self._password.current()
        return [*map(stamp_of, self._files), (self._password.version, 0, 0)]

    def _load(self) -> Tls:
        section = self._section
        try:
            context = ssl.create_default_context(cafile=str(section.ca_file) if section.ca_file else None)
        except (ssl.SSLError, OSError) as error:
            words = f"{section.ca_file} holds no certificate that can be used"
            raise SecurityError(("tls", "ca_file"), words) from error
        if section.cert_file is not None and section.key_file is not None:
            try:
                # A password is always given, or OpenSSL would ask for one on the terminal.
                context.load_cert_chain(section.cert_file, section.key_file, password=self._password.current())
            except (ssl.SSLError, OSError) as error:
                pair = f"{section.cert_file} and {section.key_file}"
                words = f"{pair} do not make a pair, or the key's password is wrong"
                raise SecurityError(("tls", "cert_file"), words) from error
        return Tls(context, section.server_name)
