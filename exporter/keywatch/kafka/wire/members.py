"""The raw requests about a group's members: how many there are, what they subscribe to, and what they are assigned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from keywatch.engine.slices import Pieces, at_once
from keywatch.kafka.wire.codec import Reader, WireError, Writer
from keywatch.kafka.wire.request import Request
from keywatch.kafka.wire.requests import CONSUMER_GROUP_DESCRIBE, DESCRIBE_GROUPS, TopicPartition

CONSUMERS = "consumer"
"""The protocol type of groups whose members read; others, such as `connect`, share out work of another kind."""
MOST_READ = 100_000
"""Partitions and topics, together, that are taken in of what the members of one reply's groups say that they read."""
# A classic group tells what its members read only while it is stable; one of KIP-848 while nothing is reckoned anew.
_SETTLED = frozenset({"Stable"})
_SETTLED_ON_BROKERS = frozenset({"Stable", "Reconciling"})


class Owner(NamedTuple):
    """Members of one client id on one host, and the partitions that are assigned to them."""

    client: str
    host: str
    partitions: frozenset[TopicPartition]


class Reading(NamedTuple):
    """What the members of a group read: the partitions assigned to any of them, and the topics they subscribe to.

    `owners` are the members that it was asked for, by client and host.
    """

    assigned: frozenset[TopicPartition]
    subscribed: frozenset[str]
    owners: tuple[Owner, ...] = ()


class Described(NamedTuple):
    """A group as its coordinator describes it; `reading` is None while it does not tell, as during a rebalance."""

    error: int
    state: str
    members: int
    reading: Reading | None


class Room:
    """How much of what members say of themselves is taken in, of one reply: so many partitions and topics together.

    And of so many members who they are.
    """

    def __init__(self, most: int = MOST_READ, owners: int = 0) -> None:
        self._left = most
        self._owners = owners

    def takes_owner(self) -> bool:
        """Return whether there is room for one more who says who it is, and take it if so."""
        self._owners -= 1
        return self._owners >= 0

    def takes(self, count: int) -> bool:
        """Return whether there is room for so many more, and take it if so: who claims too much costs no neighbour."""
        if count > self._left:
            return False
        self._left -= count
        return True


class MembersReading:
    """Collects what the members of one group read; `known` ends when a member's words are lacking, or are too many."""

    def __init__(self, room: Room, *, known: bool) -> None:
        self._room = room
        self._known = known
        self._assigned: set[TopicPartition] = set()
        self._subscribed: set[str] = set()
        self._owners: dict[tuple[str, str], set[TopicPartition]] = {}
        self._owned: set[TopicPartition] | None = None

    def begin(self, client: str, host: str) -> None:
        """Begin the member of a client on a host: what is assigned from now on is assigned to it."""
        who = client, host.removeprefix("/")  # as Java writes an address without a name
        known = who in self._owners or self._room.takes_owner()
        self._owned = self._owners.setdefault(who, set()) if known else None

    def subscribe(self, topics: Sequence[str]) -> None:
        """Add topics that a member subscribes to."""
        fresh = set(topics) - self._subscribed
        self._known = self._known and self._room.takes(len(fresh))
        if self._known:
            self._subscribed |= fresh

    def assign(self, topic: str, indexes: Sequence[int]) -> None:
        """Add partitions that a member is assigned."""
        self._known = self._known and self._room.takes(len(indexes))
        if self._known:
            partitions = [TopicPartition(topic, index) for index in indexes]
            self._assigned.update(partitions)
            if self._owned is not None:
                self._owned.update(partitions)

    def end_owned(self) -> None:
        """Have what is assigned from now on be nobody's, as what a member is about to read but does not yet."""
        self._owned = None

    def give_up(self) -> None:
        """Record that a member's words cannot be read."""
        self._known = False

    def told(self) -> Reading | None:
        """Return what they read together, if all of them told it."""
        if not self._known:
            return None
        owners = tuple([Owner(*who, frozenset(owned)) for who, owned in sorted(self._owners.items())])
        return Reading(frozenset(self._assigned), frozenset(self._subscribed), owners)


def describe_groups(groups: Sequence[str]) -> Request:
    """Ask for the members of classic groups, version 4."""
    body = Writer()
    body.array(groups, body.string).boolean(False)
    return Request(DESCRIBE_GROUPS, 4, False, body.done())


