"""Settings are compared with what is demanded: at least, where more is safer, or just so."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from keywatch.config.cluster import ExpectSection
from keywatch.probes.cluster.expected import compare
from keywatch.service.expectations import expectation

ALL = ExpectSection(
    topics="t",
    replication_factor=3,
    min_insync_replicas=2,
    retention=3600,
    max_message_bytes=1000,
    cleanup_policy=("delete", "compact"),
    unclean_leader_election=False,
)
GOOD = {
    "replication.factor": "3",
    "min.insync.replicas": "2",
    "retention.ms": "3600000",
    "max.message.bytes": "1000",
    "cleanup.policy": "compact,delete",
    "unclean.leader.election.enable": "false",
}


def wrong(section: ExpectSection, found: Mapping[str, str]) -> list[str]:
    return [words for _, words in compare(expectation(section), found) if words]


def test_what_is_as_demanded_or_more_is_well() -> None:
    assert {setting for setting, _ in compare(expectation(ALL), GOOD)} == GOOD.keys()
    assert wrong(ALL, GOOD) == []
    more = {"replication.factor": "5", "retention.ms": "-1", "max.message.bytes": "1001", "min.insync.replicas": "3"}
    assert wrong(ALL, {**GOOD, **more}) == []


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("replication.factor", "2", "replication.factor is 2, expected at least 3"),
        ("min.insync.replicas", "1", "min.insync.replicas is 1, expected at least 2"),
        ("retention.ms", "3599999", "retention.ms is 3599999, expected at least 3600000"),
        ("max.message.bytes", "0", "max.message.bytes is 0, expected at least 1000"),
        ("cleanup.policy", "delete", "cleanup.policy is delete, expected compact,delete"),
        ("cleanup.policy", "x" * 99, f"cleanup.policy is {'x' * 40}, expected compact,delete"),
        ("unclean.leader.election.enable", "true", "unclean.leader.election.enable is true, expected false"),
    ],
)
def test_less_or_another_is_told_with_both(setting: str, value: str, words: str) -> None:
    assert wrong(ALL, {**GOOD, setting: value}) == [words]


def test_what_is_not_told_or_not_demanded_is_left_out() -> None:
    assert list(compare(expectation(ALL), {"min.insync.replicas": "²", "retention.ms": "9" * 400})) == []
    some = ExpectSection(min_insync_replicas=2)
    assert [setting for setting, _ in compare(expectation(some), GOOD)] == ["min.insync.replicas"]


def test_an_entry_that_demands_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing is expected"):
        ExpectSection(topics="t", severity="critical")
    with pytest.raises(ValueError, match="nothing is expected"):
        ExpectSection(topics="t", retention=None)
