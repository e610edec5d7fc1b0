"""What is known of one cluster: who should exist, who lives, who leads what; probes write it and build on it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from keywatch.config.endpoint import Endpoint, advertised
from keywatch.engine.probe import ProbeError, Reason
from keywatch.kafka.membership import Claim, Membership
from keywatch.kafka.throttle import Throttle
from keywatch.kafka.wire.requests import BrokerNode, Metadata, PartitionState

_HIGHEST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Broker:
    """A broker that should exist.

    `label` is its id, or its address while no id is known; `endpoint` is None when the cluster names the id but
    nobody says where it lives, or says what cannot be an address: then `fault` is why. `alone` tells whether it has its
    address to itself.
    """

    label: str
    endpoint: Endpoint | None
    rack: str = ""
    fault: tuple[Reason, str] | None = None
    alone: bool = True


class Topology:
    """One cluster as far as it is known; lives on the event loop and is never locked."""

    unclean: frozenset[str] = frozenset()
    """Topics that a replica may lead which lacks records."""
    elects_eligible = True
    """Whether replicas that are no longer in sync may lead without a loss (KIP-966), or nobody knows yet."""

    def __init__(
        self,
        bootstrap: Iterable[Endpoint],
        expected: Iterable[int] = (),
        forget_after: float = 3600.0,
        clock: Callable[[], float] = time.monotonic,
        membership: Membership | None = None,
    ) -> None:
        self.bootstrap = tuple(bootstrap)
        self.membership = membership or Membership()
        self.throttle = Throttle(clock)
        self._answered: dict[str, float] = {}
        self.controller = -1
        self.topics: dict[str, dict[int, PartitionState]] | None = None
        self.ids: Mapping[str, bytes] = {}
        """The id of each topic, where Kafka tells it (2.8); the same object as long as it says the same."""
        self.compacted: frozenset[str] = frozenset()
        """Topics in which records vanish one by one."""
        self.min_in_sync: dict[str, int] = {}
        self.retention: Mapping[str, float] = {}
        """Seconds for which each topic keeps a record, where it deletes by age."""
        self.settings_known = asyncio.Event()
        """Set when topics' settings were read for the first time, or it is known that they cannot be."""
        self.adding: Mapping[str, Mapping[int, frozenset[int]]] = {}
        """Topic → partition → brokers that a reassignment under way is giving a replica."""
        self.forbidden: frozenset[str] = frozenset()
        """Topics that exist or existed and that keywatch may not describe (any more): metadata just leaves them out."""
        self.existing: Mapping[str, Mapping[int, PartitionState]] = {}
        """The topics of metadata, and those forbidden as they were when they were last seen."""
        self.version = 0
        """Counts the changes of anything that partitions are judged by: their state, who lives, what topics demand."""
        self.size = 0
        """How many partitions there are."""
        self._whole = False
        self._outdated = False
        self._moved = False
        self._configured = frozenset(expected)
        self._forget_after = forget_after
        self._clock = clock
        self._nodes: dict[int, BrokerNode] = {}
        self._seen: dict[int, float] = {}
        self._registered: frozenset[int] | None = None
        self._named: frozenset[int] = frozenset()
        self._in_metadata: frozenset[int] = frozenset()
        self._state: dict[str, bool] = {}
        self._missed: set[str] = set()
        self._missed_at: dict[str, float] = {}
        self._fenced: frozenset[str] = frozenset()
        self._broken_disks: frozenset[str] = frozenset()
        self._reasons: dict[str, Reason | None] = {}
        self._serves_others: set[str] = set()
        self.at_connection_limit: set[str] = set()
        """Brokers that close new connections of keywatch's and answer on those that it has."""
        self._on_brokers: list[Callable[[], None]] = []
        self._on_liveness: list[Callable[[], None]] = []
        self._brokers = {str(endpoint): Broker(str(endpoint), endpoint) for endpoint in self.bootstrap}
        self._known = asyncio.Event()
        self._settle()

    def on_brokers(self, call: Callable[[], None]) -> None:
        """Have `call` called whenever the brokers that should exist, or their addresses, change."""
        self._on_brokers.append(call)

    def on_liveness(self, call: Callable[[], None]) -> None:
        """Have `call` called whenever a broker comes or goes, or the state of partitions changes."""
        self._on_liveness.append(call)

    def expect(self, expected: Iterable[int], forget_after: float) -> None:
        """Record which brokers must exist by configuration, and for how many seconds one that left is remembered."""
        self._configured, self._forget_after = frozenset(expected), forget_after
        self._settle()

    @property
    def cluster_id(self) -> str:
        """The id of the cluster that is watched; empty until somebody answered."""
        return self.membership.cluster_id

    @property
    def brokers(self) -> Mapping[str, Broker]:
        """The brokers that should exist, by label."""
        return self._brokers

    def endpoint(self, label: str) -> Endpoint | None:
        """Return where a broker, or a bootstrap address by its own words, is to be found."""
        broker = self._brokers.get(label)
        if broker is not None:
            return broker.endpoint
        return next((endpoint for endpoint in self.bootstrap if str(endpoint) == label), None)

    def claim(self, label: str) -> Claim:
        """Return who should answer at a broker's address; which broker only where no other lives there too."""
        broker = self._brokers.get(label)
        return Claim(label, int(label) if broker is not None and broker.alone and _is_id(label) else None)

    def sharing(self) -> list[str]:
        """Return the labels of brokers whose address is that of another broker too: they cannot be told apart."""
        return [label for label, broker in self._brokers.items() if not broker.alone]

    def shut_out(self, label: str) -> bool:
        """Return whether a broker that is known is fenced, or absent from metadata, by the cluster's own word."""
        return self.topics is not None and _is_id(label) and int(label) not in self._in_metadata

    async def partitions(self, timeout: float) -> Mapping[str, Mapping[int, PartitionState]]:
        """Return topic → partition → state, waiting up to `timeout` seconds for metadata to be read for the first time.

        Raises `ProbeError`.
        """
        try:
            async with asyncio.timeout(timeout):
                await self._known.wait()
        except TimeoutError:
            raise ProbeError(Reason.NO_METADATA, "the cluster's metadata was never read") from None
        return self.topics or {}

    def living(self) -> list[Broker]:
        """Return the brokers that may be asked: not known to be down, those known to be up first, fenced ones last."""
        alive = [broker for broker in self._brokers.values() if self._state.get(broker.label, True) and broker.endpoint]
        return sorted(alive, key=lambda broker: (broker.label in self._fenced, broker.label not in self._state))

    def up(self) -> list[str]:
        """Return the labels of brokers that are proven to be up."""
        return [label for label in self._brokers if self._state.get(label, False)]

    def known_down(self, broker: int) -> bool:
        """Return whether the broker with this id is proven to be down."""
        return self._state.get(str(broker)) is False

    def lives(self, broker: int) -> bool:
        """Return whether a replica on this broker counts as living; without proof, metadata's word is taken.

        A broker that is down for keywatch alone serves others: it does not count as proven dead.
        """
        if str(broker) in self._serves_others:
            return broker in self._in_metadata
        return self._state.get(str(broker), broker in self._in_metadata)

    def refuses(self, broker: int) -> bool:
        """Return whether the broker with this id is down for keywatch alone, because it refuses its credentials."""
        return self._state.get(str(broker)) is False and self._reasons.get(str(broker)) is Reason.AUTHENTICATION

    def why_down(self, broker: int) -> tuple[Reason, str]:
        """Return the reason why nothing can be asked of the leader with this id."""
        if self.refuses(broker):
            return Reason.AUTHENTICATION, f"broker {broker} refuses the credentials"
        return Reason.NO_LEADER, f"broker {broker} is down"

    def common_reason(self) -> Reason:
        """Return the reason why most of the brokers that are down are down."""
        reasons = Counter(reason for label in self._brokers if (reason := self._reasons.get(label)) is not None)
        return max(reasons, key=reasons.__getitem__, default=Reason.REFUSED)

    def judged(self) -> bool:
        """Return whether every broker that should exist was found either up or down."""
        return all(label in self._state for label in self._brokers)

    def doubted(self, broker: int, within: float = 0.0) -> bool:
        """Return whether the broker did not answer when it was last asked, whether or not that is a verdict yet.

        With `within`, also one that answers again but did not some time in the last `within` seconds.
        """
        if str(broker) in self._missed or not self.lives(broker):
            return True
        return self._clock() - self._missed_at.get(str(broker), float("-inf")) < within

    def report_answer(self, label: str) -> None:
        """Record that a broker answered something on some connection."""
        self._answered[label] = self._clock()

    def answered_within(self, label: str, seconds: float) -> bool:
        """Return whether the broker answered something within the last `seconds`."""
        return self._clock() - self._answered.get(label, float("-inf")) <= seconds

    def fence(self, labels: Iterable[str]) -> None:
        """Record which brokers are cut off from the controllers, so that what they say of the cluster grows old."""
        self._fenced = frozenset(labels)

    def is_fenced(self, label: str) -> bool:
        """Return whether a broker is cut off from the controllers, though it answers."""
        return label in self._fenced

    def report_disks(self, broken: Iterable[str]) -> None:
        """Record which brokers lack a log directory that failed, so that replicas there hold nobody's records."""
        self._broken_disks = frozenset(broken)

    def lacks_disk(self, broker: int) -> bool:
        """Return whether a log directory of the broker with this id has failed."""
        return str(broker) in self._broken_disks

    def report_attempt(self, label: str, answered: bool) -> None:
        """Take the outcome of one attempt of the broker probe."""
        if answered:
            self._missed.discard(label)
        elif label in self._brokers:
            self._missed.add(label)
            self._missed_at[label] = self._clock()

    def report(self, label: str, up: bool, reason: Reason | None = None, *, serves_others: bool = False) -> None:
        """Take a verdict of the broker probe: with the reason when it is down, and whether it is for keywatch alone."""
        self._reasons[label] = reason
        if label not in self._brokers:
            return
        if self._state.get(label) is not up or (label in self._serves_others) is not serves_others:
            self._state[label] = up
            (self._serves_others.add if serves_others else self._serves_others.discard)(label)
            self._changed()

    def record(self, metadata: Metadata) -> None:
        """Record what the cluster's metadata says; what another cluster says is left out."""
        if not self.membership.admits(metadata.cluster_id):
            return
        hidden = {topic: self.existing[topic] for topic in self.forbidden if topic in self.existing}
        if metadata.topics != self.topics or self.existing.keys() != {*metadata.topics, *hidden}:
            self.topics = metadata.topics
            self.existing = {**hidden, **metadata.topics} if hidden else metadata.topics
            states = [state for partitions in metadata.topics.values() for state in partitions.values()]
            self.size = len(states)
            self._named = frozenset(
                replica for replicas in {state.replicas for state in states} for replica in replicas
            )
            self._whole = all(state.leader >= 0 and len(state.in_sync) == len(state.replicas) for state in states)
            self._moved = True
        if metadata.ids != self.ids:
            self.ids = metadata.ids
        self._outdated = False
        self._known.set()
        self.learn_brokers(metadata)

    def learn_brokers(self, metadata: Metadata) -> None:
        """Record the brokers of the cluster's metadata, and nothing of its topics."""
        if not self.membership.admits(metadata.cluster_id):
            return
        now = self._clock()
        self.controller = metadata.controller
        for node in metadata.brokers:
            self._nodes[node.id] = node
            self._seen[node.id] = now
        in_metadata = frozenset(node.id for node in metadata.brokers)
        moved, self._moved = self._moved or in_metadata != self._in_metadata, False
        self._in_metadata = in_metadata
        self._settle()
        if moved:
            self._changed()

    def calm(self) -> bool:
        """Return whether all brokers answer, all partitions have all their replicas, and nothing contradicts that."""
        whole = self._whole and not self._outdated
        return whole and not self._missed and len(self.up()) == len(self._brokers)

    def outdate(self) -> None:
        """Record that something contradicts metadata: a leader that is none, a partition that it does not name."""
        self._outdated = True

    def learn_registered(self, nodes: Iterable[BrokerNode]) -> None:
        """Record who is registered, dead brokers included (DescribeCluster v2): nobody else needs remembering."""
        known = {node.id: node for node in nodes}
        self._nodes.update({broker: node for broker, node in known.items() if broker not in self._in_metadata})
        self._registered = frozenset(known)
        self._settle()

    def forbid(self, topics: Iterable[str]) -> None:
        """Record which topics may not be described."""
        forbidden = frozenset(topics)
        if forbidden != self.forbidden:
            self.forbidden = forbidden
            self._changed()

    def reassign(self, adding: Mapping[str, Mapping[int, frozenset[int]]]) -> None:
        """Record which replicas partitions are only about to get."""
        if adding != self.adding:
            self.adding = adding
            self._changed()

    def demand(self, min_in_sync: Mapping[str, int]) -> None:
        """Record each topic's min.insync.replicas."""
        if min_in_sync != self.min_in_sync:
            self.min_in_sync = dict(min_in_sync)
            self._changed()

    def _settle(self) -> None:
        """Work out who should exist; the bootstrap addresses stand for brokers until the first id is known."""
        now = self._clock()
        if self._registered is None:
            remembered = {broker for broker, seen in self._seen.items() if now - seen <= self._forget_after}
        else:
            remembered = set(self._registered)
        ids = sorted(remembered | self._in_metadata | self._named | self._configured)
        # One that left does not share the address that another has taken over.
        lodgers = Counter((node.host, node.port) for broker in ids if (node := self._nodes.get(broker)))
        brokers = {str(broker): _broker(broker, self._nodes.get(broker), lodgers) for broker in ids}
        if not any(broker.endpoint for broker in brokers.values()):
            brokers.update({str(endpoint): Broker(str(endpoint), endpoint) for endpoint in self.bootstrap})
        if brokers != self._brokers:
            # A verdict holds for the address at which it was found.
            self._state = {
                label: up
                for label, up in self._state.items()
                if label in brokers and brokers[label].endpoint == self._brokers[label].endpoint
            }
            self._serves_others.intersection_update(self._state)
            self._missed.intersection_update(brokers)
            self.at_connection_limit.intersection_update(brokers)
            self._missed_at = {label: at for label, at in self._missed_at.items() if label in brokers}
            self._answered = {label: at for label, at in self._answered.items() if label in brokers}
            self.throttle.retain(frozenset(brokers))
            self._brokers = brokers
            for label in self.membership.strangers:
                if self.endpoint(label) is None:
                    self.membership.cleared(label)
            self.version += 1
            self._call(self._on_brokers)

    def _changed(self) -> None:
        self.version += 1
        self._call(self._on_liveness)

    @staticmethod
    def _call(callbacks: list[Callable[[], None]]) -> None:
        for callback in callbacks:
            callback()


def _is_id(label: str) -> bool:
    return label.isascii() and label.isdigit()


def _broker(broker: int, node: BrokerNode | None, lodgers: Mapping[tuple[str, int], int]) -> Broker:
    """Make a broker that should exist, of what the cluster names."""
    if node is None:
        return Broker(str(broker), None)
    try:
        endpoint = advertised(node.host, node.port)
    except ValueError as error:
        reason = Reason.DNS if 1 <= node.port <= _HIGHEST_PORT else Reason.PROTOCOL
        return Broker(str(broker), None, node.rack, (reason, f"the cluster names an address that is none: {error}"))
    return Broker(str(broker), endpoint, node.rack, alone=lodgers[node.host, node.port] == 1)
