"""Starts a real Kafka cluster for a test, with the faults that its nodes can suffer, and ends it without a trace."""

from __future__ import annotations

import base64
import contextlib
import itertools
import re
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.kafka import class_archive, distribution, settings
from tests.kafka.certificates import CertificateAuthority
from tests.kafka.guard import Guard
from tests.kafka.node import KafkaNode, KafkaStartError
from tests.kafka.ports import PortReservation
from tests.kafka.readiness import wait_serving

_FORMAT_SECONDS = 240.0
_DATA = "data"
# A node lives in a third of the memory that Kafka's own scripts give it. C1 alone compiles enough for tests and leaves
# the cores to them. Without -UsePerfData a killed JVM would leave a file in the system's temporary folder.
_JVM = ("-Xms64m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData")
# Log4j would otherwise log errors only, and nothing any more from the moment a node begins to shut down.
_LOGGING = ("-Dorg.apache.logging.log4j.level=INFO", "-Dlog4j.shutdownHookEnabled=false")


class KafkaCluster:
    """Combined KRaft nodes 1, 2, 3 … on 127.0.0.1, 127.0.0.2, 127.0.0.3 …; a context manager that enters ready.

    `listeners` are further ones for clients beside the plain one, as `SSL` or `NAME:PROTOCOL`. `users` (name to
    password) may use SASL/PLAIN; SCRAM's users are made by `admin.set_scram_password`. `client_auth` is what TLS
    listeners ask of clients: `none`, `requested` or `required`. `extra` are settings of all nodes, stronger than the
    harness's own; `jvm` are options of their JVMs in place of those that make a start quick. With `controllers` so many
    dedicated ones make up the quorum, and the nodes are brokers only. `log_dirs` are the names of the log directories
    in each node's folder. A cluster that was made holds ports, so it must be stopped also when it never started.
    """

    def __init__(
        self,
        nodes: int = 3,
        *,
        listeners: Sequence[str] = (),
        users: Mapping[str, str] | None = None,
        client_auth: str = "none",
        offsets_partitions: int = 6,
        extra: Mapping[str, str] | None = None,
        jvm: Sequence[str] | None = None,
        controllers: int = 0,
        log_dirs: Sequence[str] = (_DATA,),
    ) -> None:
        self.folder = Path(tempfile.gettempdir()) / f"keywatch-kafka-{secrets.token_hex(6)}"
        self.id = _random_id()
        self.authority: CertificateAuthority | None = None
        """Who issued the brokers' certificates; there while a cluster with a TLS listener runs."""
        self._listeners = [settings.Listener.parse(text) for text in listeners]
        self._users = dict(users or {})
        self._client_auth = client_auth
        self._offsets_partitions = int((extra or {}).get("offsets.topic.num.partitions", offsets_partitions))
        self._extra = dict(extra or {})
        self._jvm = jvm
        self._log_dirs = tuple(log_dirs)
        self._guard: Guard | None = None
        self._ports = PortReservation()
        names = [settings.INTERNAL, *(listener.name for listener in self._listeners)]
        combined = [] if controllers else [settings.CONTROLLER]
        self.nodes = [self._make_node(number, [*names, *combined]) for number in range(1, nodes + 1)]
        """The nodes in the order of their ids, which start at 1."""
        self.controllers = [
            self._make_node(nodes + number, [settings.CONTROLLER]) for number in range(1, controllers + 1)
        ]
        """Dedicated controllers, whose ids follow those of the nodes, which are brokers only then."""

    def node(self, node_id: int) -> KafkaNode:
        """Return a node by its id."""
        return self.nodes[node_id - 1]

    @property
    def bootstrap(self) -> str:
        """Return the plain addresses of all nodes, `host:port,host:port`."""
        return self.bootstrap_for(settings.INTERNAL)

    def bootstrap_for(self, listener: str) -> str:
        """Return the addresses of a listener. Raises `KeyError` when there is none of that name."""
        return ",".join(node.address_of(listener) for node in self.nodes)

    def start(self, timeout: float = 240.0) -> None:
        """Fetch Kafka if need be, format and start all nodes at once, and wait until each listens (seconds).

        Raises `KafkaStartError` after ending what had started, and `DistributionError` when there is no Kafka to start.
        """
        with contextlib.ExitStack() as failed:
            failed.callback(self.stop)
            self._prepare()
            for node in self._all:
                node.spawn()
            for node in self._all:
                node.wait_port(timeout)
            failed.pop_all()

    def wait_ready(self, timeout: float = 180.0) -> None:
        """Wait until the nodes that run, and they alone, make up the cluster and serve records and groups.

        After a kill that takes Kafka's session timeout (9 s by default). Raises `TimeoutError` after `timeout` seconds;
        what serving means is in `readiness`.
        """
        nodes = [node for node in self.nodes if node.running and not node.frozen]
        wait_serving(nodes, self._offsets_partitions, timeout)

    def stop(self) -> None:
        """End every node at once, remove all data, and give the ports back; also after a failed start, also twice."""
        # A stack, so that one step that fails does not keep the others from being done; the last one in goes first.
        with contextlib.ExitStack() as ending:
            if self._guard is not None:
                ending.callback(self._guard.close)
                self._guard = None
            ending.callback(self._ports.close)
            ending.callback(shutil.rmtree, self.folder, ignore_errors=True)
            # SIGKILL ends frozen processes too. In good order the last nodes would wait in vain for a quorum, and the
            # data is thrown away anyhow.
            for node in self._all:
                if node.running:
                    ending.callback(node.kill)

    def __enter__(self) -> Self:
        self.start()
        with contextlib.ExitStack() as failed:
            failed.callback(self.stop)
            self.wait_ready()
            failed.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def _all(self) -> list[KafkaNode]:
        return [*self.controllers, *self.nodes]

    def _make_node(self, number: int, listeners: Sequence[str]) -> KafkaNode:
        host = f"127.0.0.{number}"
        ports = {name: self._ports.take(host) for name in listeners}
        return KafkaNode(number, host, ports, self.folder / f"node-{number}", self._settings)

    def _settings(self, node: KafkaNode) -> dict[str, str]:
        voters = {one.id: one.address_of(settings.CONTROLLER) for one in self.controllers or self.nodes}
        own = {name: node.address_of(name) for name in node.ports}
        found = settings.for_tests(len(self.nodes), self._offsets_partitions)
        found |= settings.for_node(
            node_id=node.id,
            log_dirs=[node.folder / name for name in self._log_dirs],
            voters=voters,
            listeners=self._listeners,
            own=own,
            advertised=node.advertised,
            roles="broker,controller" if not self.controllers else "broker" if node in self.nodes else "controller",
        )
        if self.authority is not None:
            bundle = self.folder / "certificates" / f"node-{node.id}.bundle.pem"
            found |= settings.for_tls(bundle, self.authority.certificate, self._client_auth)
        if sasl := [listener for listener in self._listeners if listener.has_sasl]:
            found |= settings.for_sasl(sasl, self._users)
        return found | self._extra

    def _prepare(self) -> None:
        java = distribution.java()
        if java is None:
            raise distribution.DistributionError("there is no java on the PATH")
        class_path = ":".join(str(jar) for jar in distribution.jars())
        jvm = class_archive.options(java, _record_classes) if self._jvm is None else self._jvm
        self._guard = Guard(self.folder)
        self.folder.mkdir(mode=0o700)
        if any(listener.has_tls for listener in self._listeners):
            self.authority = CertificateAuthority(self.folder / "certificates")
        for node in self._all:
            node.folder.mkdir()
            # Kafka unpacks its native libraries there, and a killed JVM does not take them away.
            temporary = f"-Djava.io.tmpdir={node.folder}"
            node.command = [java, *_JVM, *jvm, *_LOGGING, temporary, "-cp", class_path]
            if self.authority is not None:
                self.authority.server(f"node-{node.id}", [node.host])
        self._format()

    def _format(self) -> None:
        """Format the first node's folder by Kafka's own tool, and the others' by copying it.

        The copy differs in the two ids of `meta.properties` only, and spares starting a JVM for each node.
        """
        first, *others = self._all
        command = [*first.command, "kafka.tools.StorageTool", "format", "-t", self.id, "-c", str(first.configure())]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_FORMAT_SECONDS)
        if done.returncode != 0:
            raise KafkaStartError(f"formatting failed (exit {done.returncode}):\n{(done.stdout + done.stderr)[-4000:]}")
        for node, name in itertools.product(others, self._log_dirs):
            shutil.copytree(first.folder / name, node.folder / name)
            meta = node.folder / name / "meta.properties"
            text = re.sub(r"(?m)^node\.id=.*$", f"node.id={node.id}", meta.read_text(encoding="latin-1"))
            text = re.sub(r"(?m)^directory\.id=.*$", f"directory.id={_random_id()}", text)
            meta.write_text(text, encoding="latin-1")


def _record_classes(jvm: list[str]) -> None:
    with KafkaCluster(1, jvm=jvm) as cluster:
        cluster.node(1).stop()


def _random_id() -> str:
    """Return a random id as Kafka writes them: 16 bytes in URL-safe base 64, no dash first as an option has."""
    while (text := base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")).startswith("-"):
        pass
    return text
