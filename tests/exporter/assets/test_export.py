"""Files are written, renewed and removed by what stood there; what was changed stays, and nothing leaves the folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from keywatch.assets.export import LEDGER, ExportError, export

OLD = {"a.yml": b"a: 1", "sub/b.yml": b"b: 1", "gone.yml": b"gone: 1"}
NEW = {"a.yml": b"a: 2", "sub/b.yml": b"b: 1", "c.yml": b"c: 1"}
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def held(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != LEDGER]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def test_a_folder_is_made_and_a_second_time_nothing_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "rules"
    done = export(folder, OLD, "rules", force=False)
    assert sorted(done.written) == sorted(OLD)
    assert held(folder) == OLD
    again = export(folder, OLD, "rules", force=False)
    assert (again.written, again.same, again.kept, again.removed) == ([], 3, [], [])


def test_after_an_upgrade_there_is_what_is_shipped_and_not_what_was(tmp_path: Path) -> None:
    export(tmp_path, OLD, "", force=False)
    (tmp_path / "mine.yml").write_bytes(b"mine")
    done = export(tmp_path, NEW, "", force=False)
    assert (sorted(done.written), done.removed, done.same) == (["a.yml", "c.yml"], ["gone.yml"], 1)
    assert held(tmp_path) == {**NEW, "mine.yml": b"mine"}


@pytest.mark.parametrize("force", [False, True])
def test_what_somebody_changed_stays_unless_it_is_forced(tmp_path: Path, force: bool) -> None:
    export(tmp_path, OLD, "", force=False)
    (tmp_path / "a.yml").write_bytes(b"a: mine")
    (tmp_path / "gone.yml").write_bytes(b"gone: mine")
    for _ in range(2):
        done = export(tmp_path, NEW, "", force=force)
        assert sorted(done.kept) == ([] if force else ["a.yml", "gone.yml"])
        kept = {} if force else {"a.yml": b"a: mine", "gone.yml": b"gone: mine"}
        assert held(tmp_path) == {**NEW, **kept}


def test_a_file_of_somebody_elses_or_a_link_is_not_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "a.yml").write_bytes(b"theirs")
    outside = tmp_path / "outside.yml"
    outside.write_bytes(b"outside")
    (folder / "c.yml").symlink_to(outside)
    done = export(folder, NEW, "", force=False)
    assert sorted(done.kept) == ["a.yml", "c.yml"]
    assert (folder / "c.yml").is_symlink()
    export(folder, NEW, "", force=True)
    assert not (folder / "c.yml").is_symlink()
    assert outside.read_bytes() == b"outside"


def test_a_file_that_somebody_made_as_it_is_shipped_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_bytes(b"a: 1")
    assert export(tmp_path, OLD, "", force=False).same == 1


def test_a_folder_holds_one_choice(tmp_path: Path) -> None:
    export(tmp_path, OLD, "alerts/rules", force=False)
    with pytest.raises(ExportError, match="holds the folder alerts/rules, not the folder alerts/runbooks"):
        export(tmp_path, NEW, "alerts/runbooks", force=False)
    with pytest.raises(ExportError, match="not all folders"):
        export(tmp_path, NEW, "", force=True)
    assert held(tmp_path) == OLD


def test_what_a_ledger_names_outside_of_its_folder_is_left_alone(tmp_path: Path) -> None:
    folder, victim = tmp_path / "rules", tmp_path / "victim"
    export(folder, OLD, "", force=False)
    victim.write_bytes(b"")
    for force in (False, True):
        ledger = json.loads((folder / LEDGER).read_bytes())
        ledger["files"] |= {"../victim": EMPTY, str(victim): EMPTY, "": EMPTY, "sub/../../victim": EMPTY}
        (folder / LEDGER).write_text(json.dumps(ledger), encoding="utf-8")
        export(folder, NEW, "", force=force)
        assert victim.exists()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"folder": ""}', '{"folder": "", "files": 7}', "\x00"])
def test_a_ledger_of_nobodys_is_told(text: str, tmp_path: Path) -> None:
    (tmp_path / LEDGER).write_text(text, encoding="utf-8")
    with pytest.raises(ExportError, match="is none of keywatch's"):
        export(tmp_path, NEW, "", force=False)


def test_what_is_no_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ExportError, match="is no folder"):
        export(tmp_path / "file", NEW, "", force=False)
