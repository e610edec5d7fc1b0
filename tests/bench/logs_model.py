"""How many events a second the model of Logstash's filters takes through our pipelines, without scripts."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.bench.figures import Figure
from tests.logstash.ours import event, pipeline, samples
from tests.logstash.ruby import NoRuby

_GOAL = 5000
_PASSES = 3


def measure(events: int, say: Callable[[str], None]) -> list[Figure]:
    """Run that many events of each shape, some times over; the best pass counts, in CPU time of this process."""
    figures: list[Figure] = []
    for name, words in (
        ("user-events", "user events"),
        ("admin-events", "admin events"),
        ("keycloak-log-ecs", "lines of Keycloak's log"),
    ):
        say(f"{events} {words}")
        ran = pipeline("keycloak-logs" if name.startswith("keycloak-log") else "keycloak-events", NoRuby())
        given = samples(name)
        best = 0.0
        for _ in range(_PASSES):
            made = [event(given[number % len(given)]) for number in range(events)]
            start = time.process_time()
            for one in made:
                ran.run(one)
            best = max(best, events / (time.process_time() - start))
        figures.append(
            Figure(
                f"{words} through the model of Logstash's filters, without scripts",
                f"≥ {_GOAL} a second",
                f"{best:,.0f} a second of CPU",
                best >= _GOAL,
            )
        )
    return figures
