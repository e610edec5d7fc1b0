"""Chooses TCP ports on loopback addresses that stay free for a server that comes and goes."""

from __future__ import annotations

import random
import socket
from pathlib import Path
from types import TracebackType
from typing import Self

_FIRST_PORT = 10_240
_ATTEMPTS = 200


class PortReservation:
    """Ports nobody else using this class gets until `close` is called or the process ends.

    A broker must come back on the port it had, so the port has to stay free while the broker is down. Ports come from
    below the kernel's ephemeral range, or an outgoing connection could take one meanwhile. Other test processes
    are kept away by an abstract Unix socket named after the port: the kernel drops it with its process, and its
    scope is the network namespace, which is a port's scope too.
    """

    def __init__(self) -> None:
        self._claims: list[socket.socket] = []

    def take(self, host: str) -> int:
        """Reserve a port on `host` (an IPv4 address of this machine).

        Raises `OSError` when none of a few hundred tries was free.
        """
        for _ in range(_ATTEMPTS):
            port = random.randrange(_FIRST_PORT, _first_ephemeral_port())  # noqa: S311 - spreads load, keeps no secret
            if self._claim(host, port):
                return port
        raise OSError(f"no free port on {host} in {_ATTEMPTS} tries")

    def close(self) -> None:
        """Return all ports back."""
        while self._claims:
            self._claims.pop().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _claim(self, host: str, port: int) -> bool:
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            claim.bind(f"\0keywatch-kafka-port-{port}")
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trial:
                trial.bind((host, port))
        except OSError:
            claim.close()
            return False
        self._claims.append(claim)
        return True


def _first_ephemeral_port() -> int:
    """Return the lowest port the kernel hands to outgoing connections, or a sane bound where the machine changed it."""
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    return first if first > _FIRST_PORT + 1000 else 65_536
