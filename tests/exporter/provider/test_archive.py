"""Zip files are read within bounds: whatever stands in one is told in a sentence, and nothing is unpacked blindly."""

from __future__ import annotations

import os
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keywatch.cli.command import main
from keywatch.provider.archive import Archive, ArchiveError
from tests.exporter.provider.class_maker import listener


def jar(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def refusal(path: Path) -> str:
    """Return why a file is refused, when it is opened or when all of it is read."""
    with pytest.raises(ArchiveError) as refused:
        read_all(path)
    return str(refused.value)


def read_all(path: Path) -> None:
    with Archive(path) as archive:
        for name in archive.entries:
            archive.read(name)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    files = {"a": b"", "b/c": b"x" * 100_000, "d": os.urandom(1000)}
    with Archive(jar(tmp_path / "a.jar", files)) as archive:
        assert {name: archive.read(name) for name in archive.entries} == files


def test_what_is_written_behind_other_bytes_or_with_a_comment_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jar"
    with zipfile.ZipFile(path, "w") as archive:
        archive.comment = b"PK\x05\x06 is no end"[4:] * 100
        archive.writestr("a", b"b")
    with Archive(path) as found:
        assert found.read("a") == b"b"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is no zip file, or only the beginning of one"),
        (b"hello" * 1000, "is no zip file, or only the beginning of one"),
        (b"PK\x03\x04" + bytes(1000), "is no zip file, or only the beginning of one"),
        (b"PK\x05\x06" + struct.pack("<4H2LH", 0, 0, 10, 10, 1000, 0, 0), "its directory stands beyond its end"),
        (b"PK\x05\x06" + struct.pack("<4H2LH", 0, 0, 1, 1, 0, 0, 0), "its directory is cut"),
        (b"PK\x05\x06" + struct.pack("<4H2LH", 3, 3, 1, 1, 0, 0, 0), "is one of several parts"),
    ],
)
def test_what_is_no_zip_file(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "a.jar"
    path.write_bytes(content)
    assert words in refusal(path)


def test_the_first_half_of_a_jar(tmp_path: Path) -> None:
    path = jar(tmp_path / "a.jar", {"a": os.urandom(10_000), "b": b"c"})
    path.write_bytes(path.read_bytes()[:5_000])
    assert "only the beginning of one" in refusal(path)


def test_a_hundred_thousand_entries(tmp_path: Path) -> None:
    path = jar(tmp_path / "a.jar", dict.fromkeys(map(str, range(100_000)), b""))
    assert refusal(path) == "has 100,000 entries; 65,000 are read at most"


def test_an_entry_that_unpacks_to_too_much(tmp_path: Path) -> None:
    path = jar(tmp_path / "a.jar", {"zeros": bytes(65 * 1024 * 1024)})
    assert refusal(path) == "zeros: unpacks to 68,157,440 bytes; 67,108,864 are allowed"


def test_entries_that_together_unpack_to_too_much(tmp_path: Path) -> None:
    path = tmp_path / "a.jar"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for index in range(18):
            archive.writestr(str(index), bytes(60 * 1024 * 1024))
    assert refusal(path) == "unpacks to 1,132,462,080 bytes; 1,073,741,824 are allowed"


def test_entries_that_share_bytes(tmp_path: Path) -> None:
    """A bomb of the kind that David Fifield described in 2019: many names for the same packed bytes."""
    path = jar(tmp_path / "a.jar", {"a": os.urandom(50_000)})
    data = path.read_bytes()
    begins = data.index(b"PK\x01\x02")
    end = data.index(b"PK\x05\x06")
    rows = data[begins:end] * 40
    count = struct.pack("<2H", 40, 40)
    path.write_bytes(
        data[:begins] + rows + data[end : end + 8] + count + struct.pack("<2L", len(rows), begins) + bytes(2)
    )
    assert refusal(path).startswith("is a zip bomb: its entries share bytes")


def test_an_entry_that_says_less_than_it_holds(tmp_path: Path) -> None:
    path = jar(tmp_path / "a.jar", {"a": bytes(1_000_000)})
    data = bytearray(path.read_bytes())
    row = data.index(b"PK\x01\x02")
    struct.pack_into("<L", data, row + 24, 10)
    path.write_bytes(data)
    assert "is damaged" in refusal(path)


def test_a_changed_byte_is_noticed(tmp_path: Path) -> None:
    path = jar(tmp_path / "a.jar", {"a": os.urandom(1000)})
    data = bytearray(path.read_bytes())
    data[100] ^= 0xFF
    path.write_bytes(data)
    assert "a: is damaged" in refusal(path)


def test_an_encrypted_entry_and_an_odd_method(tmp_path: Path) -> None:
    path = jar(tmp_path / "a.jar", {"a": b"b" * 100})
    for offset, value, words in ((8, 1, "a: is encrypted"), (10, 12, "a: is packed by method 12")):
        data = bytearray(path.read_bytes())
        struct.pack_into("<H", data, data.index(b"PK\x01\x02") + offset, value)
        odd = tmp_path / "odd.jar"
        odd.write_bytes(data)
        assert words in refusal(odd)


@pytest.mark.parametrize("kind", ["folder", "pipe", "missing"])
def test_what_is_no_file_is_told_and_waited_for_by_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    path = tmp_path / "a.jar"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    assert main(["listener", "check", str(path)]) == 2
    assert capsys.readouterr().err.startswith(f"{path}: ")


def test_names_that_a_terminal_would_obey_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = listener(tmp_path / "a.jar", says="\x1b[31mred")
    main(["listener", "check", str(path)])
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert r"\x1b[31mred" in out


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_damage_ends_in_anything_but_a_sentence(tmp_path: Path, data: st.DataObject) -> None:
    path = listener(tmp_path / "a.jar", note="x" * 200)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    assert main(["listener", "check", str(path), "--java", "17"]) in {0, 1, 2}
