"""Which dead letters are worked at: the topics or the folder of a queue, as configured or as flags say."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from confluent_kafka import KafkaException

from keywatch.bounds import READ_TOPICS
from keywatch.config.dead_letters import DlqSection
from keywatch.kafka.client import Clients
from keywatch.probes.dead_letters.letter import Sources
from keywatch.redrive.errors import BadInputError, RedriveError, words_of
from keywatch.redrive.folder_letters import FolderLetters

_PARKED: Final = ".parked"
_LONGEST = 249


@dataclass(frozen=True, slots=True)
class Queue:
    """A dead-letter queue: either topics, which exist, or a folder."""

    name: str
    topics: tuple[str, ...]
    folder: FolderLetters | None
    sources: Sources
    destination: str = ""
    parked: str = ""

    def parked_topic(self, topic: str) -> str:
        """Return the topic that letters of one of its topics are parked in."""
        return self.parked or f"{topic[: _LONGEST - len(_PARKED)]}{_PARKED}"


def queue_of(section: DlqSection, clients: Clients, timeout: float) -> Queue:
    """Find the topics that are meant, or the folder; raises `RedriveError`."""
    sources = Sources(section.reason_header, section.reason_field)
    destination, parked = section.destination or "", section.parked or ""
    if section.folder is not None:
        folder = FolderLetters(section.name, Path(os.path.abspath(section.folder)), section.file_pattern)  # noqa: PTH100
        return Queue(section.name, (), folder, sources, destination, parked)
    if section.topics == section.named_topics:
        return Queue(section.name, section.named_topics, None, sources, destination, parked)
    meant = [re.compile(pattern, re.DOTALL) for pattern in section.topics or ()]
    there = topics_of(clients, timeout)
    found = tuple(topic for topic in there if any(pattern.fullmatch(topic) for pattern in meant))
    # What is parked is not dead, although its name may match.
    found = tuple(topic for topic in found if not topic.endswith(_PARKED) and topic != parked)
    if not found:
        raise BadInputError(f"dlq {section.name}: no topic matches")
    if len(found) > READ_TOPICS:
        raise BadInputError(f"dlq {section.name}: {len(found)} topics match; at most {READ_TOPICS} are read")
    return Queue(section.name, found, None, sources, destination, parked)


def topics_of(clients: Clients, timeout: float) -> list[str]:
    """Return the names of all topics; raises `RedriveError`."""
    consumer = clients.stretch()
    try:
        return sorted(consumer.list_topics(timeout=timeout).topics)
    except KafkaException as error:
        raise RedriveError(f"Kafka does not answer: {words_of(error)}") from error
    finally:
        consumer.close()
