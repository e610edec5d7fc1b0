"""Who answers must be the broker of the cluster that is meant, whatever version it speaks."""

from __future__ import annotations

import pytest

from keywatch.engine.probe import Reason
from keywatch.kafka.connection import BrokerError, connect
from keywatch.kafka.membership import Claim, Membership
from keywatch.kafka.proof import prove
from keywatch.kafka.wire.codec import Reader, Writer
from tests.exporter.fakes.fake_broker import FakeBroker, listening

METADATA, API_VERSIONS, DESCRIBE_CONFIGS = 3, 18, 32
INVALID_REQUEST, NO_RIGHT, REBOOTSTRAP_REQUIRED = 42, 31, 129
ENOUGH = 10.0


class NamedBroker(FakeBroker):
    """A broker that says who it is, in the ways of a version of Kafka."""

    def __init__(self, cluster_id: str, broker: int, *, newest: int, describes: bool = True) -> None:
        super().__init__()
        self.describes = describes
        self._own = (cluster_id, broker)
        speaks = {METADATA: 8, API_VERSIONS: newest, DESCRIBE_CONFIGS: 1}
        body = Writer().int16(0)
        self.versions = body.array(speaks.items(), lambda one: body.int16(one[0]).int16(0).int16(one[1])).done()
        self.answers = {METADATA: self._metadata, DESCRIBE_CONFIGS: self._configs, API_VERSIONS: self._versions}

    def _versions(self, request: bytes) -> bytes:
        if not request:
            return self.versions
        reader = Reader(request, flexible=True, position=1)  # behind the tags of the header
        reader.string()
        reader.string()
        asked = (reader.string(), reader.int32())
        return Writer(flexible=True).int16(0 if asked == self._own else REBOOTSTRAP_REQUIRED).done() + b"\1\0\0\0\0\0"

    def _metadata(self, _: bytes) -> bytes:
        return Writer().int32(0).int32(0).string(self._own[0]).int32(1).int32(0).int32(0).done()

    def _configs(self, request: bytes) -> bytes:
        reader = Reader(request, position=5)
        asked = reader.string()
        body = Writer().int32(0).int32(1)
        if not self.describes:
            body.int16(NO_RIGHT).string("no")
        elif asked != str(self._own[1]):
            body.int16(INVALID_REQUEST)
            body.string(f"Unexpected broker id, expected {self._own[1]} or empty string, but received {asked}")
        else:
            body.int16(0).string(None)
        return body.int8(4).string(asked).int32(0).done()


async def judged(broker: NamedBroker, membership: Membership, claim: Claim, times: int = 1) -> BrokerError | None:
    """Return what speaks against the broker."""
    async with listening(broker) as endpoint:
        for _ in range(times):
            connection = await connect(endpoint, ENOUGH)
            try:
                await prove(membership, connection, claim, ENOUGH)
            except BrokerError as error:
                assert not connection.is_open
                return error
            finally:
                connection.close()
    return None


NEW, OLD = 5, 3
every_version = pytest.mark.parametrize("newest", [NEW, OLD])


@every_version
async def test_the_broker_that_is_meant_is_let_through(newest: int) -> None:
    broker = NamedBroker("A", 2, newest=newest)
    assert await judged(broker, Membership("A"), Claim("2", 2)) is None
    assert (METADATA in broker.requests) is (newest == OLD), "from 4.4 on one question is enough"


@every_version
async def test_another_cluster_is_named_with_both_ids(newest: int) -> None:
    membership = Membership("A")
    error = await judged(NamedBroker("B", 2, newest=newest), membership, Claim("2", 2))
    assert error is not None
    assert error.reason is Reason.OTHER_CLUSTER
    assert "as cluster B, but A" in error.detail
    assert membership.strangers == {"2": "B"}
    await judged(NamedBroker("A", 2, newest=newest), membership, Claim("2", 2))
    assert membership.strangers == {}


@every_version
async def test_another_broker_of_the_cluster_is_none(newest: int) -> None:
    error = await judged(NamedBroker("A", 3, newest=newest), Membership("A"), Claim("2", 2))
    assert error is not None
    assert error.reason is Reason.OTHER_BROKER
    assert ("broker 3 answers" in error.detail) is (newest == OLD)


@every_version
async def test_where_brokers_share_an_address_or_are_renumbered_the_cluster_is_held_alone(newest: int) -> None:
    renumbered = Membership("A", check_brokers=False)
    for membership, claim in ((Membership("A"), Claim("2", None)), (renumbered, Claim("2", 2))):
        assert await judged(NamedBroker("A", 3, newest=newest), membership, claim) is None
        other = await judged(NamedBroker("B", 2, newest=newest), membership, claim)
        assert other is not None
        assert other.reason is Reason.OTHER_CLUSTER


async def test_before_anybody_answered_nobody_is_another_one() -> None:
    broker = NamedBroker("A", 3, newest=NEW)
    assert await judged(broker, Membership(), Claim("seed:9092", None)) is None
    assert broker.requests == [API_VERSIONS]


async def test_a_right_that_is_missing_is_tried_once_and_the_cluster_each_time() -> None:
    broker = NamedBroker("A", 3, newest=OLD, describes=False)
    assert await judged(broker, Membership("A"), Claim("2", 2), times=3) is None
    assert (broker.requests.count(DESCRIBE_CONFIGS), broker.requests.count(METADATA)) == (1, 3)


@pytest.mark.parametrize("name", ["x" * 65, 'a"b', "a\nb", "\x1b[31m"])
async def test_a_strangers_name_is_not_repeated_when_it_is_no_id(name: str) -> None:
    membership = Membership("A")
    error = await judged(NamedBroker(name, 2, newest=OLD), membership, Claim("2", 2))
    assert error is not None
    assert name not in error.detail
    assert membership.strangers == {"2": "(not an id)"}


def test_the_first_cluster_is_held() -> None:
    membership = Membership()
    assert [membership.admits(answer) for answer in ("A", "B", "A")] == [True, False, True]
    assert membership.admits("")  # before Kafka 0.10.1
    assert membership.cluster_id == "A"
    assert not membership.replaced
    membership.met("1", "B")
    assert membership.replaced
    named = Membership("A")
    named.met("1", "B")
    assert not named.replaced, "the configuration decides"
