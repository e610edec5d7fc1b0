"""Passwords are checked without telling who exists, once each, off the event loop, and guessing is slowed down."""

from __future__ import annotations

import asyncio
import base64
import threading
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import bcrypt
import pytest
from pydantic import SecretStr

from keywatch.web import auth
from keywatch.web.auth import Admission, BasicAuth
from keywatch.web.limits import Limits, Refusal
from keywatch.web.throttle import Bucket, Throttle, neighbourhood
from tests.exporter.waiting import until
from tests.exporter.web.server import Served, answer, basic, hashed, request, served

WRONG = Admission(Refusal.UNAUTHORIZED)
WELCOME = Admission(None)
HERE, THERE = "192.0.2.1", "192.0.2.2"


def costly(cost: int) -> SecretStr:
    return SecretStr(f"$2b${cost:02}${'.' * 53}")


class Bcrypt:
    """Counts checks by the cost of the hash, and finds them good when the password is `good`; can be held up."""

    def __init__(self) -> None:
        self.costs: Counter[int] = Counter()
        self.at_once = 0
        self.most_at_once = 0
        self.threads: set[str] = set()
        self.order: list[bytes] = []
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def __call__(self, password: bytes, known: bytes) -> bool:
        """Check."""
        self.threads.add(threading.current_thread().name)
        self.order.append(password)
        self.costs[int(known[4:6])] += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        assert self.may_go_on.wait(10)
        self.at_once -= 1
        return password == b"good"

    @property
    def calls(self) -> int:
        """How many checks there were."""
        return self.costs.total()


class Gate:
    """Basic authentication with three users, on a clock of its own."""

    def __init__(self, checks: int = 32) -> None:
        self.now = 0.0
        self.bcrypt = Bcrypt()
        self.throttle = Throttle(clock=lambda: self.now)
        self.auth = BasicAuth(self.throttle, checks, self.bcrypt)
        self.users: Mapping[str, SecretStr] = {name: costly(10) for name in "abc"}

    async def tries(self, name: str, password: str, address: str = HERE) -> Admission:
        """Judge a pair."""
        return await self.auth.judge(self.users, basic(name, password), address)


@pytest.fixture
async def gate() -> AsyncIterator[Gate]:
    gate = Gate()
    yield gate
    gate.bcrypt.may_go_on.set()
    gate.auth.close()


async def test_a_good_pair_costs_one_check_for_ever(gate: Gate) -> None:
    for _ in range(100):
        assert await gate.tries("a", "good") == WELCOME
    assert gate.bcrypt.calls == 1
    assert gate.bcrypt.threads == {"bcrypt"}  # and not on the event loop


async def test_a_wrong_pair_costs_one_check_and_keeps_being_wrong(gate: Gate) -> None:
    for _ in range(100):
        assert await gate.tries("a", "old") == WRONG
    assert gate.bcrypt.calls == 1
    assert await gate.tries("a", "good") == WELCOME  # who asked in vain all the time is not shut out


async def test_a_name_that_nobody_has_costs_as_much_as_one_that_somebody_has(gate: Gate) -> None:
    for name in ("a", "nobody"):
        before = gate.bcrypt.calls
        assert await gate.tries(name, "guess") == WRONG
        assert await gate.tries(name, "guess") == WRONG
        assert gate.bcrypt.calls == before + 1
    assert await gate.tries("nobody", "good") == WRONG  # even if the decoy should fit
    assert gate.bcrypt.costs == {10: 3}


async def test_unknown_names_cost_what_some_user_costs_and_each_always_the_same(gate: Gate) -> None:
    gate.users = {"a": costly(4), "b": costly(12)}
    seen: dict[str, set[int]] = {}
    for guess in ("1", "2", "3"):
        for number in range(40):
            gate.bcrypt.costs.clear()
            await gate.tries(f"nobody{number}", guess, f"198.51.100.{number}")
            seen.setdefault(f"nobody{number}", set()).update(gate.bcrypt.costs)
    assert all(len(costs) == 1 for costs in seen.values())
    assert set().union(*seen.values()) == {4, 12}


