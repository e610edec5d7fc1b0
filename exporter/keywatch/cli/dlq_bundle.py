"""`keywatch dlq export` and `import`: letters as a bundle with manifest and digest, and back again, once."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from keywatch.cli import dlq_queue, dlq_selection
from keywatch.cli.dlq_progress import ProgressView
from keywatch.cli.dlq_queue import Desk
from keywatch.cli.dlq_replay import code_of
from keywatch.cli.exit_codes import OK
from keywatch.cli.out import complain, say
from keywatch.engine.counted import counted
from keywatch.redrive import bundle
from keywatch.redrive.audit import event
from keywatch.redrive.bundle_import import BundleImport, into_folder
from keywatch.redrive.claim import Claim, user_name
from keywatch.redrive.errors import BadInputError
from keywatch.redrive.letter import Letter
from keywatch.redrive.summary import letters_of
from keywatch.redrive.tally import Tally


def add(actions: Any) -> None:
    """Declare the commands and their flags."""
    parser: argparse.ArgumentParser = actions.add_parser(
        "export", help="write letters into a bundle, and leave them where they are: exit 0, 1 no answer, 2 bad input"
    )
    dlq_queue.add_flags(parser)
    dlq_selection.add_flags(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="a new folder")
    parser.set_defaults(run=run_export)
    parser = actions.add_parser(
        "import", help="bring a bundle's letters back into their topic or folder, once: exit 0, 1, 2 bad input"
    )
    dlq_queue.add_flags(parser)
    parser.add_argument("--bundle", type=Path, required=True, metavar="FOLDER", help="what export wrote")
    parser.add_argument("--to", default="", metavar="TOPIC", help="topic to write to [where each letter lay]")
    parser.set_defaults(run=run_import)


def run_export(options: argparse.Namespace) -> int:
    """Run the command and give its exit code; raises `ConfigError`."""
    return dlq_queue.run(options, lambda desk: _export(options, desk))


def run_import(options: argparse.Namespace) -> int:
    """Run the command and give its exit code; raises `ConfigError`."""
    return dlq_queue.run(options, lambda desk: _import(options, desk))


def _export(options: argparse.Namespace, desk: Desk) -> int:
    queue, wanted = dlq_queue.one(desk), dlq_selection.selection(options)
    # Values leave the cluster: the trail says so before it happens.
    desk.audit.write(event("export", queue.name, Claim(), selection=wanted.words(), to=str(options.out)))
    unreadable = 0

    def letters() -> Iterator[Letter]:
        nonlocal unreadable
        for letter, _, _ in letters_of(desk.clients, desk.ledger, queue, wanted, desk.timeout):
            if letter is None:
                unreadable += 1
            else:
                yield letter

    about = {"source": queue.name, "selection": wanted.words(), "by": user_name()}
    manifest = bundle.write(options.out, letters(), about)
    say(f"{options.out}: {counted(manifest['letters'], 'letter')}, sha256 {manifest['sha256']}")
    if unreadable:
        complain(f"{counted(unreadable, 'file')} cannot be read and are not in it")
    return OK


def _import(options: argparse.Namespace, desk: Desk) -> int:
    manifest = bundle.check(options.bundle)
    queue = dlq_queue.one(desk)
    if queue.folder is not None:
        if options.to:
            raise BadInputError("--to means nothing to a folder")
        queue.folder.check(write=True)
        claim = Claim()
        desk.audit.write(event("import", f"folder:{queue.name}", claim, bundle=manifest["sha256"]))
        written, there = into_folder(options.bundle, queue.folder.path)
        say(f"{counted(written, 'file')} written, {there} there already")
        return OK
    to = options.to or (queue.topics[0] if len(queue.topics) == 1 else "")
    if to and to == _only_topic(manifest):
        to = ""  # each letter into the partition that it lay in
    desk.ledger.ensure(desk.timeout)
    with ProgressView("import", int(manifest.get("letters", 0))) as view:
        around = desk.around()
        around.told = view.show
        work = BundleImport(desk.clients, desk.ledger, options.bundle, manifest["sha256"], to, Claim(), around)
        done: Tally = work.run("import")
    say(f"{counted(done.put, 'letter')} brought back")
    if done.stopped:
        complain(f"stopped: {done.stopped}; the next run goes on from there")
    return code_of(done)


def _only_topic(manifest: dict[str, Any]) -> str:
    topics = {str(place).rpartition("/")[0] for place in manifest.get("offsets", {})}
    return topics.pop() if len(topics) == 1 else ""
