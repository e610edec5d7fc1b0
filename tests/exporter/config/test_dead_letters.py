"""Dead-letter queues are configured as topics or folders, the folders beside the file that names them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from keywatch.config.dead_letters import DlqSection
from keywatch.config.model import Config
from keywatch.probes.dead_letters.letter import DeadLetterReason, Sources
from keywatch.service.config_file import parse


def queues(config: Config) -> tuple[DlqSection, ...]:
    return config.clusters[0].dlq


def test_topics_named_in_full_are_told_from_patterns() -> None:
    (queue,) = queues(parse("clusters: [{bootstrap: ['k:1'], dlq: [{name: a, topics: [a.b-dlq, '.*-dlt', c]}]}]", ""))
    assert queue.named_topics == ("a.b-dlq", "c")


@pytest.mark.parametrize(
    ("name", "millis"),
    [
        ("dlq-1767000000789-123456789012345.json", "1767000000789"),
        ("dlq-1767000000789--123456789012345.json", "1767000000789"),  # nanoTime may be negative
        ("dlq-1767000000789.json", None),
        ("dlq-1767000000789-1.json.tmp", None),
        ("dlq-entry-1.json", None),
    ],
)
def test_the_listeners_files_are_known_by_their_names(name: str, millis: str | None) -> None:
    match = re.fullmatch(DlqSection(name="a", folder=Path("/dlq")).file_pattern, name)
    assert (match["millis"] if match else None) == millis


def test_ones_own_header_and_field_come_first() -> None:
    usual = ("kafka_dlt-exception-cause-fqcn", b"java.net.SocketException")
    own = ("why", b"JsonParseException")
    assert Sources().of_record([own, usual], None) is DeadLetterReason.NETWORK
    assert Sources("why").of_record([own, usual], None) is DeadLetterReason.SERIALIZATION
    value = b'{"failureReason": "timed out waiting", "error": {"class": "NullPointerException"}}'
    assert Sources().of_record([], value) is DeadLetterReason.TIMEOUT
    assert Sources(field="error.class").of_record([], value) is DeadLetterReason.DEFECT
