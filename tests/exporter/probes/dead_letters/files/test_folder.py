"""A folder of dead letters on a real file system: what lies there, comes and goes, and each way to be unreadable."""

from __future__ import annotations

import os
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from keywatch.probes.dead_letters.files import checks
from keywatch.probes.dead_letters.files.file import FileFinding, Flaw
from keywatch.probes.dead_letters.letter import DeadLetterReason as Reason
from tests.exporter.fakes.dead_letter_folder import FIRST_MILLIS, Bed, NoEvents, envelope, name

Make = Callable[..., Bed]
SETTLED = int(checks.SETTLED / 0.5) + 2


@pytest.fixture
def make() -> Iterator[Make]:
    """Return what makes beds, and let go of them in the end."""
    with ExitStack() as stack:

        def made(path: Path, **options: Any) -> Bed:
            bed = Bed(path, **options)
            stack.callback(bed.folder.close)
            return bed

        yield made


@pytest.fixture
def bed(make: Make, tmp_path: Path) -> Bed:
    return make(tmp_path)


@pytest.fixture
def public() -> Iterator[Path]:
    """Return a folder that everybody may reach; those of pytest are its user's alone."""
    with tempfile.TemporaryDirectory(prefix="keywatch-dlq-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Be a user whom permissions hold; root may read everything."""
    me = os.geteuid()
    if me == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(me)


def test_what_was_there_is_depth_and_not_growth_and_what_comes_is_both(bed: Bed) -> None:
    for number in range(3):
        bed.write(number)
    (bed.path / "notes.txt").write_text("not one of them", encoding="utf-8")
    look = bed.look()
    assert (look.exists, look.files, look.flaws) == (True, 3, {})
    assert look.span == (FIRST_MILLIS / 1000, FIRST_MILLIS / 1000 + 2)
    assert not bed.added
    bed.write(5)
    bed.write(4, envelope("org.apache.kafka.common.errors.TimeoutException"))
    look = bed.look()
    assert (look.files, look.span) == (5, (FIRST_MILLIS / 1000, FIRST_MILLIS / 1000 + 5))
    assert bed.added == {Reason.CIRCUIT_OPEN: 1, Reason.TIMEOUT: 1}
    bed.looks(3)
    assert bed.added.total() == 2, "nothing is counted twice"


def test_files_that_are_taken_away_make_it_shallower_and_younger(bed: Bed) -> None:
    paths = [bed.write(number) for number in range(4)]
    bed.look()
    paths[0].unlink()
    paths[3].rename(bed.path / "parked.json")
    look = bed.look()
    assert (look.files, look.span) == (2, (FIRST_MILLIS / 1000 + 1, FIRST_MILLIS / 1000 + 2))
    for path in paths[1:3]:
        path.unlink()
    look = bed.look()
    assert (look.files, look.span) == (0, None)
    assert not bed.added


def test_a_file_that_is_renamed_into_place_is_one(bed: Bed) -> None:
    bed.look()
    temporary = bed.path / "dlq.tmp"
    temporary.write_text(envelope(), encoding="utf-8")
    temporary.rename(bed.path / name(1))
    assert bed.look().files == 1
    assert bed.added == {Reason.CIRCUIT_OPEN: 1}


def test_a_partial_file_is_tried_again_and_counts_with_its_reason(bed: Bed) -> None:
    bed.look()
    whole = envelope()
    bed.write(1, whole[:40])
    look = bed.look()
    assert (look.files, look.flaws) == (1, {})
    assert not bed.added, "its reason is waited for"
    bed.write(1, whole)
    assert bed.look().flaws == {}
    assert bed.added == {Reason.CIRCUIT_OPEN: 1}


def test_a_file_that_stays_partial_is_counted_soon_and_unreadable_once_it_does_not_change(bed: Bed) -> None:
    bed.look()
    whole = envelope()
    for size in range(10, 20):
        bed.write(1, whole[:size])
        assert bed.look().flaws == {}, "it grows"
    assert bed.added == {Reason.UNREAD: 1}
    assert bed.looks(SETTLED).flaws == {Flaw.MALFORMED: 1}
    bed.write(1, whole)
    assert bed.looks(2).flaws == {}
    assert bed.added == {Reason.UNREAD: 1}, "it was counted before"


@pytest.mark.parametrize(
    "content",
    [b"", b"\x00" * 100, b"\xff\xfe{}", b'{"a":' * 50_000, b'{"a": ' + b"9" * 5000 + b"}", envelope().encode()[:-1]],
    ids=["empty", "zeros", "not UTF-8", "nested", "long number", "cut"],
)
def test_a_file_from_before_that_cannot_be_parsed_is_malformed(content: bytes, bed: Bed) -> None:
    bed.write(1, content)
    bed.write(2)
    look = bed.looks(SETTLED)
    assert (look.files, look.flaws) == (2, {Flaw.MALFORMED: 1})
    assert look.example == repr(name(1))
    assert not bed.added


def test_a_huge_file_is_not_read_and_named(make: Make, tmp_path: Path) -> None:
    bed = make(tmp_path, most_read=1000)
    bed.look()
    with bed.write(1).open("ab") as file:
        file.truncate(1 << 40)  # a terabyte that takes no room
    look = bed.look()
    assert (look.files, look.flaws) == (1, {Flaw.TOO_LARGE: 1})
    assert bed.added == {Reason.UNREAD: 1}
    bed.write(1)
    assert bed.look().flaws == {}


def test_a_file_without_permission_is_named_and_read_once_it_may_be(make: Make, public: Path) -> None:
    bed = make(public)
    bed.look()
    path = bed.write(1)
    path.chmod(0o000)
    with as_nobody():
        look = bed.look()
        assert (look.files, look.flaws) == (1, {Flaw.DENIED: 1})
        assert bed.added == {Reason.UNREAD: 1}
    path.chmod(0o644)
    with as_nobody():
        assert bed.look().flaws == {}


def test_a_symlink_is_not_followed_wherever_it_leads(bed: Bed, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "secret.json"
    outside.write_text(envelope(), encoding="utf-8")
    (bed.path / name(1)).symlink_to(outside)
    (bed.path / name(2)).symlink_to(bed.path / name(2))
    assert bed.look().flaws == {Flaw.SYMLINK: 2}
    (bed.path / name(3)).symlink_to(outside)
    look = bed.look()
    assert (look.files, look.flaws) == (0, {Flaw.SYMLINK: 3})
    assert not bed.added
    (bed.path / name(3)).unlink()
    bed.write(3)
    look = bed.look()
    assert (look.files, look.flaws) == (1, {Flaw.SYMLINK: 2})
    assert bed.added == {Reason.CIRCUIT_OPEN: 1}


@pytest.mark.parametrize("before", [True, False], ids=["there before", "comes later"])
def test_what_is_no_file_is_never_opened(bed: Bed, before: bool) -> None:
    if not before:
        bed.look()
    os.mkfifo(bed.path / name(1))
    (bed.path / name(2)).mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        folder = os.open(bed.path, os.O_PATH)
        server.bind(f"/proc/self/fd/{folder}/{name(3)}")  # the path itself may be longer than a socket's may be
        os.close(folder)
        made = 3
        with suppress(PermissionError):  # a container may not make devices
            os.mknod(bed.path / name(4), 0o600 | 0o020000, os.makedev(1, 5))
            made = 4
        look = bed.look()
    assert (look.files, look.flaws) == (0, {Flaw.SPECIAL: made})
    assert not bed.added
    # Somebody who writes to the pipe would go on if it had been opened.
    with pytest.raises(OSError, match="No such device or address"):
        os.open(bed.path / name(1), os.O_WRONLY | os.O_NONBLOCK)


def test_what_takes_a_files_place_between_the_look_and_the_opening_is_not_followed(
    bed: Bed, monkeypatch: pytest.MonkeyPatch
) -> None:
    bed.look()
    outside = bed.path / "outside"
    outside.write_text(envelope(), encoding="utf-8")
    path = bed.write(1)
    truth = os.stat

    def swap(*arguments: object, **options: object) -> os.stat_result:
        found: os.stat_result = truth(*arguments, **options)  # type: ignore[arg-type] # as they came
        if arguments[0] == path.name and not path.is_symlink():
            path.unlink()
            path.symlink_to(outside)
        return found

    monkeypatch.setattr(os, "stat", swap)
    look = bed.look()
    assert (look.files, look.flaws) == (0, {Flaw.SYMLINK: 1})


def test_a_file_that_vanishes_while_it_is_read_was_a_dead_letter_all_the_same(
    bed: Bed, monkeypatch: pytest.MonkeyPatch
) -> None:
    bed.look()
    path = bed.write(1)
    truth = os.open

    def vanish(name: object, flags: int, **options: int) -> int:
        if name == path.name:
            path.unlink()
        return truth(name, flags, **options)  # type: ignore[arg-type] # as it came

    monkeypatch.setattr(os, "open", vanish)
    look = bed.look()
    assert (look.files, look.flaws) == (0, {})
    assert bed.added == {Reason.UNREAD: 1}


def test_a_file_that_came_and_went_between_two_looks_is_counted_once(bed: Bed) -> None:
    bed.look()
    bed.write(1).unlink()
    assert bed.look().files == 0
    bed.looks(2)
    assert bed.added == {Reason.UNREAD: 1}


def test_an_input_error_is_named_and_forgiven(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    bed.look()
    bed.write(1)
    with monkeypatch.context() as patch:
        patch.setattr(os, "read", lambda *_: (_ for _ in ()).throw(OSError(5, "Input/output error")))
        look = bed.look()
    assert (look.files, look.flaws) == (1, {Flaw.IO: 1})
    assert bed.look().flaws == {}
    assert bed.added == {Reason.UNREAD: 1}


def test_names_that_are_not_utf8_are_counted_and_shown_escaped(make: Make, tmp_path: Path) -> None:
    bed = make(tmp_path, pattern=r"(?s)dead-.*")
    odd = os.fsencode(tmp_path) + b"/dead-\xff\xfe\n"
    with open(odd, "wb") as file:  # noqa: PTH123 - a path of bytes
        file.write(b"{")
    os.utime(odd, (1_700_000_000, 1_700_000_000))
    look = bed.looks(SETTLED)
    assert (look.files, look.flaws) == (1, {Flaw.MALFORMED: 1})
    assert look.example == r"'dead-\udcff\udcfe\n'"
    assert look.span == (1_700_000_000, 1_700_000_000), "without a time in the name its modification counts"


@pytest.mark.parametrize("millis", ["0", "99999999999999999999", "1" * 15], ids=["zero", "20 digits", "far away"])
def test_a_time_in_a_name_that_cannot_be_gives_way_to_the_modification(bed: Bed, millis: str) -> None:
    path = bed.path / f"dlq-{millis}-1.json"
    path.write_text(envelope(), encoding="utf-8")
    os.utime(path, (1_700_000_000, 1_700_000_000))
    assert bed.look().span == (1_700_000_000, 1_700_000_000)


def test_a_missing_folder_is_an_answer_and_all_that_comes_with_it_is_new(make: Make, tmp_path: Path) -> None:
    bed = make(tmp_path / "dlq")
    assert not bed.look().exists
    bed.path.mkdir()
    bed.write(1)
    look = bed.look()
    assert (look.exists, look.files) == (True, 1)
    assert bed.added == {Reason.CIRCUIT_OPEN: 1}


def test_a_folder_that_is_taken_away_and_made_again_does_not_make_the_counter_jump(bed: Bed) -> None:
    paths = [bed.write(number) for number in range(20)]
    bed.look()
    for path in paths:
        path.unlink()
    bed.path.rmdir()
    assert not bed.look().exists
    bed.path.mkdir()
    bed.write(30)
    assert bed.look().files == 1
    assert bed.added == {Reason.CIRCUIT_OPEN: 1}


def test_another_folder_in_its_place_is_compared_by_names(bed: Bed) -> None:
    for number in range(5):
        bed.write(number)
    bed.look()
    aside = bed.path.rename(bed.path.with_name("aside"))
    bed.path.mkdir()
    for number in (3, 4, 5):
        bed.write(number)
    look = bed.look()
    assert look.files == 3
    assert bed.added == {Reason.CIRCUIT_OPEN: 1}
    (aside / name(9)).write_text(envelope(), encoding="utf-8")
    bed.write(6)
    assert bed.look().files == 4
    assert bed.added == {Reason.CIRCUIT_OPEN: 2}, "the new folder is watched, the old one is not"


def test_a_folder_that_may_not_be_read_is_an_error_and_what_was_there_stays_old(make: Make, public: Path) -> None:
    bed = make(public)
    bed.write(1)
    public.chmod(0o000)
    with as_nobody(), pytest.raises(PermissionError):
        bed.look()
    public.chmod(0o755)
    with as_nobody():
        assert bed.look().files == 1
    assert not bed.added


def test_a_file_in_the_folders_place_is_an_error(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "dlq"
    path.write_text("", encoding="utf-8")
    with pytest.raises(NotADirectoryError):
        make(path).look()


def test_a_thousand_files_at_once_are_each_counted_once(bed: Bed) -> None:
    bed.look()
    for number in range(1000):
        bed.write(number)
    assert bed.looks(4).files == 1000
    assert bed.added.total() == 1000


def test_when_events_are_lost_the_folder_is_listed(bed: Bed) -> None:
    most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text(encoding="utf-8"))
    bed.look()
    scratch = bed.path / "scratch"
    for _ in range(most // 2 + 10):  # a file that is written and one that goes: the kernel joins what is the same
        scratch.touch()
        scratch.unlink()
    bed.write(1)
    before = bed.folder.listing.listings
    assert bed.look(60.0).files == 1
    assert bed.folder.listing.listings == before + 1
    bed.write(2)
    assert bed.look().files == 2
    assert bed.folder.listing.listings == before + 1, "events serve again"


def test_where_the_kernel_gives_no_watch_the_folder_is_listed_when_it_changes(make: Make, tmp_path: Path) -> None:
    bed = make(tmp_path, changes=NoEvents(watchable=False))
    bed.look()
    bed.write(1)
    assert bed.look(5.0).files == 1
    (tmp_path / name(1)).unlink()
    assert bed.look(5.0).files == 0
    assert bed.added == {Reason.CIRCUIT_OPEN: 1}


def test_where_events_never_come_that_is_found_out(make: Make, tmp_path: Path) -> None:
    bed = make(tmp_path, changes=NoEvents(watchable=True))
    bed.look()
    for number in range(4):
        bed.write(number)
        if bed.look(5.0).files != number + 1:
            assert not bed.folder.listing.polling
            assert bed.look().files == number + 1, "a change without an event has until the next look"
    assert bed.folder.listing.polling
    assert bed.added.total() == 4


def test_a_quiet_folder_is_not_listed_again_but_for_once_a_minute(bed: Bed) -> None:
    bed.write(1)
    bed.look()
    for number in range(2, 102):
        bed.write(number)
        bed.look()
    assert bed.folder.listing.listings == 1
    bed.look(61.0)
    bed.look()
    assert bed.folder.listing.listings == 2
    assert bed.added.total() == 100


def test_too_many_files_are_counted_and_not_known(make: Make, tmp_path: Path) -> None:
    bed = make(tmp_path, most_files=10)
    for number in range(8):
        bed.write(number)
    bed.look()
    for number in range(8, 15):
        bed.write(number)
    look = bed.look()  # still known by name, because events came one by one
    assert look.files == 15
    look = bed.look(61.0)
    assert (look.files, look.crowded, look.span) == (15, True, None)
    assert len(bed.folder.listing.files) == 0
    bed.write(15)
    assert bed.look(10.0).files == 16
    assert bed.added.total() == 8
    for number in range(10):
        (tmp_path / name(number)).unlink()
    look = bed.look(10.0)
    assert (look.files, look.crowded, look.span) == (6, False, (FIRST_MILLIS / 1000 + 10, FIRST_MILLIS / 1000 + 15))
    bed.write(20)
    assert bed.look().files == 7
    assert bed.added.total() == 9


def test_files_from_before_are_looked_into_little_by_little(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(50):
        bed.write(number)
    slow = threading.Event()
    truth = bed.folder.checks._examine

    def slowly(folder: int, name: str) -> FileFinding:
        slow.wait(0.005)
        return truth(folder, name)

    monkeypatch.setattr(bed.folder.checks, "_examine", slowly)
    bed.look()
    assert 40 < len(bed.folder.checks._unchecked) < 50
    bed.looks(40)
    assert not bed.folder.checks._unchecked
