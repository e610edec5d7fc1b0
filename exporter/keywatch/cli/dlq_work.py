"""Makes the work that a command of `keywatch dlq` does: over each topic of the queue, or its folder."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from keywatch.cli.dlq_queue import Desk
from keywatch.redrive import topics
from keywatch.redrive.claim import Claim
from keywatch.redrive.decision import Decision, Park, Replay
from keywatch.redrive.destinations import Destinations
from keywatch.redrive.errors import RedriveError
from keywatch.redrive.folder_letters import FolderLetters
from keywatch.redrive.folder_redrive import FolderRedrive
from keywatch.redrive.originals import Originals
from keywatch.redrive.queue import Queue
from keywatch.redrive.returned import Returned
from keywatch.redrive.selection import Selection
from keywatch.redrive.tally import Tally
from keywatch.redrive.topic_redrive import TopicRedrive
from keywatch.redrive.transform import Transform
from keywatch.redrive.work import Surroundings, Work

Part = str | FolderLetters
"""A topic of the queue, or its folder."""


def parts(queue: Queue) -> list[Part]:
    """Return what is worked at, one after another."""
    return [queue.folder] if queue.folder is not None else list(queue.topics)


@contextmanager
def replay(
    options: argparse.Namespace,
    desk: Desk,
    queue: Queue,
    part: Part,
    selection: Selection,
    rules: Transform | None,
    around: Surroundings,
    *,
    real: bool,
) -> Iterator[Work]:
    """Give the replay of one part; one that is not `real` makes no topic and watches for no returns."""
    claim, redrive = Claim(), desk.cluster.redrive
    parked = (queue.parked_topic(topic) for topic in queue.topics)
    own = {*queue.topics, *parked, desk.ledger.topic, redrive.audit_topic or desk.ledger.topic}
    destinations = Destinations(desk.clients, options.to, queue.destination, options.partition_by, own, desk.timeout)

    def park() -> Park | None:
        if isinstance(part, FolderLetters):
            return None
        topic = queue.parked_topic(part)
        if real:
            try:
                topics.ensure(desk.clients, topic, -1, {}, desk.timeout)
            except RedriveError:
                return None
        return Park(claim.run, topic, selection, queue.sources, "", claim.user)

    decide = Replay(
        claim.run,
        selection,
        queue.sources,
        destinations,
        originals=Originals(desk.clients, desk.timeout),
        transform=rules,
        keep_timestamp=options.keep_timestamp,
        max_attempts=options.max_attempts or redrive.max_attempts,
        park=park,
    )
    if isinstance(part, FolderLetters):
        yield FolderRedrive(desk.clients, desk.ledger, part, claim, around, decide, destinations.learn)
        return
    work = TopicRedrive(desk.clients, desk.ledger, part, claim, around, decide, destinations.learn)
    returned = Returned(desk.clients, part, work.ends, claim.run, redrive.max_died_again) if real else None
    if returned is not None:
        work.after = returned
    try:
        yield work
    finally:
        work.close()
        if returned is not None:
            returned.close()


def goal(decision: Decision) -> str:
    """Say where a letter would go, or why it stays."""
    if decision.record is not None:
        return f"{'go' if decision.action == 'put' else 'are parked'} to {decision.record.topic}"
    return f"stay: {decision.refusal or 'not selected'}"


def counting(goals: Counter[str]) -> Callable[[object, Decision], None]:
    """Return what counts where letters would go."""

    def look(_: object, decision: Decision) -> None:
        goals[goal(decision)] += 1

    return look


def total(one: Tally, other: Tally) -> Tally:
    """Return what both did together."""
    found = Tally(batches=one.batches + other.batches, returned=one.returned + other.returned)
    found.add(one)
    found.add(other)
    found.stopped = other.stopped or one.stopped
    return found
