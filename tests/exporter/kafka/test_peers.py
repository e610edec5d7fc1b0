"""Questions of one moment share a connection, none stays behind, and none is asked when no time is left."""

from __future__ import annotations

import asyncio
import struct

import pytest

from keywatch.config.endpoint import Endpoint
from keywatch.engine.probe import Reason
from keywatch.kafka.connection import BrokerConnection, BrokerError
from keywatch.kafka.peers import Peers
from keywatch.kafka.topology import Topology
from keywatch.kafka.wire import requests
from keywatch.kafka.wire.quorum import describe_quorum
from tests.exporter.fakes.fake_broker import FakeBroker, listening, silent
from tests.exporter.waiting import until


def peers_of(endpoint: Endpoint) -> tuple[Peers, str]:
    return Peers(Topology([endpoint]), None), str(endpoint)


async def test_questions_of_one_moment_share_one_connection_and_none_is_left_open() -> None:
    broker = FakeBroker(delay=0.05)
    async with listening(broker) as endpoint:
        peers, label = peers_of(endpoint)
        found = await asyncio.gather(*(peers.connection(label, 5.0) for _ in range(20)))
        assert len({id(one) for one in found}) == 1
        assert broker.connections == 1
        peers.close()
        assert not found[0].is_open


async def test_one_who_leaves_takes_the_connection_from_nobody() -> None:
    async with listening(FakeBroker(delay=0.1)) as endpoint:
        peers, label = peers_of(endpoint)
        leaving, staying = (asyncio.create_task(peers.connection(label, 5.0)) for _ in range(2))
        await asyncio.sleep(0.02)
        leaving.cancel()
        assert (await staying).is_open
        peers.close()


async def test_a_connection_that_nobody_waits_for_any_more_is_given_up() -> None:
    broker = FakeBroker(drop_new=True)
    async with listening(broker) as endpoint:
        peers, label = peers_of(endpoint)
        tasks = [asyncio.create_task(peers.connection(label, 30.0)) for _ in range(2)]
        await until(lambda: broker.connections == 1, "it is being opened")
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await until(lambda: len(asyncio.all_tasks()) <= 3, "nobody waits for the answer")
        broker.drop_new = False
        assert (await peers.connection(label, 5.0)).is_open
        peers.close()


async def test_a_reply_without_a_throttle_time_throttles_nobody() -> None:
    # Read as one it would be the error code and the length of the topics: half a second of rest.
    broker = FakeBroker(versions=struct.pack(">hihhh", 0, 1, requests.DESCRIBE_QUORUM, 0, 1))
    broker.answers = {requests.DESCRIBE_QUORUM: lambda _: bytes.fromhex("0000 02 10 5f")}
    async with listening(broker) as endpoint:
        topology = Topology([endpoint])
        peers, label = Peers(topology, None), str(endpoint)
        await peers.ask(label, describe_quorum(), 5.0, lambda reader: reader.int16())
        assert topology.throttle.wait(label) == 0
        peers.close()


async def test_closing_gives_up_what_is_being_opened_by_name() -> None:
    broker = FakeBroker(drop_new=True)
    async with listening(broker) as endpoint:
        peers, label = peers_of(endpoint)
        task = asyncio.create_task(peers.connection(label, 30.0))
        await until(lambda: broker.connections == 1, "it is being opened")
        peers.close()
        with pytest.raises(BrokerError) as error:
            await task
        assert error.value.reason is Reason.RESET


async def test_a_broker_that_moves_while_a_connection_is_opened_is_asked_at_its_new_place() -> None:
    old, new = FakeBroker(drop_new=True), FakeBroker()
    async with listening(old) as before, listening(new) as after:
        peers, label = peers_of(before)
        waiting = asyncio.create_task(peers.connection(label, 30.0))
        await until(lambda: old.connections == 1, "it is being opened")
        peers._topology._brokers[label] = peers._topology.brokers[label].__class__(label, after)
        assert (await peers.connection(label, 5.0)).endpoint == after
        with pytest.raises(BrokerError):
            await waiting
        peers.close()


async def test_who_joins_waits_no_longer_than_its_own_deadline_and_what_is_late_has_a_name() -> None:
    async with listening(silent) as endpoint:
        peers, label = peers_of(endpoint)

        async def ask(timeout: float) -> BrokerConnection | BrokerError:
            try:
                return await peers.connection(label, timeout)
            except BrokerError as error:
                return error

        first, second = await asyncio.gather(ask(0.4), ask(0.1))
        assert isinstance(first, BrokerError)
        assert isinstance(second, BrokerError)
        assert first.reason is Reason.TIMEOUT_RESPONSE
        assert second.reason is Reason.TIMEOUT_CONNECT
        peers.close()


async def test_nothing_is_asked_when_no_time_is_left_and_the_connection_stays() -> None:
    broker = FakeBroker()
    async with listening(broker) as endpoint:
        peers, label = peers_of(endpoint)
        kept = await peers.connection(label, 5.0)
        asked = len(broker.requests)
        with pytest.raises(BrokerError, match="no time was left"):
            await peers.ask(label, requests.metadata(()), 0.0, requests.read_metadata)
        assert kept.is_open
        assert len(broker.requests) == asked
        peers.close()
