"""Every command that a document gives runs as it stands there, or the document says that no test runs it, and why."""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Iterator
from typing import Final

import pytest

from keywatch.cli.command import main
from keywatch.metrics import catalogue
from tests.commands import kafka_tools, room
from tests.commands.documents import Command, commands, documents, is_command, marks
from tests.exporter.documents.tree import ROOT

_TEXTS: Final = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in documents()}
ALL: Final = [command for name, text in _TEXTS.items() for command in commands(name, text)]
FORMS: Final = frozenset({"FILE", "FILE…", "NAME", "…", "DIR"})
"""What stands for something: a command with one of these is shown as a form, whose flags are checked alone."""
RUN: Final = list(
    {one.text: one for one in ALL if not one.mark and not FORMS & set(one.text.replace(")", " ").split())}.values()
)
NOT_RUN: Final = {
    "kubectl": "no Kubernetes is there",
    "docker": "no container engine is there",
    "systemctl": "no systemd is there",
    "journalctl": "no systemd is there",
    "chronyc": "it is not installed there",
    "iostat": "it is not installed there",
    "py-spy": "it is not installed there",
    "cat /sys/fs/cgroup": "it is there in containers alone",
    "logstash": "Logstash itself cannot be had there",
    "kcadm.sh": "it changes a Keycloak",
    "kc.sh": "it changes a Keycloak",
    "bin/kc.sh": "it changes a Keycloak",
    "pip": "it fetches from a package index",
    "python3 -m venv": "it fetches from a package index",
    "python -m tests.": "CI runs it by a verb of make",
    "keywatch-dashboards --grafana": "no Grafana is there",
    "helm": "no Kubernetes is there",
    "deploy/compose/": "no container engine is there",
    "install -m": "it changes the machine",
    "systemd-sysusers": "it changes the machine",
    "systemd-tmpfiles": "it changes the machine",
    "/opt/keywatch/bin/pip": "it fetches from a package index",
    "keywatch listener": "no Keycloak is there",
}
"""The reasons that there are, by the beginning of the commands; `there` is where these tests run."""
EMPTY: Final = {
    "probe_failures_total.*reason=": "no probe failed for that reason",
    "keywatch_broker_other_cluster_info": "no other cluster answers",
}
"""What is looked for where something is wrong, and is not there where nothing is."""
_WRONG = re.compile(
    r"deprecated|unrecogni[sz]ed|unknown option|usage:|not found|no such file|traceback|is not a recognized|"
    r"invalid option|illegal option",
    re.IGNORECASE,
)
_EMPTY_WHERE_ALL_IS_WELL = re.compile(r"\s*\|\s*grep -v ' 0\$'$")
"""The last part of a pipeline that leaves nothing where nothing is wrong, as here."""


@pytest.fixture(scope="module")
def inside() -> Iterator[room.Room]:
    if reason := room.missing():
        if os.environ.get("KEYWATCH_REQUIRE") == "all":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    with room.Room(kafka_tools.fetch()) as made:
        yield made


@pytest.mark.kafka
@pytest.mark.timeout(600)
@pytest.mark.parametrize("command", RUN, ids=str)
def test_a_command_runs_as_it_stands_there(command: Command, inside: room.Room) -> None:
    done = inside.run(_EMPTY_WHERE_ALL_IS_WELL.sub("", command.text))
    told = f"{command}\nexit {done['code']}\n{done['out'][-4000:]}\n{done['err'][-4000:]}"
    allowed = {0, 141} if "| head" in command.text else {0}
    # Letters lie there for the commands about them, until one of these takes them away; nothing else may be wrong.
    if command.text.startswith("keywatch check") and done["code"] == 1:
        wrong = [line for line in done["out"].partition("\ncluster kafka")[0].splitlines() if line.startswith("│")]
        assert wrong, told
        assert all("siem-sink" in line for line in wrong), told
        allowed = {1}
    if any(part in command.text for part in EMPTY):
        allowed = {1}
        assert done["out"] == done["err"] == "", told
    assert done["code"] in allowed, told
    assert not _WRONG.search(done["err"]), told
    assert done["out"].strip() != "null", told
    assert "exit 2" not in done["out"].splitlines()[-1:], told


