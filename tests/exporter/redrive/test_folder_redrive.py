"""A folder's letters come back once, and its files are moved, wherever a run was cut off between the two."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from keywatch.kafka.client import Clients
from keywatch.redrive.audit import AuditFile
from keywatch.redrive.claim import Claim
from keywatch.redrive.decision import Action, Decision
from keywatch.redrive.folder_letters import FolderLetters
from keywatch.redrive.folder_redrive import FolderRedrive
from keywatch.redrive.ledger import Ledger, LedgerState, _Reader
from keywatch.redrive.letter import Letter
from keywatch.redrive.session import Outgoing, Session
from keywatch.redrive.work import Limits, Surroundings

FILES, BATCH = 25, 10
PATTERN = r"dlq-(?P<millis>\d+)--?\d+\.json"


class Cut(Exception):  # noqa: N818 - what a kill is here
    """The process is gone."""


class Kafka:
    """What was committed: records, and the ledger's last entry of each key."""

    topic = "ledger"

    def __init__(self) -> None:
        self.records: list[bytes | None] = []
        self.entries: dict[str, bytes] = {}

    def open(self) -> None:
        """Nothing is left open."""

    def commit(self, build: Any) -> dict[int, Any]:
        """Commit at once."""
        transaction = build({})
        if transaction is not None:
            self.records += [record.value for record in transaction.records]
            for key, value in transaction.entries:
                if value is None:
                    self.entries.pop(key, None)
                else:
                    self.entries[key] = value
        return {}

    def read(self, source: str, topic_id: str) -> LedgerState:
        """Read the ledger as from Kafka."""
        state = LedgerState()
        reader = _Reader(state, source, topic_id)
        for key, value in self.entries.items():
            reader.take(key.encode(), value)
        return state


def put(letter: Letter, number: int) -> Decision:
    return Decision(Action.PUT, Outgoing("t", letter.key, letter.value, (), letter=number))


def run_of(kafka: Kafka, folder: Path, state: Path, most: int | None = None) -> FolderRedrive:
    limits = Limits(records=BATCH, most=most)
    around = Surroundings(state, AuditFile(state / "audit.jsonl"), limits=limits)
    letters = FolderLetters("q", folder, PATTERN)
    run = FolderRedrive(cast("Clients", None), cast("Ledger", kafka), letters, Claim(), around, put)
    run.session = cast("Session", kafka)
    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "folder"
    made.mkdir()
    for number in range(FILES):
        envelope = {"eventData": json.dumps({"n": number}), "destination": "t", "metadata": {"key": "k"}}
        (made / f"dlq-{1000 + number}-1.json").write_text(json.dumps(envelope), encoding="utf-8")
    return made


@pytest.mark.parametrize("cut_at", [1, 2, 3])
@pytest.mark.parametrize("moved", [0, 4])
def test_files_that_were_put_back_and_not_moved_are_only_moved(
    folder: Path, tmp_path: Path, cut_at: int, moved: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    kafka, calls = Kafka(), 0
    move = FolderRedrive._move

    def cut(run: FolderRedrive, files: Any, to: str) -> None:
        nonlocal calls
        calls += bool(files)
        if calls == cut_at and files:
            move(run, files[:moved], to)
            raise Cut
        move(run, files, to)

    monkeypatch.setattr(FolderRedrive, "_move", cut)
    with pytest.raises(Cut):
        run_of(kafka, folder, tmp_path / "state").run("replay")
    monkeypatch.undo()
    put_before = len(kafka.records)
    run = run_of(kafka, folder, tmp_path / "state")
    tally = run.run("replay")
    assert [json.loads(value or b"")["n"] for value in kafka.records] == list(range(FILES))
    assert tally.put == FILES - put_before
    assert tally.moved == min(BATCH, FILES - (cut_at - 1) * BATCH) - moved
    assert [path.name for path in folder.iterdir()] == ["replayed"]
    assert len(list((folder / "replayed").iterdir())) == FILES
    assert not [key for key in kafka.entries if "|files|" in key]
    lines = (tmp_path / "state" / "audit.jsonl").read_text(encoding="utf-8").splitlines()
    assert sum(json.loads(line)["keywatch"]["redrive"]["replayed"] for line in lines) == FILES


def test_a_run_that_does_a_part_leaves_no_note(folder: Path, tmp_path: Path) -> None:
    kafka = Kafka()
    run_of(kafka, folder, tmp_path / "state", most=12).run("replay")
    assert len(kafka.records) == 12
    assert not [key for key in kafka.entries if "|files|" in key]
    survey = run_of(kafka, folder, tmp_path / "state")
    assert (survey.survey(lambda *_: None).put, len(list(folder.glob("*.json")))) == (13, 13)
