"""No system call that keywatch makes is refused by its unit's filter."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.kafka.certificates import CertificateAuthority
from tests.kafka.ports import PortReservation
from tests.kafka.waiting import wait_until
from tests.systemd.test_unit import UNIT, systemd


def members(group: str) -> set[str]:
    """Return the calls of a group, those of the groups in it included."""
    done = systemd("systemd-analyze", "syscall-filter", group)
    names = {line.strip() for line in done.stdout.splitlines()[1:] if line.strip() and "#" not in line}
    return {call for name in names for call in (members(name) if name.startswith("@") else {name})}


def allowed() -> set[str]:
    """Return the calls that the unit allows."""
    found: set[str] = set()
    for line in re.findall(r"^SystemCallFilter=(.*)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE):
        for group in line.removeprefix("~").split():
            found = found - members(group) if line.startswith("~") else found | members(group)
    return found


def test_every_call_is_allowed(tmp_path: Path) -> None:
    if shutil.which("strace") is None:
        reason = "there is no strace"
        if os.environ.get("KEYWATCH_REQUIRE") == "all":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    authority = CertificateAuthority(tmp_path / "authority").server("server", ["localhost"])
    (tmp_path / "letters").mkdir()
    (tmp_path / "secret").write_text("word", encoding="utf-8")
    with PortReservation() as ports:
        port = ports.take("127.0.0.1")
        (tmp_path / "keywatch.yml").write_text(
            f"""
web: {{listen_address: "127.0.0.1:{port}"}}
clusters:
  - bootstrap: ["localhost:1"]
    tls: {{ca_file: {authority.certificate}}}
    sasl: {{mechanism: PLAIN, username: u, password_file: secret}}
    keycloaks: [{{name: k, url: "https://localhost:1", tls: {{ca_file: {authority.certificate}}}}}]
    dlq: [{{name: letters, folder: letters}}]
""",
            encoding="utf-8",
        )
        calls = tmp_path / "calls"
        serve = [sys.executable, "-m", "keywatch", "serve", "--config.file", str(tmp_path / "keywatch.yml")]
        traced = ["strace", "-f", "-qq", "-c", "-S", "name", "-o", str(calls), *serve, "--config.watch"]
        with subprocess.Popen(traced, stderr=subprocess.DEVNULL) as process:
            address = f"http://127.0.0.1:{port}/"

            def answers(path: str) -> bool:
                try:
                    with urllib.request.urlopen(f"{address}{path}", timeout=5) as answer:  # noqa: S310 - the loopback
                        return bool(answer.status == 200)
                except OSError:
                    return False

            try:
                wait_until(lambda: answers("-/ready"), 60, "every probe has run")
                subprocess.run(["pkill", "-HUP", "-P", str(process.pid)], check=True)
                wait_until(lambda: answers("metrics"), 20, "a scrape")
            finally:
                subprocess.run(["pkill", "-TERM", "-P", str(process.pid)], check=False)
                process.send_signal(signal.SIGCONT)
                process.wait(60)
    made = {line.split()[-1] for line in calls.read_text(encoding="utf-8").splitlines()[2:] if line[:1] == " "}
    made -= {"total"}
    assert {"read", "connect", "inotify_add_watch", "memfd_create"} <= made, made
    assert made - allowed() == set()
