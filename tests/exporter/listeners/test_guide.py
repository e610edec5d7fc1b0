"""What the guide to listeners shows can be used as it stands there, and it leaves out no listener, topic or reason."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from keywatch.listeners.known import KNOWN
from keywatch.listeners.profile import MalformedReason, Profile
from keywatch.service.config_file import parse

GUIDE = (Path(__file__).parents[3] / "docs" / "guides" / "listeners.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)


def test_the_guide_has_examples() -> None:
    assert len(EXAMPLES) == 4


@pytest.mark.parametrize("text", EXAMPLES)
def test_each_example_is_a_good_configuration(text: str) -> None:
    (sections,) = [cluster.events for cluster in parse(text, "guide").clusters]
    assert all(section.profile().user for section in sections)
    assert sections


@pytest.mark.parametrize("profile", KNOWN.values(), ids=KNOWN.keys())
def test_each_listener_stands_there_with_its_topics(profile: Profile) -> None:
    (row,) = [line for line in GUIDE.splitlines() if re.match(rf"\|[^|]*`{profile.name}`[^|]*\| `keycloak", line)]
    assert all(f"`{topic}`" in row for topic in (*profile.user, *profile.admin))


def test_each_reason_of_a_malformed_record_is_explained() -> None:
    table = GUIDE.partition("| `reason` of a malformed record |")[2]
    assert set(re.findall(r"`([a-z0-9_]+)`[^|]*\|", table.partition("\n\n")[0])) <= {*MalformedReason, "max_bytes"}
    assert all(f"`{reason}`" in table for reason in MalformedReason)
