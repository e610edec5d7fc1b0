"""Wears the path out in many ways at once, as faults do that need no page at once, and waits until each alert fires."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from confluent_kafka.admin import (  # type: ignore[attr-defined] # imported there for users, but not by its typing
    AlterConfigOpType,
    ConfigResource,
    ResourceType,
)

from tests.faults import document
from tests.faults.__main__ import requirements_missing
from tests.faults.bed import AUDIT, DEAD, EVENTS, MOST_TOPICS, RETENTION_LEFT, WORK, WORN, Bed, bed
from tests.faults.partitions import alter
from tests.faults.traffic import Readers
from tests.faults.turns import say
from tests.faults.wearing import Soft, wear_out
from tests.kafka import admin
from tests.keycloak.driver import Driver
from tests.keycloak.event_path import REALM, USER

_LATE_MS = 11_000
_SLOW_SECONDS = 1.2
_RESTLESS = "restless"
_DAY = 86_400
_BRIEF, _HOUR = "kept-for-minutes", "kept-for-an-hour"
# The longest `for`, the longest window before it, and an evaluation or two.
_WITHIN = 15 * 60.0


def main() -> int:
    """Make all soft faults; exit code 1 when an alert did not fire, 2 when it cannot be done here."""
    parser = argparse.ArgumentParser(prog="make faults-soft", description=__doc__)
    parser.add_argument("--only", action="append", help="what makes this alert fire alone (may be repeated)")
    options = parser.parse_args()
    if reason := requirements_missing():
        say(f"skipped, because a whole path is needed: {reason}")
        return 2 if os.environ.get("KEYWATCH_REQUIRE") == "all" else 0
    with bed() as made:
        made.use("proxied")
        wanted = [soft for soft in soft_faults() if not options.only or soft.alert in options.only]
        seen = wear_out(made, made.alerting, wanted, _WITHIN)
    document.write_soft("soft", seen)
    print(f"\n{document.soft_table(seen)}", flush=True)
    return 1 if any(one["seconds"] is None for one in seen) else 0


def soft_faults() -> list[Soft[Bed]]:
    """Return those that a bed can show within minutes."""
    return [
        Soft("KafkaGroupStuck", "members that stay and read nothing while records come", stuck),
        Soft("KafkaGroupRebalancing", "members that come and go without a farewell", restless),
        Soft("KafkaGroupRewound", "offsets of a group that were reset", rewound),
        Soft("KafkaGroupRecordsSkipped", "a commit beyond the end of a partition", beyond),
        Soft("KafkaGroupRecordsNearDeletion", "a record unread in a topic that keeps it for two minutes", brief),
        Soft("KafkaGroupRecordsDeletedWithinDay", "a record unread since most of its topic's hour", brief),
        Soft("KafkaTopicUnsafe", "a topic with fewer in-sync replicas than it must have", promising_less),
        Soft("KafkaTopicNotAsExpected", "a topic that keeps the last record of each key alone", promising_less),
        Soft("KeywatchLeavesOut", f"more than the {MOST_TOPICS} topics that it is to look at", many_topics),
        Soft("KafkaPartitionsUnderReplicated", "a follower that was away, throttled to a byte a second", throttled),
        Soft("KafkaCanarySlow", f"a broker's answers {_SLOW_SECONDS:g} s late", slow),
        Soft("KeycloakEventsLate", f"events held back for {_LATE_MS / 1000:g} s", mistreated),
        Soft("KeycloakEventsMalformed", "every fifth event garbled", mistreated),
        Soft("KeycloakEventsLost", "every fourth event dropped", mistreated),
        Soft("KeycloakLoginErrorBurst", "wrong passwords, several a second", burst),
        Soft("DeadLettersOld", "a dead letter of two days ago", old_letter),
        Soft("DeadLetterQueueUnreadable", "the topic of dead letters deleted", no_queue),
        Soft("KeywatchReloadFailed", "a configuration with a mistake, reloaded", bad_reload),
    ]


@contextmanager
def _again_and_again(action: Callable[[], object], seconds: float) -> Iterator[None]:
    """Do something every few seconds, on a thread of its own."""
    ended = threading.Event()

    def go() -> None:
        while not ended.wait(seconds):
            action()

    thread = threading.Thread(target=go, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(60)


@contextmanager
def stuck(bed: Bed) -> Iterator[None]:
    """Have the group's members stay and read nothing."""
    bed.readers.pause()
    with _again_and_again(lambda: admin.produce(bed.kafka.bootstrap, WORK, 1), 5.0):
        yield


@contextmanager
def restless(bed: Bed) -> Iterator[None]:
    """Have members of another group end without a farewell, and new ones join, which wait for the dead ones."""
    with Readers(bed.kafka.bootstrap, [EVENTS, WORK], group=_RESTLESS) as readers:

        def change() -> None:
            readers.kill()
            readers.start()

        with _again_and_again(change, 12.0):
            yield


