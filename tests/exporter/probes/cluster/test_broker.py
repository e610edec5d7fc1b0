"""When the broker probe says down, when up, and when neither, against a broker that misbehaves on cue."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence

import pytest
from aiohappyeyeballs import AddrInfoType

from keywatch.config.endpoint import Endpoint
from keywatch.engine.probe import Reason, Sample, Schedule
from keywatch.kafka.connection import BrokerConnection, BrokerError
from keywatch.kafka.topology import Topology
from keywatch.kafka.wire.requests import BrokerNode
from keywatch.metrics import cluster as cat
from keywatch.net.resolver import Resolver
from keywatch.probes.cluster.broker import BrokerProbe
from tests.exporter.fakes.fake_broker import FakeBroker, listening
from tests.exporter.fakes.metadata import metadata, node

TIMEOUT = 0.2
ENOUGH = 10.0


@pytest.fixture
async def broker() -> FakeBroker:
    return FakeBroker()


@pytest.fixture
async def endpoint(broker: FakeBroker) -> AsyncIterator[Endpoint]:
    async with listening(broker) as where:
        yield where


@pytest.fixture
async def probe(endpoint: Endpoint) -> AsyncIterator[BrokerProbe]:
    made = probe_of(endpoint)
    yield made
    await made.close()


@pytest.fixture
async def patient(endpoint: Endpoint) -> AsyncIterator[BrokerProbe]:
    """Give a probe for answers that must come, whatever else the machine has to do."""
    made = probe_of(endpoint, timeout=ENOUGH)
    yield made
    await made.close()


def probe_of(endpoint: Endpoint, *, renew_after: float = 100.0, timeout: float = TIMEOUT) -> BrokerProbe:
    schedule = Schedule(TIMEOUT / 2, timeout)
    return BrokerProbe("kafka", str(endpoint), Topology([endpoint]), schedule, renew_after=renew_after)


def up(samples: Sequence[Sample]) -> float | None:
    return next((sample.value for sample in samples if sample.metric is cat.BROKER_UP), None)


async def until_up(probe: BrokerProbe, wanted: float) -> None:
    """Run the probe at its pace until it gives this verdict; fails after a hundred runs."""
    for _ in range(100):
        if up(await probe.run(2 * TIMEOUT)) == wanted:
            return
        await asyncio.sleep(probe.schedule.period / 4)
    pytest.fail(f"broker_up never became {wanted}")


def failures(samples: Sequence[Sample]) -> list[str]:
    return [s.labels[2] for s in samples if s.metric is cat.BROKER_FAILURES_TOTAL and s.value]


async def test_one_answer_means_up_and_tells_how_long_it_took(patient: BrokerProbe) -> None:
    samples = await patient.run(2 * ENOUGH)
    assert up(samples) == 1
    response = next(s.value for s in samples if s.metric is cat.BROKER_RESPONSE_SECONDS)
    assert 0 < response < ENOUGH


async def test_a_kept_connection_is_asked_again(patient: BrokerProbe, broker: FakeBroker) -> None:
    for _ in range(5):
        assert up(await patient.run(2 * ENOUGH)) == 1
    assert (broker.connections, len(broker.requests)) == (1, 5)


async def test_two_failures_in_a_row_mean_down_and_one_answer_up_again(probe: BrokerProbe, broker: FakeBroker) -> None:
    await probe.run(2 * TIMEOUT)
    broker.delay = 60.0
    first = await probe.run(2 * TIMEOUT)
    assert (up(first), failures(first)) == (1, [Reason.TIMEOUT_RESPONSE])
    second = await probe.run(2 * TIMEOUT)
    assert up(second) == 0
    note = next(s.note for s in second if s.metric is cat.BROKER_UP)
    assert note is not None
    assert note.startswith("down, timeout_response: 127.0.0.1:")
    broker.delay = 0.0
    assert up(await probe.run(2 * TIMEOUT)) == 1


async def test_nothing_is_said_before_the_first_verdict(endpoint: Endpoint, broker: FakeBroker) -> None:
    broker.delay = 60.0
    probe = probe_of(endpoint)
    assert up(await probe.run(2 * TIMEOUT)) is None
    assert up(await probe.run(2 * TIMEOUT)) == 0
    await probe.close()


@pytest.mark.parametrize("times", [0.3, 0.9, 1.8])
async def test_a_slow_broker_is_slow_and_not_dead(endpoint: Endpoint, broker: FakeBroker, times: float) -> None:
    """Late, but before the second deadline is over: also when every answer is, and new connections too."""
    probe = probe_of(endpoint, renew_after=5 * TIMEOUT)
    broker.delay = times * TIMEOUT
    verdicts = [up(samples) for samples in [await probe.run(2 * TIMEOUT) for _ in range(16)]]
    assert 0 not in verdicts
    assert 1 in verdicts
    slow = [s.value for s in await probe.run(2 * TIMEOUT) if s.metric is cat.BROKER_RESPONSE_SECONDS]
    assert slow[0] >= times * TIMEOUT * 0.99
    await probe.close()


async def test_an_answer_that_waits_in_the_socket_counts_where_keywatch_itself_was_late(
    probe: BrokerProbe, broker: FakeBroker
) -> None:
    await probe.run(2 * TIMEOUT)
    broker.busy = 2 * TIMEOUT
    assert failures(await probe.run(2 * TIMEOUT)) == []


async def test_a_new_connection_is_opened_by_the_question_that_is_nearest_to_its_time(
    endpoint: Endpoint, broker: FakeBroker
) -> None:
    now = 1000.0
    schedule = Schedule(0.5, ENOUGH)
    topology = Topology([endpoint])
    probe = BrokerProbe("kafka", str(endpoint), topology, schedule, renew_after=2.0, clock=lambda: now)
    opened = []
    for _ in range(9):
        await probe.run(2 * ENOUGH)
        opened.append(broker.connections)
        now += 0.499  # a little early, as timers are
    assert opened == [1, 1, 1, 1, 2, 2, 2, 2, 3]
    await probe.close()


async def test_a_network_that_drops_only_new_connections_is_found(endpoint: Endpoint, broker: FakeBroker) -> None:
    probe = probe_of(endpoint, renew_after=2 * TIMEOUT)
    assert up(await probe.run(2 * TIMEOUT)) == 1
    broker.drop_new = True
    assert up(await probe.run(2 * TIMEOUT)) == 1, "the kept connection goes on working"
    await until_up(probe, 0)
    broker.drop_new = False
    await until_up(probe, 1)
    await probe.close()


async def test_a_broker_that_closes_a_kept_connection_is_well(patient: BrokerProbe, broker: FakeBroker) -> None:
    await patient.run(2 * ENOUGH)
    broker.answers.clear()
    assert patient._link is not None
    patient._link.close()
    assert up(await patient.run(2 * ENOUGH)) == 1
    assert broker.connections == 2


async def test_the_reason_follows_the_fault(broker: FakeBroker) -> None:
    async with listening(broker) as endpoint:
        probe = probe_of(endpoint)
        await probe.run(2 * TIMEOUT)
        broker.delay = 60.0
        await probe.run(2 * TIMEOUT)
        frozen = await probe.run(2 * TIMEOUT)
    for _ in range(3):
        gone = await probe.run(2 * TIMEOUT)
    await probe.close()
    assert reasons(frozen) == {Reason.TIMEOUT_RESPONSE}
    assert reasons(gone) == {Reason.REFUSED}


@pytest.mark.parametrize(
    ("reason", "tried"),
    [
        (Reason.TLS_EXPIRED, [2, 3]),
        (Reason.TLS_HOSTNAME, [2, 3]),
        (Reason.TLS_UNTRUSTED, [2, 3]),
        (Reason.REFUSED, [1, 2]),
    ],
)
async def test_a_certificate_that_does_not_hold_is_looked_at_again_at_once(
    reason: Reason, tried: list[int], endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0

    async def refuse(*_: object, **__: object) -> BrokerConnection:
        nonlocal tries
        tries += 1
        raise BrokerError(reason, "no")

    monkeypatch.setattr("keywatch.probes.cluster.broker_link.connect", refuse)
    probe = probe_of(endpoint)
    first = await probe.run(2 * TIMEOUT)
    assert failures(first) == [reason] * tried[0]
    assert up(first) == (0 if tried[0] == 2 else None)
    assert tries == tried[0]
    assert up(await probe.run(2 * TIMEOUT)) == 0
    assert tries == tried[1], "once it is known it is asked once"
    await probe.close()


def reasons(samples: Sequence[Sample]) -> set[str]:
    return {sample.labels[2] for sample in samples if sample.metric is cat.BROKER_DOWN_REASON and sample.value}


async def test_a_defect_in_asking_is_a_verdict_on_that_broker(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise UnicodeError("label too long")

    monkeypatch.setattr("keywatch.probes.cluster.broker_link.connect", broken)
    probe = probe_of(endpoint)
    await probe.run(2 * TIMEOUT)
    samples = await probe.run(2 * TIMEOUT)
    assert up(samples) == 0
    assert failures(samples) == [Reason.INTERNAL]
    assert len([record for record in caplog.records if record.exc_info]) == 1, "told once, not each time"
    await probe.close()


async def test_an_address_that_is_none_is_down_for_that() -> None:
    topology = Topology([Endpoint("seed", 9092)])
    topology.record(metadata([node(1, host="kafka-1..svc"), node(2)]))
    probe = BrokerProbe("kafka", "1", topology, Schedule(TIMEOUT / 2, TIMEOUT))
    await probe.run(2 * TIMEOUT)
    (told,) = [s for s in await probe.run(2 * TIMEOUT) if s.metric is cat.BROKER_UP]
    assert (told.value, told.note) == (
        0.0,
        "down, dns: the cluster names an address that is none: 'kafka-1..svc' is not a host name",
    )


async def test_an_advertised_address_that_never_answered_is_told_as_such(endpoint: Endpoint) -> None:
    async with listening(FakeBroker()) as gone:
        pass
    topology = Topology([endpoint])
    topology.record(metadata([BrokerNode(1, gone.host, gone.port, "", fenced=False)]))
    probe = BrokerProbe("kafka", "1", topology, Schedule(TIMEOUT / 2, TIMEOUT))
    await probe.run(2 * TIMEOUT)
    (told,) = [s for s in await probe.run(2 * TIMEOUT) if s.metric is cat.BROKER_UP]
    assert str(told.note).startswith(f"down, refused: the bootstrap answered, and advertises {gone} for this broker: ")
    await probe.close()


async def test_a_broker_that_shares_its_address_is_down_when_the_cluster_lacks_it(endpoint: Endpoint) -> None:
    topology = Topology([Endpoint("seed", 9092)])
    both = [BrokerNode(broker, endpoint.host, endpoint.port, "", fenced=False) for broker in (1, 2)]
    topology.record(metadata(both)._replace(cluster_id=""))
    probe = BrokerProbe("kafka", "2", topology, Schedule(TIMEOUT / 2, ENOUGH))
    assert up(await probe.run(2 * ENOUGH)) == 1
    topology.record(metadata(both[:1])._replace(cluster_id=""))
    topology.learn_registered(both)
    await probe.run(2 * ENOUGH)
    samples = await probe.run(2 * ENOUGH)
    assert up(samples) == 0
    assert failures(samples) == [Reason.FENCED]
    await probe.close()


class Names(Resolver):
    """Finds every name here, until names are gone."""

    gone = False

    async def addresses(self, host: str, port: int) -> list[AddrInfoType]:
        """Return where to connect to; raises when names are gone."""
        if self.gone:
            raise socket.gaierror(socket.EAI_NONAME, host)
        return await super().addresses("127.0.0.1", port)


@pytest.mark.parametrize("process", ["answers", "hangs", "ended", "never met"])
async def test_a_broker_whose_name_is_gone_counts_as_living_while_its_connection_answers(
    broker: FakeBroker, endpoint: Endpoint, process: str
) -> None:
    named, names = Endpoint("kafka-1", endpoint.port), Names()
    topology, schedule = Topology([named]), Schedule(TIMEOUT / 2, TIMEOUT)
    probe = BrokerProbe("kafka", str(named), topology, schedule, renew_after=0.0, resolver=names)
    if process != "never met":
        await until_up(probe, 1)
    names.gone = True
    broker.delay = 60.0 if process == "hangs" else 0.0
    if process == "ended":
        assert probe._link is not None
        probe._link.connection.close()
    await until_up(probe, 0)
    assert (str(named) in topology._serves_others) is (process in {"answers", "never met"})
    names.gone, broker.delay = False, 0.0
    await until_up(probe, 1)
    assert not topology._serves_others
    await probe.close()


def limit_told(samples: Sequence[Sample]) -> float | None:
    return next((one.value for one in samples if one.metric is cat.BROKER_CONNECTION_LIMIT), None)


async def test_new_connections_that_are_closed_are_a_limit_while_the_kept_one_is_answered_on(
    broker: FakeBroker, endpoint: Endpoint
) -> None:
    probe = probe_of(endpoint, renew_after=0.0)
    await until_up(probe, 1)
    broker.close_new = True
    found = [await probe.run(2 * TIMEOUT) for _ in range(3)]
    assert [(limit_told(samples), up(samples)) for samples in found] == [(1, 1)] * 3
    assert probe._topology.at_connection_limit == {probe.target}
    broker.close_new = False
    await until_up(probe, 1)
    assert limit_told(await probe.run(2 * TIMEOUT)) == 0
    assert not probe._topology.at_connection_limit
    await probe.close()


async def test_a_broker_that_was_killed_reached_no_limit(
    broker: FakeBroker, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It resets what is under way, had answered a moment before, and refuses what is begun next."""
    probe = probe_of(endpoint, renew_after=0.0)
    await until_up(probe, 1)
    assert probe._link is not None
    probe._link.connection.close()
    told = iter((Reason.RESET, Reason.REFUSED, Reason.REFUSED))

    async def gone(*_: object, **__: object) -> BrokerConnection:
        raise BrokerError(next(told), "no")

    monkeypatch.setattr("keywatch.probes.cluster.broker_link.connect", gone)
    samples = await probe.run(2 * TIMEOUT)
    assert (limit_told(samples), up(samples)) == (0, 1), "asked again in the same moment it is one miss"
    samples = await probe.run(2 * TIMEOUT)
    assert (limit_told(samples), up(samples), reasons(samples)) == (0, 0, {Reason.REFUSED})
    assert broker.connections >= 1
    await probe.close()


