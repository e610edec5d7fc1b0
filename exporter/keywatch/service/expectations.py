"""An entry of `topics.expect` in the configuration → what is demanded of topics."""

from __future__ import annotations

from keywatch.config.cluster import ExpectSection
from keywatch.patterns import Patterns
from keywatch.probes.cluster.expected import (
    CLEANUP,
    MESSAGE_BYTES,
    MIN_IN_SYNC,
    REPLICATION,
    RETENTION,
    UNCLEAN,
    Expectation,
)


def expectation(section: ExpectSection) -> Expectation:
    """Return what an entry of `topics.expect` demands, by Kafka's names of settings."""
    least = {
        REPLICATION: section.replication_factor,
        MIN_IN_SYNC: section.min_insync_replicas,
        RETENTION: None if section.retention is None else int(section.retention * 1000),
        MESSAGE_BYTES: section.max_message_bytes,
    }
    unclean = section.unclean_leader_election
    exact = {
        CLEANUP: section.cleanup_policy,
        UNCLEAN: None if unclean is None else (str(unclean).lower(),),
    }
    return Expectation(
        Patterns((section.topics,)),
        {name: number for name, number in least.items() if number is not None},
        {name: words for name, words in exact.items() if words is not None},
        section.severity,
    )