@contextmanager
def throttled(bed: Bed) -> Iterator[None]:
    """Have a follower that was away catch up without end while all brokers answer; one in sync is never throttled.

    Kafka lets it fetch a megabyte and more a second all the same (10 MB in each window of its quota), so what it missed
    is much, and nearly as much is written on.
    """
    topic = ConfigResource(ResourceType.TOPIC, AUDIT)
    alter(bed, topic, AlterConfigOpType.SET, ("follower.replication.throttled.replicas", "*"))
    node = bed.kafka.nodes[-1]
    broker = ConfigResource(ResourceType.BROKER, str(node.id))
    alter(bed, broker, AlterConfigOpType.SET, ("follower.replication.throttled.rate", "1"))
    node.stop()
    _fill(bed, 1000)
    node.start()
    with _again_and_again(lambda: _fill(bed, 5), 1.5):
        yield


def _fill(bed: Bed, records: int) -> None:
    for partition in range(3):
        admin.produce(bed.kafka.bootstrap, AUDIT, records, partition=partition, value=bytes(100_000))


@contextmanager
def slow(bed: Bed) -> Iterator[None]:
    """Have one broker's answers come late, yet not so late that it is called slow."""
    bed.proxies[0].delay = _SLOW_SECONDS
    yield
    bed.proxies[0].delay = 0.0


@contextmanager
def mistreated(bed: Bed) -> Iterator[None]:
    """Have the listener hold back, garble and drop events."""
    bed.keycloak.listener.order(delay_ms=_LATE_MS, garble_every=5, drop_every=4)
    yield
    bed.keycloak.listener.order()


@contextmanager
def burst(bed: Bed) -> Iterator[None]:
    """Have somebody guess passwords."""
    driver = Driver(bed.keycloak)
    with _again_and_again(lambda: driver.login_wrongly(REALM, USER), 0.2):
        yield
    driver.close()


@contextmanager
def rewound(bed: Bed) -> Iterator[None]:
    """Commit what is read of a topic, and less once keywatch knows of it."""
    group, at = f"{WORN}-rewound", (WORK, 0)
    admin.commit(bed.kafka.bootstrap, group, {at: 1})
    bed.exporter.until(lambda s: s.value("keywatch_group_lag_records", group=group) is not None, 60, "it is known")
    admin.commit(bed.kafka.bootstrap, group, {at: 0})
    yield


@contextmanager
def beyond(bed: Bed) -> Iterator[None]:
    """Commit an offset that a partition has not reached."""
    admin.commit(bed.kafka.bootstrap, f"{WORN}-beyond", {(AUDIT, 0): 1_000_000})
    yield


@contextmanager
def brief(bed: Bed) -> Iterator[None]:
    """Leave a record unread in topics that keep it for minutes, or for an hour of which most is over."""
    for name, kept, age in ((_BRIEF, RETENTION_LEFT * 1.2, 0.0), (_HOUR, 3600.0, 2400.0)):
        admin.create_topic(bed.kafka.bootstrap, name, configs={"retention.ms": str(int(kept * 1000))})
        admin.produce(bed.kafka.bootstrap, name, 1, timestamps=[int((time.time() - age) * 1000)])
        admin.commit(bed.kafka.bootstrap, f"{WORN}-{name}", {(name, 0): 0})
    yield


@contextmanager
def promising_less(bed: Bed) -> Iterator[None]:
    """Make topics that are not what the configuration demands."""
    admin.create_topic(bed.kafka.bootstrap, f"{WORN}-unsafe", configs={"min.insync.replicas": "1"})
    admin.create_topic(bed.kafka.bootstrap, f"{WORN}-odd", configs={"cleanup.policy": "compact"})
    yield


@contextmanager
def many_topics(bed: Bed) -> Iterator[None]:
    """Make as many topics as keywatch looks at, beside those that there are."""
    for number in range(MOST_TOPICS):
        admin.create_topic(bed.kafka.bootstrap, f"spare-{number}")
    yield


@contextmanager
def old_letter(bed: Bed) -> Iterator[None]:
    """Put a dead letter of two days ago into the folder."""
    moment = time.time() - 2 * _DAY
    file = bed.dead_letters / f"dlq-{int(moment * 1000)}-1.json"
    written = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))
    file.write_text(json.dumps({"id": file.stem, "timestamp": written, "realm": REALM}), encoding="utf-8")
    os.utime(file, (moment, moment))
    yield
    file.unlink()


@contextmanager
def no_queue(bed: Bed) -> Iterator[None]:
    """Delete the topic of dead letters."""
    admin.delete_topic(bed.kafka.bootstrap, DEAD)
    yield


@contextmanager
def bad_reload(bed: Bed) -> Iterator[None]:
    """Have keywatch read a configuration that is none."""
    good = bed.exporter.file.read_text(encoding="utf-8")
    bed.exporter.file.write_text(f"{good}\nclusterz: []\n", encoding="utf-8")
    os.kill(bed.exporter.pid, signal.SIGHUP)
    yield
    bed.exporter.file.write_text(good, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
