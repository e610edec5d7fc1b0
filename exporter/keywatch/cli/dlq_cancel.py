"""`keywatch dlq cancel`: ends a run of this queue wherever it goes on; what it committed stays."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import socket
from typing import Any

from keywatch.cli import dlq_queue
from keywatch.cli.dlq_queue import Desk
from keywatch.cli.exit_codes import OK
from keywatch.cli.out import say
from keywatch.kafka.client import REDRIVE_PREFIX
from keywatch.redrive.claim import CANCELLED, RUNNING, Claim, Lock
from keywatch.redrive.ledger import claim_entry
from keywatch.redrive.session import Session, Transaction
from keywatch.redrive.topic_letters import TopicLetters


def add(actions: Any) -> None:
    """Declare the command and its flags."""
    parser: argparse.ArgumentParser = actions.add_parser(
        "cancel", help="end a run of this queue, on this machine or another: exit 0, 1 no answer, 2 bad input"
    )
    dlq_queue.add_flags(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command and give its exit code; raises `ConfigError`."""
    return dlq_queue.run(options, _cancel)


def _cancel(desk: Desk) -> int:
    queue = dlq_queue.one(desk)
    if queue.folder is not None:
        _one(desk, f"folder:{queue.name}", f"folder-{queue.name}", "")
    for topic in queue.topics:
        letters = TopicLetters(desk.clients, topic, desk.timeout)
        topic_id = letters.topic_id()
        letters.close()
        _one(desk, topic, topic, topic_id)
    return OK


def _one(desk: Desk, source: str, name: str, topic_id: str) -> None:
    holder = Lock(desk.state, f"{REDRIVE_PREFIX}{name}").holder()
    if holder is not None and holder.host == socket.gethostname():
        with contextlib.suppress(ProcessLookupError):
            os.kill(holder.pid, signal.SIGTERM)
        say(f"{source}: {holder} ends after its batch")
        return
    found = desk.ledger.read(source, topic_id).claim if desk.ledger.exists(desk.timeout) else None
    if found is None or found.state != RUNNING:
        say(f"{source}: nothing goes on")
        return
    # Whoever opens a session of the same id fences the other one, which reads here who it was.
    session = Session(desk.clients, f"{REDRIVE_PREFIX}{name}", desk.ledger.topic, desk.timeout)
    session.open()
    claim = Claim(state=CANCELLED)
    session.commit(lambda _: Transaction(entries=[claim_entry(source, claim)]))
    say(f"{source}: {found} can do no more")
