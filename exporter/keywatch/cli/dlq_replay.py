"""`keywatch dlq replay`: shows what it would do, asks, and puts letters back where they belong, exactly once."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import Any, Final

from keywatch.cli import dlq_queue, dlq_selection, dlq_work
from keywatch.cli.dlq_dry_run import dry_run
from keywatch.cli.dlq_progress import ProgressView
from keywatch.cli.dlq_queue import Desk
from keywatch.cli.exit_codes import INTERRUPTED, OK, SOMETHING_STAYS
from keywatch.cli.out import complain, say, say_json
from keywatch.config.yaml_file import ConfigError
from keywatch.engine.counted import counted
from keywatch.redrive import topics, transform
from keywatch.redrive.destination_lag import DestinationLag
from keywatch.redrive.pace import Pace
from keywatch.redrive.queue import Queue
from keywatch.redrive.selection import Selection
from keywatch.redrive.tally import Tally
from keywatch.redrive.textfile import TextFile
from keywatch.redrive.topic_redrive import TopicRedrive
from keywatch.redrive.work import Limits, Surroundings

_SAMPLE: Final = 1000
_MOST_AT_ONCE: Final = 20_000
_AS_MANY = "as many as --max allows"


def add(actions: Any) -> None:
    """Declare the command and its flags."""
    parser: argparse.ArgumentParser = actions.add_parser(
        "replay", help="put letters back exactly once: exit 0 done, 1 some stay, 2 bad input, 130 cancelled"
    )
    dlq_queue.add_flags(parser)
    dlq_selection.add_flags(parser)
    how = parser.add_argument_group("how")
    how.add_argument("--to", default="", metavar="TOPIC", help="put all of them there [where each came from]")
    how.add_argument(
        "--partition-by",
        choices=("original", "key"),
        default="original",
        help="into the partition that a record was in where that is known, or into that of its key [original]",
    )
    how.add_argument("--keep-timestamp", action="store_true", help="the letter's timestamp in place of now")
    how.add_argument("--transform", type=Path, metavar="FILE", help="rename, drop, set or default fields of JSON")
    how.add_argument("--max", dest="most", type=count, metavar="N", help="letters at most")
    how.add_argument("--batch", type=count, default=3000, metavar="N", help="letters in one transaction at most [3000]")
    how.add_argument("--rate", type=_rate, metavar="N", help="letters a second at most")
    how.add_argument("--group", metavar="GROUP", help="wait while this group is further behind than --max-lag")
    how.add_argument("--max-lag", type=count, default=10_000, metavar="N", help="records on the destinations [10000]")
    how.add_argument("--max-attempts", type=count, metavar="N", help="then a letter is parked [as configured, 3]")
    how.add_argument("--purge", action="store_true", help="delete from the topic what is settled; needs Delete")
    how.add_argument("--dry-run", action="store_true", help="decide on each letter, tell, and do nothing")
    how.add_argument("--reveal", action="store_true", help="show values in --dry-run; the audit trail says so")
    how.add_argument("--yes", action="store_true", help="do not ask")
    how.add_argument("--textfile", type=Path, metavar="FILE.prom", help="series for node_exporter")
    how.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command and give its exit code; raises `ConfigError`."""
    if options.purge and options.folder:
        raise ConfigError("--purge means nothing to a folder, whose files are moved")
    rules = transform.load(options.transform) if options.transform else None
    return dlq_queue.run(options, lambda desk: _Replay(options, desk, rules).run())


