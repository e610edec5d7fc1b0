"""A member of a consumer group, as a process that can be killed; its arguments are bootstrap, group and topics.

SIGUSR1 has it stay in its group and read nothing, SIGUSR2 read on; each is answered by a line on standard output. It
ends with its standard input, so that it never outlives who started it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

from confluent_kafka import Consumer

from tests.kafka import admin

SESSION_SECONDS = 6
"""After so long without a heartbeat Kafka takes a member for dead; the least that brokers allow."""
_POLL_SECONDS = 0.1


def main() -> None:
    """Read until standard input ends."""
    bootstrap, group, *topics = sys.argv[1:]
    wanted: list[bool] = []
    signal.signal(signal.SIGUSR1, lambda *_: wanted.append(False))
    signal.signal(signal.SIGUSR2, lambda *_: wanted.append(True))
    threading.Thread(target=_wait_for_end, daemon=True).start()
    settings: dict[str, str | int] = {
        "group.id": group,
        "session.timeout.ms": SESSION_SECONDS * 1000,
        "heartbeat.interval.ms": 1000,
        "auto.commit.interval.ms": 500,
        "auto.offset.reset": "earliest",
        "topic.metadata.refresh.interval.ms": 5000,
    }
    consumer = Consumer(admin.client_settings(bootstrap, settings))
    consumer.subscribe(topics)
    print("reads", flush=True)
    reads = True
    while True:
        consumer.poll(_POLL_SECONDS)
        assigned = consumer.assignment()
        if wanted and assigned:
            reads = wanted.pop(0)
            if reads:
                consumer.resume(assigned)
            else:
                consumer.pause(assigned)
            print("changed", flush=True)
        elif not reads:
            consumer.pause(assigned)  # what a rebalance gave anew is read otherwise


def _wait_for_end() -> None:
    sys.stdin.read()
    os._exit(0)  # a farewell to brokers that may be dead takes minutes


if __name__ == "__main__":
    main()
