"""Keycloak dead, not ready, or cut off from Kafka: H16, H17 and H22."""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.faults.bed import WINDOW, Bed, now
from tests.faults.fault import PROMISE, Case, Fault, Page
from tests.kafka.waiting import wait_until
from tests.keycloak.database import Database
from tests.keycloak.driver import Driver
from tests.keycloak.event_path import REALM, USER
from tests.keycloak.health import status_of

_NOTICED_WITHIN = 90.0
_LOGINS = 3
_STEADY_FOR = 3.0


def faults() -> list[Fault]:
    """Return the faults of this family."""
    return [
        Fault("H16", "Keycloak killed", killed),
        Fault("H17 frozen", "Keycloak not ready: its database stands still", database_frozen),
        Fault("H17 killed", "Keycloak not ready: its database killed", database_killed),
        Fault(
            "H22",
            "Keycloak cut off from Kafka",
            cut_off,
            clock=f"from the cut; keywatch waits {WINDOW:g} s for an event before it is missing",
            within=WINDOW + PROMISE,
        ),
    ]


def killed(bed: Bed, chance: random.Random) -> Case:  # noqa: ARG001 - there is one
    """Kill Keycloak while nobody logs in."""

    def inject() -> float:
        bed.logins.pause()
        return bed.keycloak.kill()

    def repair() -> float:
        bed.keycloak.spawn()
        lives = f"{bed.keycloak.management_url}/health/live"
        wait_until(lambda: status_of(lives) == 200, _NOTICED_WITHIN, "Keycloak lives")
        moment = now()
        bed.keycloak.wait_ready()
        bed.logins.resume()
        return moment

    return Case((Page("KeycloakDown", {"cluster": bed.cluster, "keycloak": "kc"}, "refused"),), inject, repair)


def database_killed(bed: Bed, chance: random.Random) -> Case:  # noqa: ARG001 - there is one
    """Kill Keycloak's database; the first who asks gets a reason, who asks after that waits for eight seconds.

    So nobody but keywatch asks.
    """
    database = _database(bed)
    return _not_ready(bed, database.kill, database.start, "keycloak_database_connections_async_health_check")


def database_frozen(bed: Bed, chance: random.Random) -> Case:  # noqa: ARG001 - there is one
    """Freeze Keycloak's database: nobody who asks gets an answer, and no reason."""
    database = _database(bed)
    return _not_ready(bed, database.freeze, database.thaw, "it does not say why")


def _database(bed: Bed) -> Database:
    if bed.keycloak.database is None:
        raise RuntimeError("Keycloak has no database of its own")
    return bed.keycloak.database


def _not_ready(bed: Bed, hurt: Callable[[], float], heal: Callable[[], object], words: str) -> Case:
    ready = f"{bed.keycloak.management_url}/health/ready"

    def inject() -> float:
        bed.logins.pause()
        return hurt()

    def repair() -> float:
        heal()
        moment = _lasts(ready, 200)
        bed.logins.resume()
        return moment

    return Case((Page("KeycloakNotReady", {"cluster": bed.cluster, "keycloak": "kc"}, words),), inject, repair)


def _lasts(url: str, status: int) -> float:
    """Wait until a status has been answered for some seconds, and give when that began: the first may come and go."""
    since = now()

    def steady() -> bool:
        nonlocal since
        if status_of(url) != status:
            since = now()
        return now() - since >= _STEADY_FOR

    wait_until(steady, _NOTICED_WITHIN, f"{url} answers {status}")
    return since


def cut_off(bed: Bed, chance: random.Random) -> Case:  # noqa: ARG001 - all ways are cut
    """Let nothing through between Keycloak and Kafka, and have people log in."""

    def inject() -> float:
        moment = now()
        for link in bed.links:
            link.hold()
        driver = Driver(bed.keycloak)
        for _ in range(_LOGINS):
            driver.login(REALM, USER)
        driver.close()
        return moment

    def repair() -> float:
        moment = now()
        for link in bed.links:
            link.flow()
        return moment

    return Case((Page("KeycloakEventsNotArriving", {"cluster": bed.cluster, "listener": "snuk87"}),), inject, repair)
