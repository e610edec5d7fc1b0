"""A bundle holds letters as they are, and one that was changed, cut or made up is refused before anything is done."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from keywatch.redrive import bundle
from keywatch.redrive.bundle_import import into_folder
from keywatch.redrive.dialects import letter_of
from keywatch.redrive.errors import BadInputError
from keywatch.redrive.letter import Letter, Place, Raw

LETTERS = [
    letter_of(Place("dlq", 1, 4), Raw(b"\xff", None, [("a", b"\x00"), ("a", None)], 5)),
    letter_of(Place("dlq", 1, 6), Raw(None, b"\xfe", [("__connect.errors.topic", b"t")], None)),
]


def test_letters_come_back_as_they_were(tmp_path: Path) -> None:
    manifest = bundle.write(tmp_path / "b", LETTERS, {"source": "dlq"})
    assert (manifest["letters"], manifest["offsets"], manifest["source"]) == (2, {"dlq/1": [4, 6]}, "dlq")
    assert bundle.check(tmp_path / "b")["sha256"] == manifest["sha256"]
    assert list(bundle.read(tmp_path / "b")) == LETTERS
    assert (tmp_path / "b" / bundle.LETTERS).stat().st_mode & 0o777 == 0o600
    with pytest.raises(BadInputError, match="is there already"):
        bundle.write(tmp_path / "b", LETTERS, {})


@pytest.mark.parametrize("change", ["letters", "manifest", "version", "missing", "unfinished"])
def test_a_changed_bundle_is_refused(tmp_path: Path, change: str) -> None:
    folder = tmp_path / "b"
    bundle.write(folder, LETTERS, {})
    letters, manifest = folder / bundle.LETTERS, folder / bundle.MANIFEST
    if change == "letters":
        letters.write_bytes(letters.read_bytes()[:-10])
    elif change == "manifest":
        manifest.write_text("[", encoding="utf-8")
    elif change == "version":
        manifest.write_text(json.dumps({"version": 2}), encoding="utf-8")
    elif change == "missing":
        letters.unlink()
    else:
        manifest.unlink()
    with pytest.raises(BadInputError, match=str(folder)):
        bundle.check(folder)


@pytest.mark.parametrize(
    "line", ["", "{}", "[]", '{"queue":"q","file":"../x","timestamp":null,"key":null}', "{" * 9999]
)
def test_a_line_that_is_no_letter_is_told(tmp_path: Path, line: str) -> None:
    (tmp_path / bundle.LETTERS).write_text(line + "\n", encoding="utf-8")
    with pytest.raises(BadInputError, match="line 1: is no letter"):
        list(bundle.read(tmp_path))


def test_files_are_written_back_and_never_over(tmp_path: Path) -> None:
    letter: Letter = letter_of(Place("q", -1, -1, "dlq-1-1.json"), Raw(None, b"content", (), 1))
    bundle.write(tmp_path / "b", [letter], {})
    target = tmp_path / "folder"
    target.mkdir()
    assert into_folder(tmp_path / "b", target) == (1, 0)
    assert (target / "dlq-1-1.json").read_bytes() == b"content"
    assert into_folder(tmp_path / "b", target) == (0, 1)
    (target / "dlq-1-1.json").write_bytes(b"another")
    with pytest.raises(BadInputError, match="holds something else"):
        into_folder(tmp_path / "b", target)
