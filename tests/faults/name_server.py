"""A name server for keywatch alone, of whose zones some may hang as if their servers were away."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Self

_A, _IN = 1, 1
_SECONDS_KEPT = 0
_NO_SUCH_NAME = 3
_PORT = 53
_NETWORKS = range(1, 255)


class NameServer:
    """Answers for `names` (host → IPv4 address) on an address of the loopback that nobody else uses.

    Questions about names that end in one of the zones that are `hanging` are not answered at all.
    """

    def __init__(self, names: Mapping[str, str]) -> None:
        self.names = dict(names)
        self.hanging: frozenset[str] = frozenset()
        self.asked = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.address = self._bound()
        self._thread = threading.Thread(target=self._serve, name="name-server", daemon=True)

    def __enter__(self) -> Self:
        """Begin to answer."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the port go."""
        self._socket.close()

    def _bound(self) -> str:
        for network in _NETWORKS:
            address = f"127.53.{network}.53"
            with contextlib.suppress(OSError):
                self._socket.bind((address, _PORT))
                return address
        raise OSError("no address of 127.53.0.0/16 has a free port 53")

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                question, whence = self._socket.recvfrom(2048)
                answer = self._answer(question)
                if answer is not None:
                    self._socket.sendto(answer, whence)

    def _answer(self, question: bytes) -> bytes | None:
        """Return the answer (RFC 1035, 4.1); None when the zone hangs."""
        self.asked += 1
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1 : at + 1 + question[at]].decode("ascii", "replace").lower())
            at += 1 + question[at]
        (kind,) = struct.unpack_from(">H", question, at + 1)
        name = ".".join(labels)
        if any(name == zone or name.endswith(f".{zone}") for zone in self.hanging):
            return None
        address = self.names.get(name)
        record = b""
        if address is not None and kind == _A:
            record = b"\xc0\x0c" + struct.pack(">HHIH", _A, _IN, _SECONDS_KEPT, 4) + socket.inet_aton(address)
        flags = 0x8580 | (0 if address is not None else _NO_SUCH_NAME)
        head = question[:2] + struct.pack(">HHHHH", flags, 1, bool(record), 0, 0)
        return head + question[12 : at + 5] + record
