"""`keywatch dlq park`: moves letters aside that nobody can use, with the reason, so that the others can be put back."""

from __future__ import annotations

import argparse
from typing import Any

from keywatch.cli import dlq_queue, dlq_selection
from keywatch.cli.dlq_progress import ProgressView
from keywatch.cli.dlq_queue import Desk
from keywatch.cli.dlq_replay import count, ended
from keywatch.cli.dlq_work import total
from keywatch.kafka.client import REDRIVE_PREFIX
from keywatch.redrive import topics
from keywatch.redrive.claim import Claim, Lock
from keywatch.redrive.decision import Park
from keywatch.redrive.errors import BadInputError
from keywatch.redrive.folder_letters import FolderLetters
from keywatch.redrive.folder_park import FolderPark
from keywatch.redrive.queue import Queue
from keywatch.redrive.selection import Selection
from keywatch.redrive.tally import Tally
from keywatch.redrive.topic_redrive import TopicRedrive
from keywatch.redrive.work import Limits


def add(actions: Any) -> None:
    """Declare the command and its flags."""
    parser: argparse.ArgumentParser = actions.add_parser(
        "park", help="move letters aside with a reason: exit 0 done, 1 some stay, 2 bad input, 130 cancelled"
    )
    dlq_queue.add_flags(parser)
    dlq_selection.add_flags(parser)
    parser.add_argument("--because", required=True, metavar="WORDS", help="the reason, kept with each letter")
    parser.add_argument("--to", default="", metavar="TOPIC", help="topic to park in [the letters' and .parked]")
    parser.add_argument("--max", dest="most", type=count, metavar="N", help="letters at most")
    parser.add_argument("--all", action="store_true", help="really all letters, where nothing else says which")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command and give its exit code; raises `ConfigError`."""
    return dlq_queue.run(options, lambda desk: _park(options, desk))


def _park(options: argparse.Namespace, desk: Desk) -> int:
    queue, wanted = dlq_queue.one(desk), dlq_selection.selection(options)
    if wanted.everything and not options.all:
        raise BadInputError("say which letters, such as --partition 0 --offset 42, --reason or --file; or --all")
    if queue.folder is not None:
        done = _folder(options, desk, queue.folder, queue, wanted)
    else:
        desk.ledger.ensure(desk.timeout)
        done = Tally()
        for topic in queue.topics:
            done = total(done, _topic(options, desk, queue, topic, wanted))
            if done.stopped:
                break
    return ended(done, json=options.json)


def _topic(options: argparse.Namespace, desk: Desk, queue: Queue, topic: str, wanted: Selection) -> Tally:
    claim = Claim()
    target = options.to or queue.parked_topic(topic)
    if target == topic:
        raise BadInputError(f"--to {target}: the letters lie there already")
    topics.ensure(desk.clients, target, -1, {}, desk.timeout)
    decide = Park(claim.run, target, wanted, queue.sources, options.because, claim.user)
    with ProgressView(f"parking of {queue.name}", 0) as view:
        around = desk.around(limits=Limits(most=options.most))
        around.told = view.show
        work = TopicRedrive(desk.clients, desk.ledger, topic, claim, around, decide)
        try:
            return work.run("park")
        finally:
            work.close()


def _folder(options: argparse.Namespace, desk: Desk, folder: FolderLetters, queue: Queue, wanted: Selection) -> Tally:
    if options.to:
        raise BadInputError("--to means nothing to a folder, whose files are parked in one of its own")
    if desk.ledger.exists(desk.timeout) and desk.ledger.read(f"folder:{folder.queue}", "").files:
        raise BadInputError(
            f"{folder.path}: a replay was interrupted, and files that it put back lie there still; run it again first"
        )
    park = FolderPark(folder, wanted, queue.sources, options.because, Claim(), desk.audit)
    lock = Lock(desk.state, f"{REDRIVE_PREFIX}folder-{folder.queue}")
    around = desk.around()
    return park.run(lock, options.most, around.stop)