def test_what_is_not_run_says_why_in_one_of_the_agreed_ways() -> None:
    told = {(mark.beginning, mark.reason) for name, text in _TEXTS.items() for mark in marks(name, text)}
    assert told <= set(NOT_RUN.items())


def test_each_reason_is_needed() -> None:
    told = [mark for name, text in _TEXTS.items() for mark in marks(name, text)]
    idle = [mark for mark in told if not any(one.document == mark.document and one.mark == mark.reason for one in ALL)]
    assert idle == []
    assert {mark.beginning for mark in told} == set(NOT_RUN)


def test_what_is_looked_for_in_vain_is_a_series_that_there_is() -> None:
    for part in EMPTY:
        assert any(part in one.text for one in RUN), part
        name = re.split(r"[.*]", part)[0]
        assert any(name in metric.name for metric in catalogue.METRICS), part


def test_forms_are_of_commands_that_there_are() -> None:
    forms = {one.text for one in ALL if not one.mark and FORMS & set(one.text.split())}
    assert forms
    for form in forms:
        words = [word for word in form.split() if not word.startswith("-") and word not in FORMS]
        assert words[0] == "keywatch", form
        helped = io.StringIO()
        with contextlib.redirect_stdout(helped), pytest.raises(SystemExit) as ended:
            main([*words[1:], "--help"])
        assert ended.value.code == 0, form
        for flag in re.findall(r" (--[a-z.-]+)", form):
            assert flag in helped.getvalue(), form


@pytest.mark.parametrize("command", [one for one in ALL if "kafka-" in one.text and ".sh" in one.text], ids=str)
def test_kafkas_tools_are_told_where_and_as_whom(command: Command) -> None:
    for part in re.split(r"[|\n]", command.text):
        if re.search(r"kafka-[a-z-]+\.sh", part):
            assert "--bootstrap-server " in part
            assert "--command-config admin.properties" in part


def test_no_document_tells_to_copy_a_folder_where_one_may_stand() -> None:
    assert [str(one) for one in ALL if re.search(r"\bcp -r\b", one.text)] == []


def test_a_page_whose_commands_need_something_says_where_it_is_explained() -> None:
    for name, text in _TEXTS.items():
        if name.startswith("alerts/runbooks/") and "admin.properties" in text and not name.endswith("README.md"):
            assert "(../../docs/guides/commands.md)" in text, name


def test_hundreds_of_commands_are_found() -> None:
    assert len(RUN) > 150
    assert {"curl", "keywatch", "kafka-topics.sh", "openssl", "jcmd", "make"} <= {one.program for one in RUN}


def test_commands_are_found_in_blocks_and_sentences() -> None:
    text = """\
Ask `curl -s localhost:1`, not `keywatch`, and `X=1 keywatch logs
lint a.conf`; `group is dead` is none.

```console
$ keywatch check
all is well
```

   ```sh
   # what it is
   a=$(pgrep x)
   ls "/proc/$a"
   ```

```sh
jq . \\
  a.json |
cat -n
kubectl get pods
```
<!-- not run: kubectl: no Kubernetes is there -->
"""
    found = list(commands("d.md", text))
    assert [(one.line, one.text, one.mark) for one in found] == [
        (5, "keywatch check", ""),
        (10, '# what it is\na=$(pgrep x)\nls "/proc/$a"', ""),
        (16, "jq . \\\na.json |\ncat -n", ""),
        (19, "kubectl get pods", "no Kubernetes is there"),
        (1, "curl -s localhost:1", ""),
        (1, "X=1 keywatch logs lint a.conf", ""),
    ]
    assert not is_command("keywatch")
    assert is_command("/usr/bin/kafka-topics.sh --list")
