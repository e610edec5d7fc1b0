"""What is missing is what was lost, and nothing else: bursts, delays, restarts and outages are no losses."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from keywatch.probes.reconciliation.balance import Reconciliation
from keywatch.probes.reconciliation.tally import CountKey, KeycloakTally

LOGIN = CountKey("shop", "login", "success")
WINDOW, GIVE_UP = 10.0, 300.0
START = 1_000_000.0


@dataclass
class World:
    """Keycloak, its listener, Kafka and keywatch on a clock of the test's; Keycloak's clock is `skew` ahead of it.

    An event is sent `sent_after` its time and counted `counted_after` it; while Kafka is away nothing arrives, and what
    was sent arrives when it is back, unless that is more than 120 s later. `lost` is the truth.
    """

    chance: random.Random
    skew: float = 0.0
    now: float = 0.0
    good_since: float | None = 0.0
    counted: int = 0
    process_started: float = START - 500
    lost: int = 0
    delay: Callable[[], float] = lambda: 0.02
    counting: Callable[[], float] = lambda: 0.01
    away_since: float | None = None
    requests: int = 0
    judged: Reconciliation = field(default_factory=lambda: Reconciliation(WINDOW, GIVE_UP))
    tally: KeycloakTally = field(default_factory=KeycloakTally)
    most_missing: int = 0
    _due: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _held: list[tuple[float, float]] = field(default_factory=list)
    _numbers: int = 0

    def login(self, *, lose: bool = False, rolled_back: bool = False) -> None:
        """Have somebody log in now."""
        time = START + self.now + self.skew + 0.001  # after keywatch looked, if it did just now
        self.lost += lose
        if not lose:
            self._later(self.delay(), lambda: self._arrive(time))
        self.requests += 1
        self._later(self.counting(), lambda: self._end_request(counts=not rolled_back))

    def kafka(self, *, away: bool) -> None:
        """Take Kafka away or bring it back."""
        if away:
            self.away_since, self.good_since = self.now, None
            return
        self.away_since, self.good_since = None, self.now + 0.5
        held, self._held = self._held, []
        for time, sent in held:
            if self.now - sent > 120:
                self.lost += 1
            else:
                self._later(self.chance.uniform(0.1, 3.0), lambda time=time: self._arrive(time))  # type: ignore[misc]

    def restart(self) -> None:
        """Have Keycloak begin to count anew."""
        self.counted, self.process_started = 0, START + self.now

    def run(self, seconds: float, each: Callable[[], None] = lambda: None, step: float = 0.05) -> None:
        """Let time pass in small steps, and have keywatch look once a second."""
        end = self.now + seconds
        while self.now < end - 1e-9:
            whole = int(self.now + 1e-9)
            self.now += step
            while self._due and self._due[0][0] <= self.now:
                heapq.heappop(self._due)[2]()
            if int(self.now + 1e-9) != whole:
                self._look()
            each()

    def _look(self) -> None:
        clock = START + self.now + self.skew
        self.tally.record("kc", self.process_started + self.skew, clock, {LOGIN: float(self.counted)})
        self.judged.sample(clock - 0.01, clock, self.now, self.tally.counted, self.requests)
        self.judged.judge(self.now, self.good_since)
        self.most_missing = max(self.most_missing, self.missing)

    @property
    def missing(self) -> int:
        """How many events are missing by the last judgement."""
        return self.judged.missing.get(LOGIN, 0)

    def _end_request(self, *, counts: bool) -> None:
        self.requests -= 1
        self.counted += counts

    def _arrive(self, time: float) -> None:
        if self.away_since is not None:
            self._held.append((time, self.now))
        else:
            self.judged.arrived(LOGIN, time)

    def _later(self, seconds: float, what: Callable[[], None]) -> None:
        self._numbers += 1
        heapq.heappush(self._due, (self.now + seconds, self._numbers, what))


def busy(world: World, a_second: float) -> Callable[[], None]:
    """Have so many people a second log in, by chance."""

    def step() -> None:
        for _ in range(int(a_second * 0.05) + (world.chance.random() < a_second * 0.05 % 1)):
            world.login()

    return step


@pytest.fixture
def world() -> World:
    return World(random.Random(1))  # noqa: S311 - a test's chance


def test_a_single_lost_event_is_missing_within_fifteen_seconds_also_when_nothing_follows(world: World) -> None:
    world.run(60, busy(world, 2))
    assert world.most_missing == 0
    world.login(lose=True)
    world.run(9)
    assert world.missing == 0, "it may still come"
    world.run(6)
    assert world.missing == 1


@pytest.mark.parametrize("a_second", [0.2, 5, 50, 400])
def test_losses_among_traffic_are_counted(world: World, a_second: float) -> None:
    world.run(60, busy(world, a_second))
    for _ in range(20):
        world.login(lose=True)
    world.run(15, busy(world, a_second))
    assert 0.5 * world.lost <= world.missing <= world.lost
    world.run(20)
    assert world.missing == world.lost == 20


@pytest.mark.parametrize("seconds", [25, 49, 118])
def test_events_that_kafkas_absence_delays_are_not_missing(world: World, seconds: float) -> None:
    world.run(60, busy(world, 2))
    world.kafka(away=True)
    world.run(seconds, busy(world, 2))
    world.kafka(away=False)
    world.run(60, busy(world, 2))
    assert world.lost == 0
    assert world.most_missing == 0


def test_what_the_producer_gave_up_is_named_within_fifteen_seconds_after_kafka_is_back(world: World) -> None:
    world.run(60, busy(world, 2))
    world.kafka(away=True)
    world.run(150, busy(world, 0.15))
    world.kafka(away=False)
    assert world.missing == 0
    world.run(15)
    assert world.lost > 0
    assert world.missing == world.lost


@pytest.mark.parametrize("skew", [-30.0, -2.0, 0.3, 45.0])
def test_another_clock_at_keycloak_makes_no_difference(world: World, skew: float) -> None:
    world.skew = skew
    world.run(60, busy(world, 10))
    world.login(lose=True)
    world.run(30, busy(world, 1))
    assert world.missing == world.most_missing == 1


def test_a_late_event_is_missing_until_it_comes(world: World) -> None:
    world.run(40, busy(world, 1))
    world.delay = lambda: 30.0
    world.login()
    world.delay = lambda: 0.02
    world.run(20)
    assert world.missing == 1
    world.run(20)
    assert world.missing == 0
    assert not world.judged.lost


def test_keycloaks_restarts_lose_nothing(world: World) -> None:
    for _ in range(5):
        world.run(30, busy(world, 5))
        world.run(2)
        world.restart()
    world.run(30, busy(world, 5))
    assert world.most_missing == 0
    world.login(lose=True)
    world.run(15)
    assert world.missing == 1


def test_what_was_rolled_back_hides_no_later_loss_for_long(world: World) -> None:
    world.run(60, busy(world, 1))
    for _ in range(3):
        world.login(rolled_back=True)
    world.run(60)
    assert world.judged.uncounted == {LOGIN: 3}
    assert world.most_missing == 0
    world.login(lose=True)
    world.run(15)
    assert world.missing == 1


def test_logins_that_a_listener_blocks_are_counted_late_and_nothing_is_made_of_it(world: World) -> None:
    world.counting = lambda: world.chance.uniform(0.0, 8.0)
    world.run(200, busy(world, 3))
    world.run(30)
    assert world.most_missing == 0
    assert not world.judged.uncounted


def test_what_stays_missing_is_booked_as_lost_and_one_that_comes_after_all_as_uncounted(world: World) -> None:
    world.run(60, busy(world, 1))
    world.login(lose=True)
    world.delay = lambda: 400.0
    world.login()
    world.delay = lambda: 0.02
    world.run(GIVE_UP + 20)
    assert world.judged.lost == {LOGIN: 2}
    assert world.missing == 0
    world.run(120)
    assert world.judged.uncounted == {LOGIN: 1}


def test_while_nothing_can_be_read_nothing_is_judged_and_what_was_missing_stays(world: World) -> None:
    world.run(60, busy(world, 1))
    world.login(lose=True)
    world.run(15)
    until = world.judged.judged_until
    world.good_since = None
    world.run(200, busy(world, 1))
    assert world.missing == 1
    assert world.judged.judged_until == until


def test_after_a_gap_in_what_was_read_the_balance_begins_anew(world: World) -> None:
    world.run(60, busy(world, 1))
    world.login(lose=True)
    world.run(GIVE_UP + 30)
    world.judged = world.judged.anew()
    world.run(60, busy(world, 1))
    assert world.missing == 0
    assert world.judged.lost == {LOGIN: 1}
    world.login(lose=True)
    world.run(15)
    assert world.missing == 1


def test_invented_realms_take_no_place_from_real_ones() -> None:
    judged = Reconciliation(WINDOW, GIVE_UP)
    for number in range(20_000):
        judged.arrived(CountKey(f"invented-{number}", "login", "success"), START)
    assert len(judged.missing) == 10_000
    judged.sample(START, START + 0.01, 0.0, {LOGIN: 0}, 0)
    judged.sample(START + 1, START + 1.01, 1.0, {LOGIN: 2}, 0)
    assert judged.judge(20.0, 0.0)
    assert judged.missing[LOGIN] == 2


@pytest.mark.parametrize("seed", range(40))
def test_whatever_happens_no_more_is_missing_than_was_lost_and_in_the_end_all_of_it_is(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a test's chance
    world = World(chance, skew=chance.uniform(-5, 5))
    world.delay = lambda: chance.choice([0.005, 0.05, 0.5, 2.0])
    world.counting = lambda: chance.choice([0.0, 0.01, 0.1, 3.0])
    world.run(40, busy(world, 1))
    for _ in range(8):
        match chance.randrange(4):
            case 0:
                for _ in range(chance.randint(1, 5)):
                    world.login(lose=True)
            case 1:
                world.kafka(away=True)
                world.run(chance.uniform(1, 140), busy(world, chance.choice([0.1, 3])))
                world.kafka(away=False)
            case 2:
                world.run(4)  # what Keycloak counted after keywatch looked last is known to nobody
                world.restart()
            case _:
                world.run(20, busy(world, chance.choice([1, 20, 100])))
        world.run(chance.uniform(0, 30), busy(world, chance.choice([0, 1, 20])))
        assert world.missing <= world.lost
    world.run(40)
    assert world.missing == world.lost


THREE_YEARS = 3 * 365 * 86_400.0


def watched(*kinds: CountKey) -> Reconciliation:
    """Return a balance that took two samples in which nothing happened."""
    judged = Reconciliation(WINDOW, GIVE_UP)
    for second in (0.0, 1.0):
        judged.sample(START + second, START + second, second, dict.fromkeys(kinds, 0), 0)
    return judged


def test_events_of_a_clock_that_is_years_ahead_have_arrived_and_are_not_kept(world: World) -> None:
    world.run(30)
    for _ in range(5):
        world.counted += 1
        world.judged.arrived(LOGIN, START + world.now + THREE_YEARS)
        world.run(1)
    assert world.judged._beyond == 0
    world.run(GIVE_UP + 60)
    assert (world.most_missing, world.judged.lost, world.judged.uncounted) == (0, {}, {})


def test_what_arrives_while_no_sample_is_taken_is_not_remembered_without_end() -> None:
    judged = watched(LOGIN)
    for _ in range(200_000):
        judged.arrived(LOGIN, START + 2)
    assert not judged.overrun
    judged.arrived(LOGIN, START + 2)
    assert judged.overrun
    assert judged._beyond == len(judged._accounts[LOGIN].beyond) == 200_000
    assert not judged.anew().overrun


def test_a_sample_and_a_judgement_look_only_at_kinds_in_which_something_happens() -> None:
    kinds = [CountKey(f"realm-{number}", "login", "success") for number in range(1000)]
    judged = watched(*kinds)
    for second in range(2, 200):
        if second < 10:
            for kind in kinds:
                judged.arrived(kind, START + second - 0.5)
        counted = min(second - 1, 8)
        judged.sample(START + second, START + second, second, dict.fromkeys(kinds, counted), 0)
        judged.judge(second, 0.0)
    assert not judged._awake
    assert set(judged.missing.values()) == {0}
    judged.sample(START + 200, START + 200, 200.0, {**dict.fromkeys(kinds, 8), kinds[3]: 10}, 0)
    judged.arrived(kinds[5], START + 199.5)
    assert set(judged._awake) == {kinds[3], kinds[5]}
    for second in range(201, 230):
        judged.sample(START + second, START + second, second, {**dict.fromkeys(kinds, 8), kinds[3]: 10}, 0)
        judged.judge(second, 0.0)
    assert judged.missing[kinds[3]] == 2
    assert judged.uncounted == {kinds[5]: 1}


def test_invented_realms_are_let_go_and_told_together() -> None:
    judged = watched(LOGIN)
    for number in range(500):
        judged.arrived(CountKey(f"invented-{number}", "login", "success"), START + 1.5)
    for second in range(2, 200):
        judged.sample(START + second, START + second, second, {LOGIN: 0}, 0)
        judged.judge(second, 0.0)
    assert judged.missing == {LOGIN: 0}
    assert judged.uncounted == {CountKey("other", "login", "success"): 500}


def test_a_kind_that_is_counted_first_after_some_of_its_events_may_have_been_passed_over_begins_there() -> None:
    judged = watched(LOGIN)
    new = CountKey("new", "login", "success")
    for number in range(10_000):
        judged.arrived(CountKey(f"invented-{number}", "login", "success"), START + 1.5)
    judged.arrived(new, START + 1.5)
    assert not judged.knows(new)
    for second in range(2, 40):
        judged.sample(START + second, START + second, second, {LOGIN: 0, new: 1 if second < 20 else 3}, 0)
        judged.judge(second, 0.0)
    assert judged.missing[new] == 2


def test_a_sample_says_nothing_of_kinds_that_could_not_be_read() -> None:
    judged = watched(LOGIN)
    for second in range(2, 60):
        unread = second < 40
        if second < 20:
            judged.arrived(LOGIN, START + second - 0.5)
        counted = 0 if unread else 18
        judged.sample(START + second, START + second, second, {LOGIN: counted}, 0, unread={LOGIN} if unread else set())
        judged.judge(second, 0.0)
        assert judged.missing[LOGIN] == 0
    assert not judged.uncounted


def test_a_kind_that_begins_anew_owes_nothing_of_before() -> None:
    judged = watched(LOGIN)
    for second in range(2, 40):
        counted = 5 if second < 20 else 9
        judged.sample(
            START + second, START + second, second, {LOGIN: counted}, 0, anew={LOGIN} if second == 20 else set()
        )
        judged.judge(second, 0.0)
    assert judged.missing[LOGIN] == 0
    judged.sample(START + 40, START + 40, 40.0, {LOGIN: 10}, 0)
    assert judged.judge(50.0, 0.0)
    assert judged.missing[LOGIN] == 1


KINDS = [CountKey(f"r{index}", "login", "success") for index in range(400)]
Sampled = tuple[float, float, float, dict[CountKey, int], int]


def balanced(work: Callable[[Reconciliation, Sampled, Callable[[], None]], None], seed: int) -> list[object]:
    """Live through a minute of 400 kinds, of which some are lost, late or never counted; `work` is done each second."""
    chance = random.Random(seed)  # noqa: S311 - the same each time, for a test
    judged, counted = Reconciliation(WINDOW, 30.0), dict.fromkeys(KINDS, 0)
    late: list[tuple[CountKey, float]] = []
    for second in range(60):
        arriving, late = late, []
        for kind in chance.sample(KINDS, 40):
            counted[kind] += chance.random() > 0.05
            if chance.random() > 0.05:
                (late if chance.random() < 0.3 else arriving).append((kind, START + second - 0.5))

        def arrive(arriving: list[tuple[CountKey, float]] = arriving) -> None:
            for kind, time in arriving:
                judged.arrived(kind, time)

        work(judged, (START + second, START + second, float(second), dict(counted), 0), arrive)
    return [judged.missing, judged.lost, judged.uncounted]


@pytest.mark.parametrize("seed", range(5))
def test_what_arrives_while_samples_are_taken_in_pieces_counts_once_and_afterwards(seed: int) -> None:
    def whole(judged: Reconciliation, sample: Sampled, arrive: Callable[[], None]) -> None:
        judged.sample(*sample)
        arrive()
        judged.judge(sample[2], 0.0)

    def in_pieces(judged: Reconciliation, sample: Sampled, arrive: Callable[[], None]) -> None:
        for piece, _ in enumerate(judged.sampling(*sample)):
            if piece == 4:  # in the midst of the kinds that are counted
                arrive()
        for _ in judged.judging(sample[2], 0.0):
            pass

    found = balanced(whole, seed)
    assert found == balanced(in_pieces, seed)
    assert all(found)


def test_no_piece_of_taking_a_sample_or_of_judging_grows_with_the_kinds() -> None:
    judged = Reconciliation(WINDOW, 30.0)
    for second in range(30):
        counted = dict.fromkeys(KINDS, second)
        assert sum(1 for _ in judged.sampling(START + second, START + second, float(second), counted, 0)) >= 8
    assert sum(1 for _ in judged.judging(30.0, 0.0)) >= 8


def test_what_arrives_while_a_sample_is_taken_is_not_held_without_end() -> None:
    judged = watched(*KINDS)
    pieces = judged.sampling(START + 2, START + 2, 2.0, dict.fromkeys(KINDS, 0), 0)
    next(pieces)
    for _ in range(200_001):
        judged.arrived(KINDS[0], START + 1.5)
    for _ in pieces:
        pass
    assert judged.overrun
    assert not judged._held_up