async def test_a_second_reset_at_once_is_a_limit_where_others_are_answered(
    broker: FakeBroker, endpoint: Endpoint
) -> None:
    """Whoever starts at the limit has no connection of its own: other probes have."""
    probe = probe_of(endpoint, renew_after=0.0)
    broker.close_new = True
    probe._topology.report_answer(probe.target)
    samples = await probe.run(2 * TIMEOUT)
    assert (limit_told(samples), failures(samples)) == (1, [Reason.RESET, Reason.CONNECTION_LIMIT])
    assert up(samples) == 1
    await probe.close()


@pytest.mark.parametrize(
    ("reason", "lives"),
    [
        (Reason.AUTHENTICATION, True),
        (Reason.TLS_CLIENT, True),
        (Reason.TLS_EXPIRED, True),
        (Reason.TLS_HOSTNAME, True),
        (Reason.TLS_UNTRUSTED, True),
        (Reason.REFUSED, False),
        (Reason.TIMEOUT_CONNECT, False),
        (Reason.TLS, False),
    ],
)
async def test_only_what_a_living_broker_says_leaves_it_to_the_cluster_whether_it_lives(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, reason: Reason, lives: bool
) -> None:
    async def refuse(*_: object, **__: object) -> BrokerConnection:
        raise BrokerError(reason, "no")

    monkeypatch.setattr("keywatch.probes.cluster.broker_link.connect", refuse)
    probe = probe_of(endpoint)
    await until_up(probe, 0)
    assert (probe.target in probe._topology._serves_others) is lives
    await probe.close()