async def test_a_decoy_is_a_hash_that_bcrypt_works_on(gate: Gate) -> None:
    gate.users = {"a": costly(4)}
    gate.auth = BasicAuth(gate.throttle, 32)
    assert await gate.tries("nobody", "x") == WRONG


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic ",
        "Basic !!!!",
        "Basic YQ==",  # no colon
        "Basic gDpnb29k",  # a name that is not UTF-8
        "Bearer YTpnb29k",
        "YTpnb29k",
    ],
)
async def test_a_header_that_holds_no_pair_costs_nothing(header: str, gate: Gate) -> None:
    for _ in range(50):
        assert await gate.auth.judge(gate.users, header, HERE) == WRONG
    assert gate.bcrypt.calls == 0
    assert await gate.tries("a", "good") == WELCOME


@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC", "Basic "])
async def test_the_scheme_may_be_written_in_any_way(scheme: str, gate: Gate) -> None:
    pair = base64.b64encode(b"a:good").decode()
    assert await gate.auth.judge(gate.users, f"{scheme} {pair}", HERE) == WELCOME


async def test_guesses_of_one_address_are_slowed_down_and_no_others(gate: Gate) -> None:
    assert await gate.tries("a", "good") == WELCOME
    verdicts = [await gate.tries("a", f"guess {number}") for number in range(30)]
    assert verdicts[:10] == [WRONG] * 10
    assert {verdict.refusal for verdict in verdicts[10:]} == {Refusal.THROTTLED}
    assert all(0 < verdict.again_after <= 6 for verdict in verdicts[10:])
    assert gate.bcrypt.calls == 11
    assert await gate.tries("a", "good") == WELCOME  # who is known is not shut out by a guesser beside him
    assert await gate.tries("c", "good", THERE) == WELCOME
    assert (await gate.tries("b", "good")).refusal is Refusal.THROTTLED
    gate.now += 6.1
    assert await gate.tries("b", "good") == WELCOME
    assert await gate.tries("a", "one more") == WRONG  # a good guess gave its token back
    assert (await gate.tries("a", "and another")).refusal is Refusal.THROTTLED


async def test_names_that_nobody_has_are_slowed_down_just_so(gate: Gate) -> None:
    verdicts = [(await gate.tries(f"nobody{number}", "x")).refusal for number in range(12)]
    assert verdicts == [Refusal.UNAUTHORIZED] * 10 + [Refusal.THROTTLED] * 2


async def test_one_check_at_a_time_and_each_pair_once_however_many_ask(gate: Gate) -> None:
    gate.bcrypt.may_go_on.clear()
    asked = [asyncio.create_task(gate.tries("a", "good")) for _ in range(20)]
    asked += [asyncio.create_task(gate.tries("b", f"guess {number}", THERE)) for number in range(5)]
    await until(lambda: gate.bcrypt.calls, "a check begins")
    gate.bcrypt.may_go_on.set()
    assert await asyncio.gather(*asked) == [WELCOME] * 20 + [WRONG] * 5
    assert gate.bcrypt.calls == 6
    assert gate.bcrypt.most_at_once == 1
    assert not gate.auth._checks
    assert not gate.auth._last


async def test_who_tries_many_passwords_waits_behind_himself_and_not_others_behind_him(gate: Gate) -> None:
    gate.bcrypt.may_go_on.clear()
    asked = [asyncio.create_task(gate.tries("a", f"guess {number}")) for number in range(9)]
    await until(lambda: gate.bcrypt.calls, "a check begins")
    asked.append(asyncio.create_task(gate.tries("b", "good", THERE)))
    await until(lambda: len(gate.auth._checks) == 10, "all wait")
    gate.bcrypt.may_go_on.set()
    await asyncio.gather(*asked)
    assert gate.bcrypt.order.index(b"good") <= 2


