"""What `keywatch dlq replay --dry-run` tells: where each letter would go, and what a transformation would change."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from typing import Final

from keywatch.cli import dlq_work
from keywatch.cli.dlq_progress import ProgressView
from keywatch.cli.dlq_queue import Desk
from keywatch.cli.exit_codes import OK, SOMETHING_STAYS
from keywatch.cli.out import say, say_json
from keywatch.redrive.audit import event
from keywatch.redrive.claim import Claim
from keywatch.redrive.decision import Decision
from keywatch.redrive.letter import Letter
from keywatch.redrive.masking import masked
from keywatch.redrive.queue import Queue
from keywatch.redrive.selection import Selection
from keywatch.redrive.tally import Tally
from keywatch.redrive.transform import Transform, difference
from keywatch.redrive.work import Limits

_MOST_DIFFERENCES: Final = 3


def dry_run(
    options: argparse.Namespace, desk: Desk, queue: Queue, selection: Selection, rules: Transform | None
) -> int:
    """Decide on each letter, tell, and do nothing; returns the exit code. Raises `RedriveError`."""
    if options.reveal:
        desk.audit.write(event("show", queue.name, Claim(), reveal=True, selection=selection.words()))
    goals, done = Counter[str](), Tally()
    differences: list[tuple[Letter, Decision]] = []

    def look(letter: Letter, decision: Decision) -> None:
        goals[dlq_work.goal(decision)] += 1
        if rules is not None and decision.record is not None and len(differences) < _MOST_DIFFERENCES:
            differences.append((letter, decision))

    for part in dlq_work.parts(queue):
        with ProgressView(f"dry run of {queue.name}", 0) as view:
            around = desk.around(limits=Limits(most=options.most))
            around.told = view.show
            with dlq_work.replay(options, desk, queue, part, selection, rules, around, real=False) as work:
                done = dlq_work.total(done, work.survey(look))
    if options.json:
        say_json({"dry_run": True, "would": dict(goals), **done.as_json()})
    else:
        for letter, decision in differences:
            say(f"{letter.place}")
            for line in _lines(letter, decision, reveal=options.reveal):
                say(f"    {line}")
        for words, number in goals.most_common():
            say(f"{number} {words}")
        say("nothing was done")
    return SOMETHING_STAYS if done.refusals else OK


def _lines(letter: Letter, decision: Decision, *, reveal: bool) -> Iterator[str]:
    before, after = letter.value or b"{}", (decision.record.value if decision.record else None) or b"{}"
    for line in difference(before, after):
        # Which fields change tells most; what is in them may be somebody's name.
        yield line if reveal else _masked(line)


def _masked(line: str) -> str:
    sign, _, rest = line.partition(" ")
    path, _, text = rest.partition(": ")
    try:
        value = masked({path.rpartition(".")[2]: json.loads(text)})
    except ValueError:  # cut
        value = masked({"": text})
    return f"{sign} {path}: {json.dumps(next(iter(value.values())), ensure_ascii=False)}"
