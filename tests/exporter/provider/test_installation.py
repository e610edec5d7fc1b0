"""A jar is put into a Keycloak's folder and taken back, whatever fails or is killed; build and start are scripted."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import multiprocessing
import multiprocessing.process
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from keywatch.cli.command import main
from keywatch.provider.installation import Actions, Installation
from keywatch.provider.journal import FOLDER, ChangeError, Records
from tests.exporter.provider import scripted
from tests.exporter.provider.class_maker import keycloak, listener

SCRIPT = str(Path(scripted.__file__))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = keycloak(tmp_path / "keycloak")
    scripted.build(made)
    return made


def flags(home: Path) -> list[str]:
    build, start = (f"{sys.executable} {SCRIPT} {verb} {home}" for verb in ("build", "start"))
    return [str(home), "--build", build, "--restart", start]


def run(action: str, home: Path, *jar: Path) -> int:
    return main(["listener", action, *map(str, jar), *flags(home), *(["--java", "17"] if jar else [])])


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def state(home: Path) -> dict[str, str]:
    """Return the content of all files of a Keycloak but keywatch's own."""
    return {
        str(path.relative_to(home)): digest(path)
        for path in sorted(home.rglob("*"))
        if path.is_file() and FOLDER not in path.parts and path.name not in {"running", "built"}
    }


def audited(home: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in (home / FOLDER / "audit.jsonl").read_text().splitlines()]