async def test_a_full_queue_refuses_at_once_and_takes_no_token() -> None:
    gate = Gate(checks=3)
    gate.bcrypt.may_go_on.clear()
    asked = [asyncio.create_task(gate.tries("a", f"guess {number}", f"192.0.2.{number}")) for number in range(3)]
    await until(lambda: len(gate.auth._checks) == 3, "the queue is full")
    assert await gate.tries("a", "good", "192.0.2.9") == Admission(Refusal.CROWDED, 1.0)
    assert len(gate.throttle) == 3
    gate.bcrypt.may_go_on.set()
    await asyncio.gather(*asked)
    assert await gate.tries("a", "good", "192.0.2.9") == WELCOME
    gate.auth.close()


async def test_a_client_that_goes_away_does_not_break_the_check(gate: Gate) -> None:
    gate.bcrypt.may_go_on.clear()
    asked = asyncio.create_task(gate.tries("a", "good"))
    await until(lambda: gate.bcrypt.calls, "a check begins")
    asked.cancel()
    gate.bcrypt.may_go_on.set()
    await until(lambda: not gate.auth._checks, "the check ends")
    assert await gate.tries("a", "good") == WELCOME
    assert gate.bcrypt.calls == 1


async def test_a_changed_hash_counts_at_once(gate: Gate) -> None:
    assert await gate.tries("a", "good") == WELCOME
    gate.users = {"a": costly(11)}
    assert await gate.tries("a", "good") == WELCOME
    assert gate.bcrypt.costs == {10: 1, 11: 1}
    gate.users = {"b": costly(11)}
    assert await gate.tries("a", "good") == WRONG


async def test_what_is_remembered_is_bounded_and_guesses_do_not_push_out_who_is_known(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "_MOST_REMEMBERED", 20)
    assert await gate.tries("a", "good") == WELCOME
    for number in range(50):
        assert await gate.tries("a", f"guess {number}", f"198.51.100.{number}") == WRONG
    assert len(gate.auth._known) == 20
    before = gate.bcrypt.calls
    assert await gate.tries("a", "good") == WELCOME
    assert gate.bcrypt.calls == before


async def test_no_password_is_kept(gate: Gate) -> None:
    await gate.tries("a", "good")
    await gate.tries("a", "guess")
    assert len(gate.auth._known) == 2
    assert all(len(key) == 32 for key in gate.auth._known)
    other = BasicAuth(gate.throttle, 32, gate.bcrypt)
    await other.judge(gate.users, basic("a", "good"), HERE)
    assert not other._known.keys() & gate.auth._known.keys()  # keyed, so that nobody can try out what he finds


@pytest.mark.parametrize("password", ["", "päß wörd", "a:b:c", "x" * 72, "nul\0nul"])
def test_every_password_that_bcrypt_can_hash_is_let_in(password: str, tmp_path: Path) -> None:
    async def once() -> int:
        path = tmp_path / "web.yml"
        path.write_text(f"basic_auth_users: {{a: {hashed(password)}}}", encoding="utf-8")
        async with served(path) as running:
            return (await running.ask(user=("a", password))).status

    assert asyncio.run(once()) == 200


async def test_of_a_longer_password_the_first_72_bytes_count_as_bcrypt_has_it(tmp_path: Path) -> None:
    path = tmp_path / "web.yml"
    path.write_text(f"basic_auth_users: {{a: {hashed('x' * 72)}}}", encoding="utf-8")
    async with served(path) as running:
        assert (await running.ask(user=("a", "x" * 100))).status == 200
        assert (await running.ask(user=("a", "x" * 71))).status == 401


PATHS = ["/", "/metrics", "/-/healthy", "/-/ready", "/-/config", "/nowhere", "/metrics?collect[]=health"]


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Served]:
    path = tmp_path / "web.yml"
    path.write_text(f"basic_auth_users: {{prometheus: {hashed('word')}, b: {hashed('b')}}}", encoding="utf-8")
    async with served(path) as running:
        yield running


