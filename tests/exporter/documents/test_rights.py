"""The rights that keywatch asks for are one list: messages, guides, runbooks and the pages of probes name no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from keywatch.documents import rights as document
from keywatch.documents.probes import ABOUT
from keywatch.kafka import rights
from tests.exporter.documents.tree import ROOT, files

_OPERATIONS = "Read|Write|Create|Delete|Alter|Describe|ClusterAction|DescribeConfigs|AlterConfigs|IdempotentWrite|All"
_NAMED = re.compile(rf"\b({_OPERATIONS})`? on `?(Topic|Group|Cluster):")
GUIDE = ROOT / "docs" / "guides" / "security.md"
_OTHERS = {("Read", "Group")}
"""Rights that documents name because somebody else has them."""


def test_the_guide_says_what_the_list_says() -> None:
    assert document.text() in GUIDE.read_text(encoding="utf-8")
    assert document.write(ROOT / "docs", check=True) == []


def test_a_guide_that_says_something_else_is_told(tmp_path: Path) -> None:
    guide = tmp_path / "guides" / "security.md"
    guide.parent.mkdir()
    wrong = GUIDE.read_text(encoding="utf-8").replace("operations: [Read, ", "operations: [")
    guide.write_text(wrong, encoding="utf-8")
    assert document.write(tmp_path, check=True) == [str(guide)]
    assert document.write(tmp_path, check=False) == [str(guide)]
    assert guide.read_text(encoding="utf-8") == GUIDE.read_text(encoding="utf-8")
    guide.write_text("# Without a place\n", encoding="utf-8")
    assert document.write(tmp_path, check=True) == [f"{guide}: has no place for the rights"]


def test_kafkas_commands_and_strimzis_form_give_the_same_rights() -> None:
    text = document.text()
    by_command = set()
    for line in re.findall(r"^kafka-acls.* User:keywatch .*$", text, re.MULTILINE):
        kind = "cluster" if line.endswith("--cluster") else re.findall(r"--(topic|group) ", line)[0]
        name = "" if kind == "cluster" else re.findall(r"'(.*)'$", line)[0]
        by_command |= {(operation, kind, name) for operation in re.findall(r"--operation (\w+)", line)}
    form = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)[0])
    by_form = {
        (operation, acl["resource"]["type"], acl["resource"].get("name", ""))
        for acl in form["spec"]["authorization"]["acls"]
        for operation in acl["operations"]
    }
    assert by_command == by_form
    given = {(one.operation, one.kind.lower()) for one in rights.LEAST}
    assert {(operation, kind) for operation, kind, _ in by_form} == given


@pytest.mark.parametrize("path", list(files("*.md", "*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_nobody_names_a_right_that_is_not_in_the_list(path: Path) -> None:
    if path.is_relative_to(ROOT / "tests"):
        return
    found = {(operation, kind) for operation, kind in _NAMED.findall(path.read_text(encoding="utf-8"))}
    assert found <= {(one.operation, one.kind) for one in rights.ALL} | _OTHERS


def test_messages_take_their_rights_from_the_list() -> None:
    for path in (ROOT / "exporter" / "keywatch").rglob("*.py"):
        if path.name != "rights.py":
            text = re.sub(r'""".*?"""', "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
            assert not re.search(rf"({_OPERATIONS}) on (Topic|Group|Cluster)", text), path


def test_every_right_is_on_the_page_of_a_probe() -> None:
    told = " ".join(str(right) for about in ABOUT.values() for right, _ in about.rights)
    for one in rights.ALL:
        assert str(one) in told, one


def test_words_for_one_resource() -> None:
    assert rights.READ_TOPICS.missing("events") == "Read on Topic:events is missing"
    assert rights.DESCRIBE_CLUSTER.of() == "Describe on Cluster:kafka-cluster"


def test_whoever_redrives_is_another_user_with_rights_of_its_own() -> None:
    lines = re.findall(r"^kafka-acls.* User:keywatch-dlq .*$", document.text(), re.MULTILINE)
    given = set()
    for line in lines:
        kind, name = re.findall(r"--(topic|group|transactional-id) '([^']*)'", line)[0]
        assert line.endswith("--resource-pattern-type prefixed") is name.endswith("-")
        given |= {(kind, name, operation) for operation in re.findall(r"--operation (\w+)", line)}
    kinds = {"Topic": "topic", "Group": "group", "TransactionalId": "transactional-id"}
    assert given == {(kinds[one.kind], one.given, one.operation) for one in rights.REDRIVE}
