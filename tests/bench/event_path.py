"""How fast losses, cuts and a dead Keycloak are seen on the real path, and that nothing else is taken for a loss."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from tests.bench.figures import Figure, spread
from tests.kafka.exporter_process import Recorder, Scrape
from tests.keycloak.event_path import REALM, USER, EventPath, event_path, missing, unarrived, well

_RECEIVED = "keywatch_events_received_total"
_WINDOW = 10.0
_LOGINS = 20
_OUTAGES = (25.0, 49.0, 150.0)


def measure(repetitions: int, calm: float, say: Callable[[str], None]) -> list[Figure]:
    """Lose events, take Kafka away, kill and freeze Keycloak; then `calm` seconds of bursts and restarts."""
    with event_path(_WINDOW) as path:
        say("event path: false losses")
        figures = [_false(path, calm, say)]
        figures += _keycloak(path, repetitions, say)
        figures.append(_losses(path, repetitions, say))
        figures += [_outage(path, seconds, say) for seconds in _OUTAGES]
        figures.append(_outage(path, _OUTAGES[0], say, restarted=True))
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


def _outage(path: EventPath, seconds: float, say: Callable[[str], None], *, restarted: bool = False) -> Figure:
    """Freeze Kafka during some logins; what did not arrive in the end, and nothing else, has to be missing.

    A producer that has sent nothing since Keycloak was `restarted` knows no broker: each login waits `max.block.ms` for
    one, and its event is given up.
    """
    if restarted:
        path.keycloak.restart()
        path.driver.close()
        path.exporter.until(lambda s: s.value("keywatch_keycloak_ready") == 1, 60, "Keycloak is ready")
    else:
        seen = path.received()
        path.driver.login(REALM, USER)
        path.until(lambda s: s.total(_RECEIVED, realm=REALM) > seen, 60, "the producer knows the brokers")
    node, before = path.kafka.nodes[0], path.keycloak.listener.counts()
    received, known = path.received(), unarrived(path.exporter.scrape())

    def lost() -> float:
        return _LOGINS - (path.received() - received)

    node.freeze()
    began = time.monotonic()
    _logins(path, _LOGINS, seconds)
    node.thaw()
    frozen = time.monotonic() - began
    path.exporter.until(lambda s: s.value("keywatch_broker_up") == 1, 60, "the broker is up")
    back, decided = time.monotonic(), before.sent + _LOGINS
    path.keycloak.listener.until(lambda c: c.acked + c.failed >= decided, 150, "the producer has decided about all")
    path.exporter.until(lambda s: unarrived(s) - known == lost(), 60, "what did not arrive is missing")
    took = time.monotonic() - back
    time.sleep(_WINDOW + 3)  # in which more would be missed
    found = unarrived(path.exporter.scrape()) - known
    say(f"Kafka frozen for {frozen:.0f} s: {lost():.0f} lost, {found:.0f} missing after {took:.1f} s")
    when = ", right after Keycloak was restarted" if restarted else ""
    return Figure(
        f"Kafka frozen for {frozen:.0f} s during {_LOGINS} logins{when}",
        "missing is what did not arrive, ≤ 15 s after Kafka is back",
        f"{lost():.0f} did not arrive, {found:.0f} missing {took:.1f} s after Kafka was back",
        found == lost() and took <= 15,
        "the listener's own metrics: nothing",
    )


def _losses(path: EventPath, repetitions: int, say: Callable[[str], None]) -> Figure:
    took = []
    for turn in range(repetitions):
        known = unarrived(path.exporter.scrape())
        path.keycloak.listener.order(drop_next=1)
        path.driver.login_wrongly(REALM, USER)
        took.append(path.until(lambda s, k=known: unarrived(s) == k + 1, 60, "it is missing"))  # type: ignore[misc]
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