async def test_every_path_needs_the_password_and_tells_nothing_without(running: Served) -> None:
    said = set()
    for method in ("GET", "HEAD", "POST", "OPTIONS"):
        for path in PATHS:
            nobody = await running.ask(path, method=method)
            assert nobody.status == 401
            assert nobody.headers["www-authenticate"] == 'Basic realm="keywatch", charset="UTF-8"'
            said.add(nobody.body)
            assert (await running.ask(path, method=method, headers={"Expect": "nothing"})).status == 401
    assert said == {b"unauthorized\n", b""}
    assert [(await running.ask(path, user=("prometheus", "word"))).status for path in PATHS] == [
        200, 200, 200, 200, 200, 404, 200
    ]  # fmt: skip


async def test_nobody_is_told_apart_by_an_answer(running: Served) -> None:
    wrong = await running.ask(user=("prometheus", "x"))
    unknown = await running.ask(user=("nobody", "x"))
    assert (wrong.status, wrong.body) == (unknown.status, unknown.body) == (401, b"unauthorized\n")
    assert wrong.headers.keys() == unknown.headers.keys()


async def test_guessing_is_answered_429_with_the_time_to_wait(running: Served) -> None:
    statuses = [(await running.ask(user=("prometheus", str(number)))).status for number in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    answered = await running.ask(user=("nobody", "x"))
    assert answered.status == 429
    assert 1 <= int(answered.headers["retry-after"]) <= 6
    assert answered.body == b"too many wrong passwords from this address\n"
    assert (running.refused("unauthorized"), running.refused("throttled")) == (10, 3)


async def test_bcrypt_holds_up_nobody_who_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    may_go_on, busy = threading.Event(), threading.Event()

    def slow(password: bytes, known: bytes) -> bool:
        if password == b"slow":
            busy.set()
            may_go_on.wait(10)
        return bcrypt.checkpw(password, known)

    monkeypatch.setattr(BasicAuth.__init__, "__defaults__", (slow,))
    path = tmp_path / "web.yml"
    path.write_text(f"basic_auth_users: {{a: {hashed('word')}}}", encoding="utf-8")
    async with served(path) as running:
        assert (await running.ask(user=("a", "word"))).status == 200
        async with running.connection() as (reader, writer):
            writer.write(request("/-/healthy", user=("a", "slow")))
            await until(busy.is_set, "the slow check begins")
            assert (await running.ask("/metrics", user=("a", "word"))).status == 200
            may_go_on.set()
            assert (await answer(reader)).status == 401


async def test_the_rate_limit_counts_all_requests_and_comes_before_the_password(tmp_path: Path) -> None:
    path = tmp_path / "web.yml"
    path.write_text(f"basic_auth_users: {{a: {hashed('b')}}}\nrate_limit: {{interval: 1h, burst: 3}}", encoding="utf-8")
    async with served(path, Limits()) as running:
        statuses = [(await running.ask(user=user)).status for user in (("a", "b"), None, ("a", "b"), None, ("a", "b"))]
        assert statuses == [200, 401, 200, 429, 429]
        assert int((await running.ask()).headers["retry-after"]) > 3000


def test_a_bucket_fills_with_time_and_never_over() -> None:
    bucket = Bucket(2, 10.0, 0.0)
    assert [bucket.acquire(0.0) for _ in range(3)] == [0.0, 0.0, 10.0]
    assert bucket.acquire(4.0) == pytest.approx(6.0)
    assert bucket.acquire(10.0) == 0.0
    assert [bucket.acquire(1000.0) for _ in range(3)] == [0.0, 0.0, 10.0]


def test_as_many_addresses_as_there_are_need_bounded_memory() -> None:
    throttle = Throttle(burst=1, interval=10.0, most=100, clock=lambda: 0.0)
    for number in range(10_000):
        assert throttle.acquire(f"10.0.{number // 256}.{number % 256}") == 0.0
    assert len(throttle) == 100
    assert throttle.acquire("10.0.39.15") == 10.0  # the last one is remembered


@pytest.mark.parametrize(
    ("address", "who"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_one_client_is_one_address_or_one_ipv6_network(address: str, who: str) -> None:
    assert neighbourhood(address) == who
