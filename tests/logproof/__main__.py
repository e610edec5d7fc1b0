"""Proves the pipelines on a real Logstash: the golden documents come out, and a kill neither loses nor doubles."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import subprocess
import sys
from collections.abc import Iterable

from tests.kafka.waiting import wait_until
from tests.logproof.compose import LOGS, Compose, requirements_missing
from tests.logproof.documents import Ask, NotYetError, differences, expected, stored
from tests.logproof.records import create_topics, write_events, write_samples

KAFKA = ("user-events", "admin-events", "unparsed-records", "dead-letters")
_FIRST_SECONDS = 240.0
_THEN_SECONDS = 300.0
_EVENTS = 20_000
_BEFORE_KILL = 500


def main() -> int:
    """Prove; exit code 1 when something is not as promised, 2 when it cannot be done here."""
    if reason := requirements_missing():
        print(f"skipped, because Logstash runs in a container: {reason}", file=sys.stderr)
        return 2 if os.environ.get("KEYWATCH_REQUIRE") == "all" else 0
    try:
        with Compose() as running:
            found = goldens(running) + killed(running)
    except (subprocess.CalledProcessError, TimeoutError) as error:
        print(f"{error}\n{getattr(error, 'stdout', None) or ''}", file=sys.stderr)
        return 1
    print("\n".join(found) or "as promised: every golden document, and each event once after a kill")
    return 1 if found else 0


def goldens(running: Compose) -> list[str]:
    """Put all samples in and say how what comes out differs from the golden documents."""
    began = f"{dt.datetime.now(dt.UTC):%Y-%m-%dT%H:%M:%S.000Z}"
    files = [name for some in LOGS.values() for name in some]
    create_topics(running.bootstrap, KAFKA)
    write_samples(running.bootstrap, KAFKA)
    running.start_logstash()
    return compared(running.ask, [*KAFKA, *files], began, _FIRST_SECONDS)


def compared(ask: Ask, names: Iterable[str], began: str, seconds: float) -> list[str]:
    """Wait until as many documents can be found as these samples make, and say how they differ."""
    wanted = expected(names)

    def complete() -> bool:
        with contextlib.suppress(NotYetError):
            return stored(ask, began=began).total() >= wanted.total()
        return False

    with contextlib.suppress(TimeoutError):  # what is missing is told by name
        wait_until(complete, seconds, "all samples can be found")
    return differences(wanted, stored(ask, began=began))


def killed(running: Compose) -> list[str]:
    """Kill Logstash while it carries events, start it again, and count each event's documents."""
    before = count(running.ask)
    ids = write_events(running.bootstrap, _EVENTS)
    wait_counted(running.ask, before + _BEFORE_KILL, _THEN_SECONDS)
    running.kill_logstash()
    at_kill = count(running.ask) - before
    running.start_logstash()
    with contextlib.suppress(TimeoutError):  # how many are missing is told
        wait_counted(running.ask, before + len(ids), _THEN_SECONDS)
    found, ever = count(running.ask) - before, distinct(running.ask)
    print(f"killed after {at_kill} of {len(ids)} events; {found} documents of them in the end, {ever} ids in all")
    return [] if found == len(ids) else [f"{len(ids)} events made {found} documents"]


def wait_counted(ask: Ask, least: int, seconds: float) -> None:
    """Wait until so many documents of user events can be found; raises `TimeoutError`."""

    def enough() -> bool:
        with contextlib.suppress(NotYetError):
            return count(ask) >= least
        return False

    wait_until(enough, seconds, f"{least} user events can be found")


def count(ask: Ask) -> int:
    """Count the documents of user events that can be found."""
    return int(ask("POST", "logs-keycloak.user_event-*/_count?ignore_unavailable=true", None)["count"])


def distinct(ask: Ask) -> int:
    """Count their different ids."""
    body = {"size": 0, "aggs": {"ids": {"cardinality": {"field": "event.id", "precision_threshold": 40_000}}}}
    found = ask("POST", "logs-keycloak.user_event-*/_search?ignore_unavailable=true", body)
    return int(found["aggregations"]["ids"]["value"])


if __name__ == "__main__":
    sys.exit(main())