def read_describe_groups(reader: Reader) -> dict[str, Described]:
    """Read a reply to DescribeGroups v4."""
    return at_once(reading_describe_groups(reader))


def reading_describe_groups(reader: Reader, owners: int = 0) -> Pieces[dict[str, Described]]:
    """Read a reply to DescribeGroups v4 in pieces, and of so many members who they are."""
    reader.int32()  # throttle time
    found: dict[str, Described] = {}
    room = Room(owners=owners)
    for _ in range(reader.count()):
        error = reader.int16()
        name, state, protocol_type = reader.string(), reader.string(), reader.string()
        reader.string()  # protocol
        reading = MembersReading(room, known=protocol_type == CONSUMERS and state in _SETTLED)
        members = reader.count()
        for _ in range(members):
            for _ in range(2):  # member, instance
                reader.nullable_string()
            reading.begin(reader.string(), reader.string())
            _add_own_words(reader.octets(), reader.octets(), reading)
            yield
        reader.int32()  # authorized operations
        found[name] = Described(error, state, members, reading.told())
        yield
    return found


def _add_own_words(subscription: bytes, assignment: bytes, reading: MembersReading) -> None:
    """Add what a member of a classic group reads, in the bytes of the clients' own protocol.

    The broker passes these bytes on without reading them: nobody but the clients vouches for them.
    """
    try:
        if subscription:
            reader = Reader(subscription)
            reader.int16()  # version; what later ones added comes behind
            reading.subscribe(reader.array(reader.string))
        if assignment:
            reader = Reader(assignment)
            reader.int16()  # version, as above
            for _ in range(reader.count()):
                reading.assign(reader.string(), reader.int32s())
    except WireError:
        reading.give_up()


def describe_consumer_groups(groups: Sequence[str]) -> Request:
    """Ask for the members of KIP-848 groups, version 0."""
    return describe_by_name(CONSUMER_GROUP_DESCRIBE, 0, groups)


def describe_by_name(api: int, version: int, groups: Sequence[str]) -> Request:
    """Ask for the members of groups of a newer kind, each of which has a request of the same form."""
    body = Writer(flexible=True)
    body.array(groups, body.string).boolean(False).tags()
    return Request(api, version, True, body.done())


def read_describe_consumer_groups(reader: Reader) -> dict[str, Described]:
    """Read a reply to ConsumerGroupDescribe v0."""
    return at_once(reading_describe_consumer_groups(reader))


def reading_describe_consumer_groups(reader: Reader, owners: int = 0) -> Pieces[dict[str, Described]]:
    """Read a reply to ConsumerGroupDescribe v0 in pieces, and of so many members who they are."""
    return described(reader, _member, owners)


ReadMember = Callable[[Reader, MembersReading], None]
"""Reads a member, and adds what it reads."""


def described(reader: Reader, read_member: ReadMember, owners: int = 0) -> Pieces[dict[str, Described]]:
    """Read in pieces what the newer kinds of groups are described by, which differ in their members alone."""
    reader.int32()  # throttle time
    found: dict[str, Described] = {}
    room = Room(owners=owners)
    for _ in range(reader.count()):
        error = reader.int16()
        reader.nullable_string()  # message
        name, state = reader.string(), reader.string()
        reader.int32()  # group epoch
        reader.int32()  # assignment epoch
        reader.string()  # assignor
        reading = MembersReading(room, known=state in _SETTLED_ON_BROKERS)
        members = reader.count()
        for _ in range(members):
            read_member(reader, reading)
            yield
        reader.int32()  # authorized operations
        reader.tags()
        found[name] = Described(error, state, members, reading.told())
        yield
    return found


def _member(reader: Reader, reading: MembersReading) -> None:
    for _ in range(3):  # member, instance, rack
        reader.nullable_string()
    reader.int32()  # epoch
    reading.begin(reader.nullable_string() or "", reader.nullable_string() or "")
    reading.subscribe(reader.array(reader.string))
    reader.nullable_string()  # subscribed pattern: what it stands for is assigned
    add_assignment(reader, reading)
    reading.end_owned()
    add_assignment(reader, reading)  # what it is about to read
    reader.tags()


def add_assignment(reader: Reader, reading: MembersReading) -> None:
    """Read which partitions a member reads, and add them."""
    for _ in range(reader.count()):
        reader.raw(16)  # topic id
        reading.assign(reader.string(), reader.int32s())
        reader.tags()
    reader.tags()
