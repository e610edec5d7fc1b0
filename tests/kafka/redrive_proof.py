"""Kills `keywatch dlq replay` a hundred times at random moments, and brokers under it, and counts what arrived."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.kafka import admin, redriving
from tests.kafka.cluster import KafkaCluster
from tests.kafka.distribution import requirements_missing
from tests.kafka.node import KafkaNode
from tests.kafka.redriving import Redriver

# A start takes one to two seconds; what the kills leave is done by the last run of a round.
_FIRST, _LAST = 0.5, 6.0
_KILLS_A_ROUND = 10
_LETTERS, _FILES, _UNDER_BROKERS = 30_000, 6_000, 10_000


def main() -> int:
    """Prove it; exit code 1 for anything lost, doubled or out of order, 2 when Kafka cannot run here."""
    parser = argparse.ArgumentParser(prog="make redrive-proof", description=__doc__)
    parser.add_argument("--kills", type=int, default=100, help="of the command, for topics and for folders each [100]")
    parser.add_argument("--broker-kills", type=int, default=20, help="kills and freezes of brokers [20]")
    parser.add_argument("--seed", type=int, help="of the moments, to have a run again")
    options = parser.parse_args()
    if reason := requirements_missing():
        print(f"make redrive-proof needs a real Kafka: {reason}", file=sys.stderr)
        return 2
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(2**32)
    print(f"seed {seed}", flush=True)
    wrong: list[str] = []
    with KafkaCluster(1) as cluster:
        for kind, one in (("topic", _topic), ("folder", _folder)):
            wrong += _rounds(cluster, kind, one, options.kills, seed)
    if options.broker_kills:
        with KafkaCluster(3) as cluster:
            wrong += _brokers(cluster, options.broker_kills, random.Random(seed))  # noqa: S311 - moments, no secrets
    print("\n".join(wrong) or "nothing lost, nothing doubled, all in order within the key", flush=True)
    return 1 if wrong else 0


Round = Callable[[KafkaCluster, Path, str], tuple[tuple[str, ...], int]]


def _rounds(cluster: KafkaCluster, kind: str, one: Round, kills: int, seed: int) -> list[str]:
    wrong = []
    for number, first in enumerate(range(0, kills, _KILLS_A_ROUND)):
        with _folder_of_its_own() as place:
            name = f"{kind}-{number}"
            replay, letters = one(cluster, place, name)
            redriver = Redriver(cluster.bootstrap, place)
            count = min(_KILLS_A_ROUND, kills - first)
            moments = redriving.kill_moments(count, _FIRST, _LAST, seed + number)
            killed = sum(redriver.killed(after, *replay) for after in moments)
            redriver.run(*replay)
            found = redriving.faults(redriving.committed(cluster.bootstrap, f"{name}-to"), letters)
            told = sum(line["keywatch"]["redrive"]["replayed"] for line in redriver.audit())
            if told != letters:
                found.append(f"the audit trail tells of {told}, not of {letters}")
            print(f"{name}: {killed} of {count} killed at work, {letters} letters: {found or 'well'}", flush=True)
            wrong += [f"{name}: {words}" for words in found]
    return wrong


def _topic(cluster: KafkaCluster, _: Path, name: str) -> tuple[tuple[str, ...], int]:
    redriving.fill_topic(cluster.bootstrap, f"{name}-dlq", f"{name}-to", _LETTERS)
    return ("replay", "--topic", f"{name}-dlq", "--batch", "100", "--yes"), _LETTERS


def _folder(cluster: KafkaCluster, place: Path, name: str) -> tuple[tuple[str, ...], int]:
    admin.create_topic(cluster.bootstrap, f"{name}-to", partitions=3)
    folder = place / name
    redriving.fill_folder(folder, f"{name}-to", _FILES)
    return ("replay", "--folder", str(folder), "--batch", "40", "--yes"), _FILES


def _brokers(cluster: KafkaCluster, kills: int, chance: random.Random) -> list[str]:
    """Kill or freeze a broker at a time under one run after another, until there were enough."""
    wrong, done, number = [], 0, 0
    while done < kills:
        name = f"brokers-{number}"
        number += 1
        redriving.fill_topic(cluster.bootstrap, f"{name}-dlq", f"{name}-to", _UNDER_BROKERS, replicas=3)
        with _folder_of_its_own() as place:
            redriver = Redriver(cluster.bootstrap, place)
            replay = ("replay", "--topic", f"{name}-dlq", "--batch", "50", "--rate", "500", "--yes")
            process = redriver.start(*replay)
            time.sleep(chance.uniform(1.0, 4.0))
            while process.poll() is None and done < kills:
                _hurt(cluster, chance.choice(cluster.nodes), chance)
                done += 1
            _, words = process.communicate(timeout=600)
            if process.returncode:
                print(f"{name}: gave up, and goes on: {words.splitlines()[-1:]}", flush=True)
                redriver.run(*replay)
            found = redriving.faults(redriving.committed(cluster.bootstrap, f"{name}-to"), _UNDER_BROKERS)
            print(f"{name}: {done} kills and freezes so far: {found or 'well'}", flush=True)
            wrong += [f"{name}: {fault}" for fault in found]
    return wrong


def _hurt(cluster: KafkaCluster, node: KafkaNode, chance: random.Random) -> None:
    if chance.random() < 0.5:
        node.kill()
        time.sleep(chance.uniform(0.1, 5.0))
        node.start()
    else:
        node.freeze()
        time.sleep(chance.uniform(0.1, 8.0))
        node.thaw()
    cluster.wait_ready()


@contextmanager
def _folder_of_its_own() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="keywatch-redrive-") as folder:
        yield Path(folder)


if __name__ == "__main__":
    sys.exit(main())
