"""Says which classes Java itself has: those of a given runtime, or, where none is given, those of known packages."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Final

from keywatch.config.files import FileError, contents
from keywatch.provider.jimage import Image, ImageError

ASSUMED_RELEASE: Final = 17
"""The lowest Java that Keycloak 26 runs on."""
_MOST_RELEASE_BYTES: Final = 65_536
# Packages of Java SE 17 and of the JDK's own modules. Of `javax` only these are Java's; the others come in jars.
_OWN: Final = re.compile(
    r"java/|jdk/|sun/|com/sun/(?:net/httpserver|nio|security|management|jndi|naming|crypto|tools)/|"
    r"org/(?:w3c/dom|xml/sax|ietf/jgss)/|netscape/javascript/|javax/(?:accessibility|annotation/processing|crypto|"
    r"imageio|lang/model|management|naming|net|print|rmi|script|security|smartcardio|sound|sql|swing|tools|"
    r"transaction/xa|xml(?!/bind/|/ws/|/soap/))/"
)


class JavaRuntime:
    """A Java release, and where it is known its classes."""

    def __init__(self, release: int, home: Path | None = None, image: Image | None = None) -> None:
        self.release = release
        self.home = home
        self._image = image

    def __contains__(self, name: str) -> bool:
        """Return whether Java has a class of its own of that name."""
        return name in self._image if self._image is not None else _OWN.match(name) is not None

    def read(self, name: str) -> bytes | None:
        """Return a class file; None where it cannot be had."""
        return self._image.read(name) if self._image is not None else None

    def __str__(self) -> str:
        """Return what is compared with, for people."""
        if self._image is None:
            return f"Java {self.release} (its classes by the names of packages; --java HOME compares with them)"
        return f"Java {self.release} in {self.home}"

    def close(self) -> None:
        """Close its file."""
        if self._image is not None:
            self._image.close()


class NoRuntimeError(Exception):
    """A folder is no Java runtime; the text says why, without the folder's name."""


def runtime(home: Path) -> JavaRuntime:
    """Return the runtime in a folder (`JAVA_HOME`); raises `NoRuntimeError`."""
    try:
        words = contents(home / "release", _MOST_RELEASE_BYTES).decode("utf-8", "replace")
    except FileError as error:
        raise NoRuntimeError(f"is no Java runtime: its file `release` {error}") from None
    found = re.search(r'^JAVA_VERSION="(?:1\.)?(\d{1,3})', words, re.MULTILINE)
    if found is None:
        raise NoRuntimeError("is no Java runtime: its file `release` names no version")
    modules = home / "lib" / "modules"
    if not modules.is_file():
        return JavaRuntime(int(found[1]), home)
    try:
        return JavaRuntime(int(found[1]), home, Image(modules))
    except ImageError as error:
        raise NoRuntimeError(f"lib/modules {error}") from None
    except OSError as error:
        raise NoRuntimeError(f"lib/modules cannot be read: {error.strerror}") from None


def found_here() -> JavaRuntime:
    """Return the runtime that `kc.sh` would take: that of `JAVA_HOME`, else the one on the PATH; else what is known."""
    home = os.environ.get("JAVA_HOME")
    program = None if home else shutil.which("java")
    for folder in [Path(home)] if home else [Path(program).resolve().parent.parent] if program else []:
        try:
            return runtime(folder)
        except NoRuntimeError:
            continue
    return JavaRuntime(ASSUMED_RELEASE)
