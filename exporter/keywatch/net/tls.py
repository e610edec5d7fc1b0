"""TLS towards the brokers: one description, made into an `ssl` context and into librdkafka's settings."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from keywatch.config.files import MOST_CERTIFICATES, FileError, HeldFile, Stamp, contents, stamp_of
from keywatch.config.secret import Secret, SecretError, SecurityError
from keywatch.config.security import TlsSection

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tls:
    """How to speak TLS: the context, and the name to verify when it is not the host's own."""

    context: ssl.SSLContext
    server_name: str | None = None
    held: Mapping[str, HeldFile] = field(default_factory=dict)
    """The files that it was made of, by `ca`, `cert` and `key`."""


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

    @property
    def has_files(self) -> bool:
        """Whether anything can change."""
        return bool(self._files) or self._password.is_file

    def current(self) -> Tls:
        """Return the context of the files as they were when they were last looked at; asks no file system."""
        return self._tls

    def look(self) -> None:
        """Read the files again if they changed; while they do not fit together, the last good ones stay in force.

        A file system may keep it waiting for ever, so it is for a thread.
        """
        self._password.look()
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

    def client_settings(self) -> dict[str, Any]:
        """Make librdkafka's settings for the same."""
        section = self._section
        settings: dict[str, Any] = {}
        # What was read and found good, not what lies at the path by now: a client that is made must not wait for it.
        held = self._tls.held
        if "ca" in held:
            settings["ssl.ca.location"] = held["ca"].path
        if "cert" in held:
            settings["ssl.certificate.location"] = held["cert"].path
            settings["ssl.key.location"] = held["key"].path
        if password := self._password.current():
            settings["ssl.key.password"] = password
        if section.server_name:
            # librdkafka can only verify the host's own name; with another one it must trust the authority alone.
            settings["ssl.endpoint.identification.algorithm"] = "none"
        return settings

    def warnings(self) -> list[str]:
        """Name what works but should not be so."""
        key = self._section.key_file
        try:
            open_to_all = key is not None and bool(key.stat().st_mode & 0o004)
        except OSError:  # it went since it was read
            open_to_all = False
        if open_to_all:
            return [f"tls.key_file: {key} can be read by everybody on this machine"]
        return []

    def _stamped(self) -> list[Stamp | None]:
        return [*map(stamp_of, self._files), (self._password.version, 0, 0)]

    def _load(self) -> Tls:
        section = self._section
        files = {"ca": section.ca_file, "cert": section.cert_file, "key": section.key_file}
        held = {name: _held(name, file) for name, file in files.items() if file is not None}
        try:
            context = ssl.create_default_context(cafile=held["ca"].path if "ca" in held else None)
        except (ssl.SSLError, OSError) as error:
            words = f"{section.ca_file} holds no certificate that can be used"
            raise SecurityError(("tls", "ca_file"), words) from error
        if "cert" in held:
            try:
                # A password is always given, or OpenSSL would ask for one on the terminal.
                context.load_cert_chain(held["cert"].path, held["key"].path, password=self._password.current())
            except (ssl.SSLError, OSError) as error:
                pair = f"{section.cert_file} and {section.key_file}"
                words = f"{pair} do not make a pair, or the key's password is wrong"
                raise SecurityError(("tls", "cert_file"), words) from error
        return Tls(context, section.server_name, held)


class Trust:
    """A context that trusts the authorities in a file, made anew when that changed."""

    def __init__(self, ca_file: Path, key: tuple[str, ...]) -> None:
        """Read the file; raises `SecurityError` that names `key`."""
        self._file = ca_file
        self._key = key
        self._stamp = stamp_of(ca_file)
        self._context = _trusting(ca_file, key)

    def current(self) -> ssl.SSLContext:
        """Return the context of the file as it was when it was last looked at; asks no file system."""
        return self._context

    def look(self) -> None:
        """Read the file again if it changed; a bad one leaves the last good one in force. It is for a thread."""
        stamp = stamp_of(self._file)
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._context = _trusting(self._file, self._key)
            except SecurityError as error:
                _LOG.warning("%s; the last good file stays in force", error)


def _trusting(ca_file: Path, key: tuple[str, ...]) -> ssl.SSLContext:
    held = _held("ca", ca_file, key)
    try:
        return ssl.create_default_context(cafile=held.path)
    except (ssl.SSLError, OSError) as error:
        raise SecurityError(key, f"{ca_file} holds no certificate that can be used") from error


def _held(name: str, file: Path, key: tuple[str, ...] | None = None) -> HeldFile:
    try:
        return HeldFile(contents(file, MOST_CERTIFICATES), name)
    except FileError as error:
        raise SecurityError(key or ("tls", f"{name}_file"), f"{file} {error}") from error
