"""Makes class files byte by byte, so that tests need no compiler: names, a hierarchy, members and references."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

LISTENERS = "org.keycloak.events.EventListenerProviderFactory"
FACTORY = "org/shop/audit/AuditListener"
ACC_PUBLIC = 0x1
_JAVA_17 = 61


class _Constants:
    def __init__(self) -> None:
        self.data = b""
        self.count = 1
        self._known: dict[bytes, int] = {}

    def add(self, data: bytes) -> int:
        if data not in self._known:
            self._known[data] = self.count
            self.data += data
            self.count += 1
        return self._known[data]

    def text(self, words: str) -> int:
        data = words.encode()
        return self.add(b"\x01" + struct.pack(">H", len(data)) + data)

    def one(self, name: str) -> int:
        return self.add(b"\x07" + struct.pack(">H", self.text(name)))

    def string(self, words: str) -> int:
        return self.add(b"\x08" + struct.pack(">H", self.text(words)))

    def method(self, owner: str, name: str, descriptor: str) -> int:
        both = self.add(b"\x0c" + struct.pack(">2H", self.text(name), self.text(descriptor)))
        return self.add(b"\x0a" + struct.pack(">2H", self.one(owner), both))


def made(
    name: str,
    *,
    above: str = "java/lang/Object",
    interfaces: Sequence[str] = (),
    methods: Mapping[str, str] | None = None,
    calls: Sequence[tuple[str, str, str]] = (),
    says: str | None = None,
    major: int = _JAVA_17,
) -> bytes:
    """Return a public class; `methods` are descriptors by name, `says` is what its `getId` returns."""
    constants = _Constants()
    this, parent = constants.one(name), constants.one(above) if above else 0
    implemented = [constants.one(one) for one in interfaces]
    for call in calls:
        constants.method(*call)
    own = {"<init>": "()V", **(methods or {})}
    body = b"".join(
        struct.pack(">4H", ACC_PUBLIC, constants.text(each), constants.text(descriptor), 0)
        for each, descriptor in own.items()
    )
    count = len(own)
    if says is not None:
        code = bytes([0x13]) + struct.pack(">H", constants.string(says)) + b"\xb0"
        attribute = struct.pack(">2HL", 1, 1, len(code)) + code + struct.pack(">2H", 0, 0)
        head = struct.pack(">4H", ACC_PUBLIC, constants.text("getId"), constants.text("()Ljava/lang/String;"), 1)
        body += head + struct.pack(">HL", constants.text("Code"), len(attribute)) + attribute
        count += 1
    rest = struct.pack(">4H", ACC_PUBLIC, this, parent, len(implemented))
    rest += b"".join(struct.pack(">H", one) for one in implemented)
    rest += struct.pack(">2H", 0, count) + body + struct.pack(">H", 0)
    return b"\xca\xfe\xba\xbe" + struct.pack(">3H", 0, major, constants.count) + constants.data + rest


def packed(path: Path, files: Mapping[str, bytes]) -> Path:
    """Write a jar of files, classes by their names without `.class` if the content is one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(f"{name}.class" if data[:4] == b"\xca\xfe\xba\xbe" else name, data)
    return path


def listener(path: Path, *, says: str = "audit-kafka", note: str = "", more: Mapping[str, bytes] | None = None) -> Path:
    """Write the jar of a listener; `note` makes jars differ, and `more` are further files."""
    factory = made(FACTORY, interfaces=[LISTENERS.replace(".", "/")], says=says)
    files = {f"META-INF/services/{LISTENERS}": FACTORY.replace("/", ".").encode(), FACTORY: factory}
    return packed(path, files | {"note": note.encode()} | dict(more or {}))


def keycloak(home: Path) -> Path:
    """Make a folder that has what of Keycloak the checks look at: its version, the interface, and empty providers."""
    interface = made(LISTENERS.replace(".", "/"))
    packed(
        home / "lib" / "lib" / "main" / "org.keycloak.keycloak-server-spi-26.7.3.jar",
        {LISTENERS.replace(".", "/"): interface},
    )
    (home / "providers").mkdir()
    (home / "version.txt").write_text("Keycloak - Version 26.7.3\n")
    return home