class _Replay:
    """One run of the command, over all topics of the queue, or its folder."""

    def __init__(self, options: argparse.Namespace, desk: Desk, rules: transform.Transform | None) -> None:
        self.options = options
        self.desk = desk
        self.rules = rules
        self.queue: Queue = dlq_queue.one(desk)
        self.selection: Selection = dlq_selection.selection(options)
        self.done = Tally()
        self.goals: Counter[str] = Counter()
        self.textfile = TextFile(options.textfile, desk.cluster.name, self.queue.name) if options.textfile else None

    def run(self) -> int:
        """Do it and give the exit code; raises `RedriveError`."""
        if self.queue.folder is not None:
            self.queue.folder.check(write=not self.options.dry_run)
        self.desk.ledger.ensure(self.desk.timeout)
        if self.options.dry_run:
            return dry_run(self.options, self.desk, self.queue, self.selection, self.rules)
        total = self._plan()
        wanted = total or self.options.purge
        if wanted and not self.options.yes and not dlq_queue.agreed("put them back?"):
            say("nothing was done")
            return SOMETHING_STAYS
        if wanted:
            self._replay(total)
        if self.textfile is not None:
            self.textfile.write(self.done, running=False)
        return ended(self.done, json=self.options.json)

    def _plan(self) -> int:
        """Show what will be done; returns about how many letters there are."""
        options, total = self.options, 0
        plain = not options.json
        if plain:
            say(f"replay of {self.queue.name}: {self.selection.words()}")
        for part in dlq_work.parts(self.queue):
            around = Surroundings(
                self.desk.state, self.desk.audit, limits=Limits(timeout=self.desk.timeout, patience=self.desk.timeout)
            )
            goals = Counter[str]()
            with dlq_work.replay(
                options, self.desk, self.queue, part, self.selection, self.rules, around, real=False
            ) as work:
                tally = work.survey(dlq_work.counting(goals), _SAMPLE)
                waiting = work.waiting()
            total += waiting
            if plain:
                moved = f", {tally.moved} of which were put back before and are only moved" if tally.moved else ""
                say(f"  {part if isinstance(part, str) else part.path}: {counted(waiting, 'letter')}{moved}")
                for words, number in goals.most_common(10):
                    say(f"    of the first {goals.total()}, {number} {words}")
        if plain and options.purge:
            say("  then what is settled is deleted from the topic")
        if plain:
            pace = "as fast as it goes" if options.rate is None else f"{options.rate:g} a second"
            most = "" if options.most is None else f", {options.most} at most"
            say(f"  {pace}{most}; ledger {self.desk.ledger.topic}; audit {self.desk.audit.path}")
        return total

    def _replay(self, total: int) -> None:
        with ProgressView(f"replay of {self.queue.name}", total) as view:

            def told(tally: Tally) -> None:
                self.goals |= tally.destinations
                shown = dlq_work.total(self.done, tally)
                view.show(shown)
                if self.textfile is not None:
                    self.textfile.update(shown)

            for part in dlq_work.parts(self.queue):
                around = self._around()
                around.told = told
                with dlq_work.replay(
                    self.options, self.desk, self.queue, part, self.selection, self.rules, around, real=True
                ) as work:
                    try:
                        work.run("replay")
                    finally:
                        self.done = dlq_work.total(self.done, work.tally)
                    if self.options.purge and isinstance(work, TopicRedrive) and isinstance(part, str):
                        topics.delete_before(self.desk.clients, part, work.upto, self.desk.timeout)
                if self.done.stopped:
                    return

    def _around(self) -> Surroundings:
        options = self.options
        pace = Pace(options.rate)
        if options.group:
            lag = DestinationLag(
                self.desk.clients, options.group, options.max_lag, lambda: list(self.goals), self.desk.timeout
            )
            pace = Pace(options.rate, lag)
        most = None if options.most is None else max(0, options.most - self.done.put - self.done.parked)
        return self.desk.around(pace=pace, limits=Limits(min(options.batch, _MOST_AT_ONCE), most=most))


def ended(done: Tally, *, json: bool) -> int:
    """Say what was done, and why it stopped; returns the exit code."""
    if json:
        say_json(done.as_json())
    else:
        _tell(done)
    if done.stopped:
        complain(f"stopped: {done.stopped}; the next run goes on from there")
    return code_of(done)


def _tell(done: Tally) -> None:
    """Say what was done."""
    say(f"{counted(done.put, 'letter')} put back, {done.parked} parked, {done.refusals} refused")
    if done.moved:
        say(f"{counted(done.moved, 'file')} only moved: an earlier run had put the letters back")
    for reason, number in done.refused.most_common():
        say(f"  {number} refused: {reason}")


def code_of(done: Tally) -> int:
    """Return the exit code for what was done."""
    if done.stopped == "cancelled":
        return INTERRUPTED
    return SOMETHING_STAYS if done.refusals or done.stopped not in {"", _AS_MANY} else OK


def count(text: str) -> int:
    """Read a number of letters; raises `ArgumentTypeError`."""
    if not (text.isascii() and text.isdigit() and 0 < int(text[:10]) <= 10**9):
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed; allowed: 1 to 1000000000")
    return int(text)


def _rate(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.01 <= value <= 1e7:
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed; allowed: 0.01 to 10000000")
    return value
