"""Names are resolved beside each other: one whose name server hangs keeps no other waiting, and nothing is kept."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from keywatch.engine.probe import ProbeError, Reason
from keywatch.net import resolver as module
from keywatch.net.failures import connection_error
from keywatch.net.http_peer import HttpPeer
from keywatch.net.resolver import HttpResolver, Resolver
from tests.exporter.fakes.http_server import reply, serving
from tests.exporter.waiting import until


class NameServer:
    """Stands for the system's resolver: `names` → address; those that end in `.dead` wait until `back` is set."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.asked: Counter[str] = Counter()
        self.back = threading.Event()

    def __call__(self, host: str, *arguments: Any, **options: Any) -> Any:
        """Answer as `getaddrinfo` does."""
        self.asked[host] += 1
        if host.endswith(".dead") and not self.back.wait(30):
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        if host not in self.names:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return _REAL(self.names[host], *arguments, **options)


_REAL = socket.getaddrinfo


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServer]:
    found = NameServer()
    monkeypatch.setattr(socket, "getaddrinfo", found)
    yield found
    found.back.set()


async def found(resolver: Resolver, host: str, port: int = 9092) -> str:
    return str((await asyncio.wait_for(resolver.addresses(host, port), 5))[0][4])


async def test_hosts_of_the_machine_and_plain_addresses_resolve() -> None:
    resolver = Resolver()
    addresses = [address for *_, address in await resolver.addresses("localhost", 9092)]
    assert ("127.0.0.1", 9092) in addresses
    assert await found(resolver, "192.0.2.7") == "('192.0.2.7', 9092)"
    assert await found(resolver, "2001:db8::1") == "('2001:db8::1', 9092, 0, 0)"


async def test_a_hundred_names_that_hang_keep_no_other_waiting(server: NameServer) -> None:
    resolver = Resolver()
    server.names["broker.well"] = "127.0.0.1"
    hanging = [asyncio.create_task(resolver.addresses(f"b{i}.dead", 9092)) for i in range(100)]
    await until(lambda: server.asked.total() == 100, "all are asked for")
    assert await found(resolver, "broker.well") == "('127.0.0.1', 9092)"
    for task in hanging:
        task.cancel()
    await asyncio.wait(hanging)


async def test_names_of_one_owner_that_use_up_its_places_keep_no_other_owner_waiting(server: NameServer) -> None:
    one, other = Resolver(most=2), Resolver(most=2)
    server.names |= {"a.well": "127.0.0.1", "c.dead": "127.0.0.3"}
    hanging = [asyncio.create_task(one.addresses(f"{name}.dead", 1)) for name in "abc"]
    await until(lambda: server.asked.total() == 2, "two are asked for")
    assert await found(other, "a.well", 1) == "('127.0.0.1', 1)"
    assert server.asked["c.dead"] == 0
    server.back.set()
    done = await asyncio.gather(*hanging, return_exceptions=True)
    assert [type(one) for one in done] == [socket.gaierror, socket.gaierror, list]


async def test_who_asks_for_the_same_name_at_once_shares_one_look_up(server: NameServer) -> None:
    resolver = Resolver()
    server.names["a.dead"] = "127.0.0.1"
    asked = [asyncio.create_task(found(resolver, "a.dead", port)) for port in range(1, 21)]
    await until(lambda: server.asked["a.dead"] == 1, "it is asked for")
    asked[0].cancel()
    server.back.set()
    assert await asyncio.gather(*asked[1:]) == [f"('127.0.0.1', {port})" for port in range(2, 21)]
    assert server.asked["a.dead"] == 1


async def test_a_name_that_hangs_is_asked_beside_a_few_times_at_most(
    server: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ASK_BESIDE_AFTER", 0.0)
    resolver = Resolver()
    asked = [asyncio.create_task(found(resolver, "a.dead")) for _ in range(50)]
    await until(lambda: server.asked["a.dead"] == 3, "it is asked beside")
    await asyncio.sleep(0.05)
    assert server.asked["a.dead"] == 3
    for task in asked:
        task.cancel()
    await asyncio.wait(asked)


async def test_an_old_failure_counts_for_nothing_while_a_later_question_may_be_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_ASK_BESIDE_AFTER", 0.0)
    first, second = threading.Event(), threading.Event()
    turns = [second, first]

    def hang(*_: Any, **__: Any) -> Any:
        turn = turns.pop()
        turn.wait(30)
        if turn is first:
            raise socket.gaierror(socket.EAI_AGAIN, "too late")
        return _REAL("127.0.0.2", None, type=socket.SOCK_STREAM)

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    resolver = Resolver()
    asked = [asyncio.create_task(found(resolver, "a"))]
    await until(lambda: turns == [second], "the first is under way")
    asked.append(asyncio.create_task(found(resolver, "a")))
    await until(lambda: "a" in resolver._names and len(resolver._names["a"].under_way) == 2, "both are under way")
    await until(lambda: not turns, "both threads wait")
    first.set()
    await until(lambda: len(resolver._names["a"].under_way) == 1, "the first failed")
    assert not any(task.done() for task in asked)
    second.set()
    assert await asyncio.gather(*asked) == ["('127.0.0.2', 9092)"] * 2
    assert not resolver._names


async def test_a_name_that_leads_elsewhere_or_is_gone_is_seen_at_once(server: NameServer) -> None:
    resolver = Resolver()
    server.names["a.well"] = "127.0.0.1"
    assert await found(resolver, "a.well") == "('127.0.0.1', 9092)"
    server.names["a.well"] = "127.0.0.2"
    assert await found(resolver, "a.well") == "('127.0.0.2', 9092)"
    del server.names["a.well"]
    with pytest.raises(OSError, match="not known") as error:
        await resolver.addresses("a.well", 9092)
    assert connection_error(error.value)[0] is Reason.DNS
    assert not resolver._names


@pytest.mark.parametrize("host", ["kafka-2..svc", "k" * 30_000, "a\0b", ""])
async def test_what_is_no_host_name_does_not_resolve(host: str) -> None:
    with pytest.raises(OSError, match=r".") as error:
        await Resolver().addresses(host, 9092)
    if host:
        assert connection_error(error.value)[0] is Reason.DNS


async def test_an_http_server_is_found_beside_one_whose_name_hangs(server: NameServer) -> None:
    server.names["keycloak.well"] = "127.0.0.1"
    async with serving({"/health": reply("{}")}) as web:
        port = web.number
        hanging, well = HttpPeer(f"http://keycloak.dead:{port}"), HttpPeer(f"http://keycloak.well:{port}")
        late = asyncio.create_task(hanging.get("health", 0.2, 1000))
        assert (await well.get("health", 5.0, 1000)).status
        with pytest.raises(ProbeError) as error:
            await late
        assert error.value.reason is Reason.DNS
        await hanging.close()
        await well.close()


async def test_aiohttp_is_told_the_link_of_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda *_, **__: [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("fe80::1", 0, 0, 3))],
    )
    (one,) = await HttpResolver(Resolver()).resolve("a.link", 80, socket.AF_UNSPEC)
    assert (one["host"], one["port"], one["family"]) == ("fe80::1%3", 80, socket.AF_INET6)
    assert await HttpResolver(Resolver()).resolve("a.link", 80, socket.AF_INET) == []
