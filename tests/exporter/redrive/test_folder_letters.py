"""Files are read oldest first, each once, and what is none, or half a one, is told from a letter."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from keywatch.redrive import folder_letters
from keywatch.redrive.errors import BadInputError
from keywatch.redrive.folder_letters import FolderLetters
from keywatch.redrive.refusal import Refusal

PATTERN = r"dlq-(?P<millis>\d+)--?\d+\.json"
ENVELOPE = json.dumps({"eventData": "{}", "destination": "t", "metadata": {}})


def write(folder: Path, name: str, content: str = ENVELOPE) -> None:
    (folder / name).write_text(content, encoding="utf-8")


@pytest.mark.parametrize("held", [100_000, 3, 1])
def test_the_oldest_come_first_in_bounded_memory(tmp_path: Path, held: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_letters, "_MOST_HELD", held)
    names = [f"dlq-{millis}-{number}.json" for millis in (5, 40, 300) for number in (7, 80, 900)]
    for name in reversed(names):
        write(tmp_path, name)
    write(tmp_path, "other.json")
    (tmp_path / "replayed").mkdir()
    assert list(FolderLetters("q", tmp_path, PATTERN).names()) == names


def test_what_comes_meanwhile_is_left_for_another_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_letters, "_MOST_HELD", 1)
    for number in range(3):
        write(tmp_path, f"dlq-{number}-1.json")
    found = []
    for name in FolderLetters("q", tmp_path, PATTERN).names():
        found.append(name)
        write(tmp_path, f"dlq-{100 + len(found)}-1.json")
        assert len(found) < 10
    assert found == [f"dlq-{number}-1.json" for number in range(3)]


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        (ENVELOPE, None),
        (ENVELOPE[:-3], Refusal.MALFORMED),
        ("", Refusal.MALFORMED),
        ("{}", Refusal.MALFORMED),
        ("[" * 100_000, Refusal.MALFORMED),
        ("x" * (5 << 20), Refusal.UNREADABLE),
    ],
)
def test_a_file_is_a_letter_or_is_not(tmp_path: Path, content: str, refusal: Refusal | None) -> None:
    write(tmp_path, "dlq-1-1.json", content)
    folder = FolderLetters("q", tmp_path, PATTERN)
    file = folder.read("dlq-1-1.json")
    assert file.refusal is refusal
    assert (file.letter is None) is (refusal is not None)
    assert folder.being_written(file)
    assert folder.unchanged(file)
    write(tmp_path, "dlq-1-1.json", content + " ")
    assert not folder.unchanged(file)


def test_what_stands_in_a_files_place_is_not_followed(tmp_path: Path) -> None:
    write(tmp_path, "secret")
    (tmp_path / "dlq-1-1.json").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "dlq-2-1.json")
    (tmp_path / "dlq-3-1.json").mkdir()
    folder = FolderLetters("q", tmp_path, PATTERN)
    assert [folder.read(name).refusal for name in folder.names()] == [Refusal.UNREADABLE] * 3
    assert folder.read("dlq-9-9.json").mark is None


def test_one_name_with_two_contents_is_two_letters(tmp_path: Path) -> None:
    folder = FolderLetters("q", tmp_path, PATTERN)
    ids = set()
    for content in (ENVELOPE, ENVELOPE + "\n"):
        write(tmp_path, "dlq-1-1.json", content)
        ids.add(folder.read("dlq-1-1.json").id)
    write(tmp_path, "dlq-2-1.json", ENVELOPE)
    ids.add(folder.read("dlq-2-1.json").id)
    assert len(ids) == 3


def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="there is no such folder"):
        FolderLetters("q", tmp_path / "none", PATTERN).check(write=False)
