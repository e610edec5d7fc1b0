"""A secret from the configuration, a file or the environment; a file is read again when it changes."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

_LOG = logging.getLogger(__name__)
# What tells one state of a file from another; the inode, because Kubernetes swaps a link.
Stamp = tuple[int, int, int]


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
        """Goes up whenever the value changed; read after `get`."""
        if value is not None:
            self._value = value.get_secret_value()
        elif file is not None:
            self._stamp = stamp_of(file)
            self._value = self._read(file)
        elif env is not None:
            if env not in os.environ:
                raise SecretError(f"the environment has no variable {env}")
            self._value = os.environ[env]

    def current(self) -> str:
        """Return the secret as it is now; a file that has become unreadable leaves the last value in force."""
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
        return self._value

    def __repr__(self) -> str:
        """Write nothing of the secret."""
        return "Secret(**********)"

    @staticmethod
    def _read(file: Path) -> str:
        try:
            text = file.read_text(encoding="utf-8")
        except OSError as error:
            raise SecretError(f"{file} cannot be read: {error.strerror}") from error
        except UnicodeDecodeError:
            raise SecretError(f"{file} is not UTF-8 text") from None
        # Editors and `echo` end a file with a line's end, which is not part of the secret.
        if not (value := text.rstrip("\r\n")):
            raise SecretError(f"{file} is empty")
        return value


def stamp_of(file: Path) -> Stamp | None:
    """Return what changes when a file changes; None while it is not there."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
