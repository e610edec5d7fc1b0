"""How fast losses, cuts and a dead Keycloak are seen on the real path, and that nothing else is taken for a loss."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from tests.bench.figures import Figure, spread
from tests.kafka.exporter_process import Recorder, Scrape
from tests.keycloak.event_path import REALM, USER, EventPath, event_path, missing, well

_WINDOW = 10.0
_LOGINS = 20
_SHORT_OUTAGES = (25.0, 49.0)
_LONG_OUTAGE = 150.0


def measure(repetitions: int, calm: float, say: Callable[[str], None]) -> list[Figure]:
    """Lose events, take Kafka away, kill and freeze Keycloak; then `calm` seconds of bursts and restarts."""
    with event_path(_WINDOW) as path:
        say("event path: false losses")
        figures = [_false(path, calm, say)]
        say("event path: Kafka away")
        figures += [_short(path, seconds, say) for seconds in _SHORT_OUTAGES]
        figures += _keycloak(path, repetitions, say)
        figures.append(_long(path, say))
        figures.append(_losses(path, repetitions, say))
    return figures


def _logins(path: EventPath, count: int, seconds: float) -> None:
    """Have so many people log in, spread over some seconds."""
    for _ in range(count):
        path.driver.login(REALM, USER)
        time.sleep(seconds / count)


def _settled(path: EventPath) -> None:
    path.exporter.until(well, 120, "all is well")
    time.sleep(_WINDOW + 3)


def _false(path: EventPath, seconds: float, say: Callable[[str], None]) -> Figure:
    chance = random.Random(11)  # noqa: S311 - when people log in is no secret
    end, logins, restarts = time.monotonic() + seconds, 0, 0
    with Recorder(path.exporter, 0.5) as recorder:
        while time.monotonic() < end:
            burst = chance.choice([1, 1, 5, 40])
            for _ in range(burst):
                path.driver.login(REALM, USER)
            logins += burst
            time.sleep(chance.uniform(0, 3))
            if chance.random() < 0.03:
                restarts += 1
                say(f"restart {restarts}")
                if restarts % 2:
                    path.keycloak.restart()
                    path.driver.close()
                else:
                    path.kafka.nodes[0].restart()
        _settled(path)
    false = sum(missing(scrape) > 0 for scrape in recorder.scrapes)
    return Figure(
        f"bursts of logins and restarts of Keycloak and Kafka, {seconds / 60:.0f} minutes",
        "no event missing",
        f"{logins} logins, {restarts} restarts: {false} of {len(recorder.scrapes)} scrapes with one missing",
        not false,
    )


def _short(path: EventPath, seconds: float, say: Callable[[str], None]) -> Figure:
    node, received = path.kafka.nodes[0], path.received()
    with Recorder(path.exporter, 0.5) as recorder:
        node.freeze()  # a client of Kafka 4 forgets what it knew when every broker refuses, and loses all at once
        _logins(path, _LOGINS, seconds)
        node.thaw()
        back = time.monotonic()
        path.exporter.until(lambda _: path.received() == received + _LOGINS, 60, "all arrived")
        arrived = time.monotonic() - back
        _settled(path)
    false = max(missing(scrape) for scrape in recorder.scrapes)
    say(f"Kafka away for {seconds:.0f} s: {false:.0f} missing")
    return Figure(
        f"Kafka frozen for {seconds:.0f} s during {_LOGINS} logins",
        "no event missing",
        f"at most {false:.0f} missing; all {_LOGINS} arrived {arrived:.1f} s after Kafka was back",
        not false,
    )


def _long(path: EventPath, say: Callable[[str], None]) -> Figure:
    node, before = path.kafka.nodes[0], path.keycloak.listener.counts()
    received = path.received()
    with Recorder(path.exporter, 0.5) as recorder:
        node.freeze()
        _logins(path, _LOGINS, _LONG_OUTAGE)
        node.thaw()
        path.exporter.until(lambda s: s.value("keywatch_broker_up") == 1, 60, "the broker is up")
        back = time.monotonic()
        counts = path.keycloak.listener.until(
            lambda c: c.acked + c.failed >= before.sent + _LOGINS, 150, "all is decided"
        )
        lost = counts.failed - before.failed
        path.exporter.until(lambda s: missing(s) == _LOGINS - (path.received() - received) > 0, 60, "the loss is named")
        named = time.monotonic() - back
    early = max(missing(s) for s in recorder.scrapes if s.at < back)
    say(f"Kafka away for {_LONG_OUTAGE:.0f} s: {lost} lost, named after {named:.1f} s")
    return Figure(
        f"Kafka frozen for {_LONG_OUTAGE:.0f} s during {_LOGINS} logins",
        "≤ 15 s after Kafka is back",
        f"{lost} given up by the producer, as many missing {named:.1f} s after; {early:.0f} before",
        named <= 15 and not early,
        "the listener's own metrics: nothing",
    )


def _losses(path: EventPath, repetitions: int, say: Callable[[str], None]) -> Figure:
    took = []
    for turn in range(repetitions):
        known = path.missing()
        path.keycloak.listener.order(drop_next=1)
        path.driver.login_wrongly(REALM, USER)
        took.append(path.until(lambda s, k=known: missing(s) == k + 1, 60, "it is missing"))  # type: ignore[misc]
        path.keycloak.listener.order()
        say(f"loss {turn + 1}: missing after {took[-1]:.1f} s")
    return Figure(
        f"the listener loses one event and no other follows ({repetitions} runs, min / median / max)",
        "≤ 15 s",
        spread(took, digits=1),
        max(took) <= 15,
        "nothing, ever",
    )


def _keycloak(path: EventPath, repetitions: int, say: Callable[[str], None]) -> list[Figure]:
    killed, frozen, back = [], [], []

    def down(scrape: Scrape) -> bool:
        return scrape.value("keywatch_keycloak_up") == 0

    for turn in range(repetitions):
        with Recorder(path.exporter, 0.02, "?collect[]=health") as recorder:
            moment = time.monotonic()
            path.keycloak.freeze()
            frozen.append(recorder.first(down, moment, 20, "it is down"))
            moment = time.monotonic()
            path.keycloak.thaw()
            back.append(recorder.first(lambda s: s.value("keywatch_keycloak_up") == 1, moment, 20, "it is up"))
            time.sleep(random.Random(turn).uniform(1, 2))  # noqa: S311 - so that it falls anywhere in a period
            moment = time.monotonic()
            path.keycloak.kill()
            killed.append(recorder.first(down, moment, 20, "it is down"))
        path.keycloak.start()
        path.driver.close()
        path.exporter.until(well, 120, "all is well")
        say(f"Keycloak {turn + 1}: frozen {frozen[-1]:.2f} s, killed {killed[-1]:.2f} s")
    runs = f"({repetitions} runs, min / median / max)"
    return [
        Figure(f"Keycloak killed → `keycloak_up` 0 {runs}", "≤ 1.5 s", spread(killed), max(killed) <= 1.5),
        Figure(f"Keycloak frozen → `keycloak_up` 0 {runs}", "≤ 2.7 s", spread(frozen), max(frozen) <= 2.7),
        Figure(f"Keycloak answers again → `keycloak_up` 1 {runs}", "≤ 1.5 s", spread(back), max(back) <= 1.5),
    ]
