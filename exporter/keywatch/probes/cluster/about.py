"""What people are told of the probes of this folder beside their series."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from keywatch.engine.about import About, Right
from keywatch.engine.probe import Reason
from keywatch.kafka import connection, peers, proof
from keywatch.kafka.rights import DESCRIBE_BROKERS, DESCRIBE_CLUSTER, DESCRIBE_CONFIGS, DESCRIBE_TOPICS

ABOUT: Final[Mapping[str, About]] = {
    "broker": About(
        needs="""
            - `bootstrap`, and `tls` and `sasl` where brokers want them. No right: it logs in and asks for
              ApiVersions.
            - Who answers must be the broker of the cluster that is meant: from Kafka 4.4 on every broker tells; before,
              the cluster's id is compared, and the broker's where its settings may be described. Behind a proxy that
              gives brokers other ids, `check_id: false` leaves the latter out.
            - It runs once for each broker that should exist: those that the cluster names, and those of `expected`.
              Until the first metadata is read these are the addresses of `bootstrap`.
        """,
        rights=(Right(DESCRIBE_BROKERS, "before Kafka 4.4 `other_broker` is not seen, `other_cluster` is"),),
        reasons=connection.REASONS | proof.REASONS | {Reason.UNREGISTERED, Reason.FENCED, Reason.CONNECTION_LIMIT},
        guides=("security.md",),
    ),
    "cluster": About(
        needs="""
            - A broker that probe `broker` does not know to be down; where there is none, it fails for the reason for
              which most of them are down, unless an address of `bootstrap` leads to where they are by now. One of these
              is asked every 30 s beside.
            - But for probe `broker`, all probes of Kafka wait for its first metadata, and say `no_metadata` until then.
        """,
        rights=(
            Right(DESCRIBE_TOPICS, "topics that may not be described are not seen"),
            Right(
                DESCRIBE_CLUSTER,
                "a reassignment that was under way before it looked counts as partitions that lack replicas",
            ),
        ),
        reasons=peers.REASONS,
        guides=("security.md", "large-clusters.md", "kafka-versions.md"),
    ),
    "quorum": About(
        needs="""
            - A living broker of Kafka 3.3 or newer without ZooKeeper, which hands the question on to the controller
              that leads. Up to three are asked, the second one when the first has not answered for 0.8 s.
            - No answer is the answer: a broker that reaches no leader does not say so. The `timeout` is longer than
              an election takes.
        """,
        rights=(Right(DESCRIBE_CLUSTER, "nothing is known, and `…_unknown_reason` says `authorization`"),),
        reasons=peers.REASONS | {Reason.AUTHORIZATION, Reason.NO_LEADER},
    ),
    "log_dirs": About(
        needs="""
            - Every broker that probe `broker` does not know to be down is asked itself. What lies on their disks by
              topic is asked of one broker a run, and of each again after `sizes_every` seconds.
            - Volumes are told by Kafka 3.3 and newer; before, only whether a directory works and what lies there.
            - Of the keys of `topics`, `include`, `exclude` and `max_topics` say of which topics sizes are told.
            - A broker that loses its last directory ends, and is probe `broker`'s to name.
        """,
        rights=(Right(DESCRIBE_CLUSTER, "nothing is known, and `…_unknown_reason` says `authorization`"),),
        reasons=peers.REASONS | {Reason.NO_METADATA, Reason.AUTHORIZATION, Reason.STORAGE},
    ),
    "topics": About(
        needs="""
            - The cluster's metadata, which probe `cluster` reads. It asks nobody itself.
            - The verdicts of probe `broker`: a replica counts as dead as soon as its broker is down. Where that is
              for keywatch alone (`authentication`, a certificate it does not take, a name it cannot look up while the
              connection that it has still answers), the cluster's own word counts.
            - `min.insync.replicas`, which probe `configs` reads; until it is known a topic has no series
              `…_below_min_isr`.
        """,
        rights=(
            Right(DESCRIBE_TOPICS, "it fails with `authorization` and names a topic that it has seen, or must see"),
        ),
        reasons=frozenset({Reason.NO_METADATA, Reason.AUTHORIZATION}),
    ),
    "configs": About(
        needs="""
            - The cluster's metadata, which probe `cluster` reads. One living broker is asked in each run.
            - It runs every 10 s and has 3 s. Of the keys below `include`, `exclude`, `expect` and those that bound
              topics concern it.
        """,
        rights=(
            Right(DESCRIBE_TOPICS, "those topics are left out"),
            Right(DESCRIBE_CONFIGS, "it fails with `authorization`; what was known of those topics stays"),
        ),
        reasons=(peers.REASONS - {Reason.UNSUPPORTED})
        | {Reason.NO_METADATA, Reason.AUTHORIZATION, Reason.UNKNOWN_TOPIC},
    ),
    "offsets": About(
        needs="""
            - The cluster's metadata, which probe `cluster` reads. The leader of each partition is asked, unless probe
              `broker` knows it to be down.
            - Of the keys below `watch` does not concern it.
            - It fails when not a single partition could be read; else those that could not are counted.
        """,
        rights=(Right(DESCRIBE_TOPICS, "those topics are left out, or their partitions counted as unread"),),
        reasons=peers.REASONS
        | {Reason.NO_METADATA, Reason.NO_LEADER, Reason.UNKNOWN_TOPIC, Reason.AUTHORIZATION, Reason.STORAGE},
    ),
}
