"""Runs one Kafka node as a process and does to it what a machine may do: kill, freeze, thaw, stop, start again."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.kafka import settings
from tests.kafka.process import ServerProcess
from tests.kafka.waiting import wait_until


class KafkaStartError(Exception):
    """A node ended, or did not listen in time; the message carries the last lines of its log."""


class KafkaNode(ServerProcess):
    """One combined node (broker and controller) on an address of its own.

    `base` gives the node's settings but its overrides, and is asked anew at each start, so that a test may change
    `advertised` and `overrides` while the node is down. `command` is the java command line up to the class.
    """

    def __init__(
        self,
        node_id: int,
        host: str,
        ports: Mapping[str, int],
        folder: Path,
        base: Callable[[KafkaNode], dict[str, str]],
    ) -> None:
        super().__init__(f"node {node_id}", folder, folder / "node.log")
        self.id = node_id
        self.host = host
        self.ports = dict(ports)
        """Port by listener name."""
        self.command: Sequence[str] = ()
        self.wrapper: Sequence[str] = ()
        """What the command is run by, such as `firewall.wrapper`."""
        self.advertised = {name: self.address_of(name) for name in ports if name != settings.CONTROLLER}
        """Address (`host:port`) by listener name that the node tells clients; takes effect at the next start."""
        self.overrides: dict[str, str] = {}
        """Settings of this node alone, stronger than all others; take effect at the next start."""
        self._base = base

    @property
    def port(self) -> int:
        """Return the port of the plain listener, or of a dedicated controller its only one."""
        return self.ports.get(settings.INTERNAL) or self.ports[settings.CONTROLLER]

    @property
    def address(self) -> str:
        """Return `host:port` of the plain listener, or of a dedicated controller its only one."""
        return f"{self.host}:{self.port}"

    def address_of(self, listener: str) -> str:
        """Return `host:port` of a listener. Raises `KeyError` when the node has none of that name."""
        return f"{self.host}:{self.ports[listener]}"

    def configure(self) -> Path:
        """Write the node's configuration file and give its path."""
        path = self.folder / "node.properties"
        settings.write(path, self._base(self) | self.overrides)
        return path

    def start(self, overrides: Mapping[str, str] | None = None, *, deadline: float = 180.0) -> None:
        """Start the process and wait until its listeners accept, which a broker's do once it is in the cluster.

        `overrides` replace those of before; without them they stay. Raises `KafkaStartError` after `deadline` seconds
        or when the process ends, and `RuntimeError` when it runs already.
        """
        self.spawn(overrides)
        self.wait_port(deadline)

    def spawn(self, overrides: Mapping[str, str] | None = None) -> None:
        """Start the process and do not wait. Raises `RuntimeError` when it runs already."""
        if self.running:
            raise RuntimeError(f"{self.title} runs already")
        if overrides is not None:
            self.overrides = dict(overrides)
        self.launch([*self.wrapper, *self.command, "kafka.Kafka", str(self.configure())])

    def wait_port(self, deadline: float = 180.0) -> None:
        """Wait until every listener for clients accepts, one of which does so later than another.

        Raises `KafkaStartError` after `deadline` seconds or at the end of the process.
        """
        names = [name for name in self.ports if name != settings.CONTROLLER]
        try:
            wait_until(
                lambda: not self.running or all(self.accepts(name) for name in names),
                deadline,
                f"{self.title} listens on {self.address}",
            )
        except TimeoutError as error:
            raise KafkaStartError(f"{error}\n{self.last_words()}") from error
        if not self.running:
            raise KafkaStartError(f"{self.title} ended at its start\n{self.last_words()}")

    def accepts(self, listener: str = settings.INTERNAL, timeout: float = 1.0) -> bool:
        """Return whether a TCP connection to the listener comes about within `timeout` seconds."""
        try:
            socket.create_connection((self.host, self.ports[listener]), timeout).close()
        except OSError:
            return False
        return True

    def restart(self, overrides: Mapping[str, str] | None = None, *, deadline: float = 180.0) -> None:
        """Stop the node if it runs, and start it; `overrides` as in `start`, `deadline` seconds for each half.

        Kafka 4.4 takes a broker back only once its old session has ended (9 s by default), after a clean stop too;
        until then its port refuses. `settings.QUICK_SESSIONS` shortens that.
        """
        self.stop(deadline)
        self.start(overrides, deadline=deadline)