def test_install_upgrade_and_both_back(tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = state(home)
    first, second = listener(tmp_path / "audit-1.jar", note="1"), listener(tmp_path / "audit-2.jar", note="2")
    assert run("install", home, first) == 0
    assert scripted.start(home) == {"audit-1.jar": digest(first)}
    installed = state(home)
    at = (home / "providers" / "audit-1.jar").stat().st_mtime_ns
    assert run("upgrade", home, second) == 0
    assert scripted.start(home) == {"audit-1.jar": digest(second)}, "an upgrade takes the old one's name"
    assert run("rollback", home) == 0
    assert state(home) == installed
    assert (home / "providers" / "audit-1.jar").stat().st_mtime_ns == at, "Keycloak compares the time too"
    scripted.start(home)
    assert run("rollback", home) == 2
    assert "there is nothing to go back to" in capsys.readouterr().err
    assert [(one["action"], one["result"]) for one in audited(home)] == [
        ("install", "done"),
        ("upgrade", "done"),
        ("rollback", "done"),
    ]
    assert set(before) < set(installed)


def test_the_first_install_is_taken_back_whole(tmp_path: Path, home: Path) -> None:
    before = state(home)
    assert run("install", home, listener(tmp_path / "audit.jar")) == 0
    assert run("rollback", home) == 0
    assert state(home) == before
    scripted.start(home)


def test_a_dry_run_changes_nothing(tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = state(home)
    jar = listener(tmp_path / "audit.jar")
    assert main(["listener", "install", str(jar), *flags(home), "--dry-run"]) == 0
    assert f"SHA-256 {digest(jar)}" in capsys.readouterr().out
    assert state(home) == before
    assert not (home / FOLDER).exists()


def test_a_build_that_fails_is_undone(tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("install", home, listener(tmp_path / "audit.jar")) == 0
    before = state(home)
    (home / "build-fails").touch()
    assert run("upgrade", home, listener(tmp_path / "new.jar", note="new")) == 1
    (home / "build-fails").unlink()
    assert state(home) == before
    scripted.start(home)
    err = capsys.readouterr().err
    assert "the build failed with exit code 3" in err
    assert "the build does not like it" in err
    assert audited(home)[-1]["result"].startswith("undone: the build failed")


def test_a_keycloak_that_does_not_start_is_undone_and_started_again(tmp_path: Path, home: Path) -> None:
    old = listener(tmp_path / "audit.jar")
    assert run("install", home, old) == 0
    before = state(home)
    (home / "running").unlink()
    assert run("upgrade", home, listener(tmp_path / "new.jar", more={"never-starts": b""})) == 1
    assert state(home) == before
    assert json.loads((home / "running").read_text()) == {"audit.jar": digest(old)}


def test_after_a_failed_upgrade_the_one_before_can_still_be_gone_back_to(tmp_path: Path, home: Path) -> None:
    first = listener(tmp_path / "audit.jar", note="1")
    assert run("install", home, first) == 0
    assert run("upgrade", home, listener(tmp_path / "2.jar", note="2")) == 0
    assert run("upgrade", home, listener(tmp_path / "3.jar", more={"never-starts": b""})) == 1
    assert run("rollback", home) == 0
    assert scripted.start(home) == {"audit.jar": digest(first)}


def test_what_would_break_is_not_installed(tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = state(home)
    jar = listener(tmp_path / "audit.jar", says="x", more={"META-INF/services/org.keycloak.x.Y": b"org.shop.Gone"})
    assert run("install", home, jar) == 1
    assert "is not installed" in capsys.readouterr().err
    assert state(home) == before


def test_install_is_for_the_first_and_upgrade_for_others(
    tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    jar = listener(tmp_path / "audit.jar")
    assert run("upgrade", home, jar) == 2
    assert run("install", home, jar) == 0
    assert run("install", home, jar) == 2
    odd = listener(tmp_path / "odd name.jar", says="other")
    assert run("install", home, odd) == 2
    assert run("install", tmp_path, jar) == 2
    err = capsys.readouterr().err
    for words in (
        "install it in place of upgrading",
        "upgrade in place of installing",
        "no name for a file",
        "no Keycloak",
    ):
        assert words in err


def test_what_somebody_else_changed_is_not_rolled_back(
    tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("install", home, listener(tmp_path / "audit.jar")) == 0
    other = listener(tmp_path / "other.jar", note="by hand").read_bytes()
    (home / "providers" / "audit.jar").write_bytes(other)
    assert run("rollback", home) == 2
    assert "is no longer what keywatch put there" in capsys.readouterr().err
    assert (home / "providers" / "audit.jar").read_bytes() == other


@contextlib.contextmanager
def mounted(folder: Path, options: str) -> Iterator[None]:
    """Have a small file system of its own at a folder; only root can."""
    mount = ["mount", "-t", "tmpfs", "-o", options, "none", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("only root can mount, where mounting is allowed")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_full_in_mid_copy(tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    jar = listener(tmp_path / "audit.jar", more={"big": os.urandom(300_000)})
    with mounted(home / "providers", "size=128k"):
        assert run("install", home, jar) == 2
        assert list((home / "providers").iterdir()) == []
    assert "there is no room; nothing was changed" in capsys.readouterr().err
    assert Records(home).under_way() is None


def test_providers_that_are_read_only(tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    jar = listener(tmp_path / "audit.jar")
    with mounted(home / "providers", "size=1m,ro"):
        assert run("install", home, jar) == 2
    assert "Read-only file system; nothing was changed" in capsys.readouterr().err
    assert Records(home).under_way() is None


def test_two_at_once(tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    jar = listener(tmp_path / "audit.jar")
    (home / FOLDER).mkdir()
    with (home / FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert main(["listener", "install", str(jar), *flags(home), "--within", "0.3"]) == 2
    assert "another keywatch changes its providers" in capsys.readouterr().err


def test_links_that_somebody_put_there_are_not_followed(tmp_path: Path, home: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"kept")
    (home / "providers" / ".audit.jar.keywatch-incoming").symlink_to(victim)
    (home / FOLDER).mkdir()
    (home / FOLDER / ".journal.json.new").symlink_to(victim)
    jar = listener(tmp_path / "audit.jar")
    assert run("install", home, jar) == 0
    assert victim.read_bytes() == b"kept"
    assert scripted.start(home) == {"audit.jar": digest(jar)}


@pytest.mark.parametrize("content", ["[]", "{", '{"action": "x"}', '{"a": 1}', "x" * 100_000])
def test_a_journal_that_is_none(home: Path, capsys: pytest.CaptureFixture[str], content: str) -> None:
    (home / FOLDER).mkdir()
    (home / FOLDER / "journal.json").write_text(content)
    assert run("rollback", home) == 1
    assert str(home / FOLDER / "journal.json") in capsys.readouterr().err


def test_a_journal_that_names_a_file_elsewhere(home: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim.jar"
    victim.write_bytes(b"kept")
    (home / FOLDER).mkdir()
    change = {"action": "install", "file": "../../victim.jar", "old": "", "new": "", "step": "swapping"}
    (home / FOLDER / "journal.json").write_text(json.dumps(change))
    assert run("rollback", home) == 1
    assert victim.read_bytes() == b"kept"


def recovered(home: Path) -> dict[str, str]:
    """Do what the next run does first, and start."""

    def start() -> None:
        scripted.start(home)

    records = Records(home)
    actions = Actions(lambda _: scripted.build(home), start, lambda: None, start, print)
    with records.locked(60) as lock:
        Installation(records, lock, actions).recover()
    return scripted.start(home)


AT = ("building", "restarting", "swapping", "ending", "keeping")


def until_step(home: Path, process: multiprocessing.process.BaseProcess, step: str) -> None:
    """Wait until a run has begun a step, or has ended."""
    while process.is_alive():
        with contextlib.suppress(ChangeError):
            if (change := Records(home).under_way()) is not None and change.step == step:
                return


@pytest.mark.timeout(1800)
def test_killed_at_any_moment_a_keycloak_starts_with_the_old_or_the_new_jar(tmp_path: Path, home: Path) -> None:
    """Kills, half at a step, half at any moment: the jar is whole, and after the next run Keycloak starts.

    `KEYWATCH_KILLS=50` takes minutes.
    """
    jars = [listener(tmp_path / f"{index}.jar", note=str(index) * 50_000) for index in range(2)]
    whole = {digest(jar) for jar in jars}
    assert run("install", home, jars[0]) == 0
    # A server that has loaded all of it forks each run, so that a kill falls into the run and not into its imports.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["keywatch.cli.listener_proof", "keywatch.provider.jar_check", scripted.__name__])
    chance = random.Random(23)  # noqa: S311 - moments, no secrets
    steps: set[str] = set()
    longest = 0.0
    for kill in range(1 + int(os.environ.get("KEYWATCH_KILLS", "10"))):  # the first is left alone
        (name,) = {path.name for path in (home / "providers").glob("*.jar")}
        jar = jars[1] if digest(home / "providers" / name) == digest(jars[0]) else jars[0]
        process = context.Process(target=scripted.keywatch, args=(["listener", "upgrade", str(jar), *flags(home)],))
        began = time.monotonic()
        process.start()
        if kill % 2:
            until_step(home, process, AT[kill // 2 % len(AT)])
        else:
            process.join(chance.uniform(0, longest) if longest else None)
        if not process.is_alive():
            longest = max(longest, time.monotonic() - began)  # how long one takes that is left alone
        process.kill()
        process.join()
        (found,) = scripted.digests(home).values()
        assert found in whole, kill
        if (left := Records(home).under_way()) is not None:
            steps.add(left.step)
        assert set(recovered(home).values()) <= whole
        assert [path.name for path in (home / "providers").iterdir()] == [name]
        assert Records(home).under_way() is None
    assert {"building", "restarting"} <= steps
