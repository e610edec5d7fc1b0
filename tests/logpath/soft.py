"""Has the path of logs suffer in many ways at once and waits until Prometheus has the alert of each firing.

`make faults-logs` writes what came of it into docs/faults.md; half an hour.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from tests.elastic.distribution import OPENSEARCH
from tests.faults import document
from tests.faults.alerting import Alerting
from tests.faults.alerting import requirements_missing as alerting_missing
from tests.faults.turns import say
from tests.faults.wearing import Soft, wear_out
from tests.kafka.distribution import requirements_missing as kafka_missing
from tests.kafka.waiting import wait_until
from tests.logpath.log_path import USER, LogPath, log_path
from tests.logpath.refusals import nowhere, read_only, refusing
from tests.logpath.stand import Stand, stands
from tests.logpath.traffic import Traffic
from tests.logstash.ruby import missing as ruby_missing

_RATE = 2.0
# The longest: a window of 5 minutes, 6 minutes before it, held for 10.
_WITHIN = 25 * 60.0
_SMALL = 64 << 10
_LARGE = 64 << 20
_QUEUES = {
    "held": _LARGE, "gone": _LARGE, "refused": _LARGE, "blocked": _LARGE, "full": _SMALL, "filling": _SMALL,
    "unredacted": _LARGE,
}  # fmt: skip
"""Each stand and the bytes that its queue takes. The last is the one whose scripts are the newest."""


@dataclass(frozen=True)
class Scene:
    """What the alert must come of: the path, and its stands by their names."""

    path: LogPath
    stands: dict[str, Stand]


def _at(stand: str) -> Callable[[Mapping[str, str]], bool]:
    """Tell of labels whether they name a stand, by its Logstash or its topic."""
    return lambda labels: labels.get("logstash") == stand or labels.get("topic") == f"{USER}.{stand}"


def soft_faults() -> list[Soft[Scene]]:
    """Return those that this path can show within half an hour."""
    held = "documents held back while Logstash goes on reading"
    disk = "an index read-only, as a full disk makes it"
    return [
        Soft("LogstashDown", "a Logstash that is gone", gone, _at("gone")),
        Soft(
            "LogstashRejecting",
            "an ingest pipeline of somebody else that refuses each document",
            refused,
            _at("refused"),
        ),
        Soft("LogstashRetryStorm", disk, blocked, _at("blocked")),
        Soft("ElasticsearchReadOnly", disk, blocked),
        Soft("LogstashQueueFull", "a queue of 64 KiB that nobody empties", full, _at("full")),
        Soft("LogstashQueueFilling", "a queue of 64 KiB, seven eighths full", filling, _at("filling")),
        Soft("ElasticsearchClusterRed", "an index whose primary may stand on no node", red),
        Soft("LogRedactionFailed", "a script of redaction that raises at each event", unredacted),
        Soft("LogIndexLagGrowing", held, held_back, _at("held")),
        Soft("KeycloakLogsStalled", held, held_back, _at("held")),
        Soft("KeycloakLogsLate", held, held_back, _at("held")),
    ]


def main() -> int:
    """Make all of it; exit code 1 when an alert did not fire, 2 when it cannot be done here."""
    parser = argparse.ArgumentParser(prog="make faults-logs", description=__doc__)
    parser.add_argument("--only", action="append", help="what makes this alert fire alone (may be repeated)")
    options = parser.parse_args()
    if reason := kafka_missing() or OPENSEARCH.requirements_missing() or ruby_missing() or alerting_missing():
        say(f"skipped, because a whole path is needed: {reason}")
        return 2 if os.environ.get("KEYWATCH_REQUIRE") == "all" else 0
    wanted = [soft for soft in soft_faults() if not options.only or soft.alert in options.only]
    with log_path(lag_period=2.0, lag_timeout=4.0) as path, stands(path, _QUEUES) as made:
        topics = {name: stand.topic for name, stand in made.items()}
        with (
            Traffic(path.kafka.bootstrap, _RATE, **topics),
            Alerting([f"127.0.0.1:{path.exporter.port}"], "127.0.0.1:9") as alerting,
        ):
            scene = Scene(path, made)
            wait_until(lambda: all(_stored(scene, one) for one in made.values()), 60, "each stand stores events")
            seen = wear_out(scene, alerting, wanted, _WITHIN)
    document.write_soft("logs", seen)
    print(f"\n{document.soft_table(seen)}", flush=True)
    return 1 if any(one["seconds"] is None for one in seen) else 0


@contextmanager
def gone(scene: Scene) -> Iterator[None]:
    """End a Logstash."""
    stand = scene.stands["gone"]
    stand.carrier.stop_reading()
    stand.interface.stop()
    yield


@contextmanager
def refused(scene: Scene) -> Iterator[None]:
    """Have each document of a stream refused."""
    with refusing(scene.path.opensearch, scene.stands["refused"].stream):
        yield


@contextmanager
def blocked(scene: Scene) -> Iterator[None]:
    """Have a stream take nothing for the time being."""
    with read_only(scene.path.opensearch, scene.stands["blocked"].stream):
        yield


@contextmanager
def full(scene: Scene) -> Iterator[None]:
    """Have nobody empty a small queue."""
    scene.stands["full"].carrier.hold()
    yield
    scene.stands["full"].carrier.release()


@contextmanager
def filling(scene: Scene) -> Iterator[None]:
    """Have a small queue fill up, but not altogether."""
    carrier = scene.stands["filling"].carrier
    carrier.hold()
    wait_until(lambda: carrier.queue.bytes > 0.875 * carrier.queue.most, 120, "the queue is seven eighths full")
    carrier.stop_reading()
    yield
    carrier.release()


@contextmanager
def red(scene: Scene) -> Iterator[None]:
    """Make an index that no node may hold."""
    with nowhere(scene.path.opensearch, "of-somebody"):
        yield


@contextmanager
def unredacted(scene: Scene) -> Iterator[None]:
    """Have the script of redaction raise, in the pipeline that was loaded last."""
    scene.path.ruby.out_of_order("redact.rb")
    yield
    scene.path.ruby.out_of_order(None)


@contextmanager
def held_back(scene: Scene) -> Iterator[None]:
    """Have Logstash read and deliver nothing."""
    scene.stands["held"].carrier.hold()
    yield
    scene.stands["held"].carrier.release()


def _stored(scene: Scene, stand: Stand) -> bool:
    _, found = scene.path.opensearch.ask("GET", f"{stand.stream}/_count?ignore_unavailable=true")
    return bool(found and found.get("count"))


if __name__ == "__main__":
    sys.exit(main())
