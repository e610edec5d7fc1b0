"""A secret from the configuration, a file or the environment; a file is read again when it changes."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from keywatch.config.files import MOST_SECRET, FileError, Stamp, contents, stamp_of

_LOG = logging.getLogger(__name__)


class SecretError(Exception):
    """A secret cannot be read; the text names the file or the variable, never the secret."""


class SecurityError(Exception):
    """What a cluster's `tls` or `sasl` names cannot be used: the key's path in the cluster, and what is wrong."""

    def __init__(self, key: tuple[str, ...], words: str) -> None:
        super().__init__(f"{'.'.join(key)}: {words}")
        self.key = key
        self.words = words


@dataclass(frozen=True, slots=True)
class ApiKey:
    """Where a key that is sent as it is comes from: one of these."""

    value: SecretStr | None = None
    file: Path | None = None
    env: str | None = None


class Secret:
    """One secret; its latest readable value counts, so that a rotation needs no restart."""

    def __init__(self, value: SecretStr | None = None, file: Path | None = None, env: str | None = None) -> None:
        """Take the first source that is given. Raises `SecretError` when it cannot be read."""
        self._file = file if value is None else None
        self._stamp: Stamp | None = None
        self._value = ""
        self.version = 0
        """Goes up whenever the value changed."""
        if value is not None:
            self._value = value.get_secret_value()
        elif file is not None:
            self._stamp = stamp_of(file)
            self._value = self._read(file)
        elif env is not None:
            if env not in os.environ:
                raise SecretError(f"the environment has no variable {env}")
            self._value = os.environ[env]

    @property
    def is_file(self) -> bool:
        """Whether it can change."""
        return self._file is not None

    def current(self) -> str:
        """Return the secret as it was when it was last looked at; asks no file system."""
        return self._value

    def is_open_to_all(self) -> bool:
        """Return whether everybody on this machine may read the file."""
        try:
            return self._file is not None and bool(self._file.stat().st_mode & 0o004)
        except OSError:  # it went since it was read
            return False

    def look(self) -> None:
        """Read the file again if it changed; one that has become unreadable leaves the last value in force.

        A file system may keep it waiting for ever, so it is for a thread.
        """
        if self._file is not None and (stamp := stamp_of(self._file)) != self._stamp:
            self._stamp = stamp
            try:
                value = self._read(self._file)
            except SecretError as error:
                _LOG.warning("%s; the last value stays in force", error)
            else:
                if value != self._value:
                    self._value = value
                    self.version += 1

    def __repr__(self) -> str:
        """Write nothing of the secret."""
        return "Secret(**********)"

    @staticmethod
    def _read(file: Path) -> str:
        try:
            text = contents(file, MOST_SECRET).decode()
        except FileError as error:
            raise SecretError(f"{file} {error}") from error
        except UnicodeDecodeError:
            raise SecretError(f"{file} is not UTF-8 text") from None
        # Editors and `echo` end a file with a line's end, which is not part of the secret.
        if not (value := text.rstrip("\r\n")):
            raise SecretError(f"{file} is empty")
        return value
