"""The unit for systemd is hardened, is one that systemd takes, and starts keywatch with flags that it has."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.exporter.commands import keywatch
from tests.exporter.documents.tree import ROOT

FOLDER = ROOT / "deploy" / "systemd"
UNIT = FOLDER / "keywatch.service"
WORST = 2.0


def systemd(tool: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a tool of systemd that needs no running systemd; skip the test where there is none."""
    if shutil.which(tool) is None:
        reason = f"there is no {tool}"
        if os.environ.get("KEYWATCH_REQUIRE") == "all":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return subprocess.run([tool, *arguments], capture_output=True, text=True, check=False, timeout=60)


def exposure(unit: Path) -> float:
    """Return how exposed a service is, by systemd's own reckoning."""
    done = systemd("systemd-analyze", "security", "--offline=true", str(unit))
    found = re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    return float(found[1])


def test_it_is_exposed_as_little_as_can_be() -> None:
    assert exposure(UNIT) <= WORST


def test_a_unit_that_is_not_hardened_would_be_noticed(tmp_path: Path) -> None:
    lines = UNIT.read_text(encoding="utf-8").splitlines()
    bare = tmp_path / "keywatch.service"
    kept = [
        line for line in lines if not line.startswith(("Protect", "Private", "Restrict", "SystemCall", "Capability"))
    ]
    bare.write_text("\n".join(kept), encoding="utf-8")
    assert exposure(bare) > WORST


def test_systemd_takes_it(tmp_path: Path) -> None:
    text = UNIT.read_text(encoding="utf-8").replace("/opt/keywatch/bin/keywatch", "/bin/true")
    (tmp_path / "keywatch.service").write_text(text, encoding="utf-8")
    done = systemd("systemd-analyze", "verify", "--man=no", str(tmp_path / "keywatch.service"))
    told = [line for line in done.stderr.splitlines() if "keywatch.service" in line]
    assert told == []


def test_its_flags_are_keywatchs() -> None:
    (start,) = re.findall(r"^ExecStart=(.*)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    words = shlex.split(start)
    assert words[:2] == ["/opt/keywatch/bin/keywatch", "serve"]
    known = keywatch("serve", "--help").stdout
    assert all(word in known for word in words if word.startswith("--"))


@pytest.mark.skipif(os.geteuid() != 0, reason="users are made as root")
def test_the_user_and_the_folders_are_made(tmp_path: Path) -> None:
    (tmp_path / "etc" / "keywatch" / "secrets").mkdir(parents=True)
    (tmp_path / "etc" / "keywatch" / "keywatch.yml").write_text("clusters: []\n", encoding="utf-8")
    (tmp_path / "etc" / "keywatch" / "secrets" / "word").write_text("x", encoding="utf-8")
    done = systemd("systemd-sysusers", f"--root={tmp_path}", str(FOLDER / "sysusers.conf"))
    assert done.returncode == 0, done.stderr
    passwd = (tmp_path / "etc" / "passwd").read_text(encoding="utf-8")
    user = re.search(r"^keywatch:x:(\d+):(\d+):[^:]*:/nonexistent:/usr/sbin/nologin$", passwd, re.MULTILINE)
    assert user, passwd
    done = systemd("systemd-tmpfiles", f"--root={tmp_path}", "--create", str(FOLDER / "tmpfiles.conf"))
    assert done.returncode == 0, done.stderr
    modes = {name: (tmp_path / "etc" / "keywatch" / name).stat() for name in (".", "keywatch.yml", "secrets/word")}
    assert {name: oct(found.st_mode & 0o777) for name, found in modes.items()} == {
        ".": "0o750",
        "keywatch.yml": "0o640",
        "secrets/word": "0o440",
    }
    assert {(found.st_uid, found.st_gid) for found in modes.values()} == {(0, int(user[2]))}
