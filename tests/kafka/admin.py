"""Does to a cluster what tests need done beforehand: topics, records, commits, users."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from confluent_kafka import (
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined] # imported there for users, but not by its typing
    AdminClient,
    NewTopic,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)

from tests.kafka.waiting import wait_until

Settings = Mapping[str, str | int | float | bool]
"""Further librdkafka settings: TLS, SASL, time-outs."""

_SCRAM_ITERATIONS = 4096


def client_settings(bootstrap: str, more: Settings | None = None) -> dict[str, Any]:
    """Give librdkafka settings that neither hang for a minute at a frozen broker nor print each refused connection."""
    quick = {"bootstrap.servers": bootstrap, "socket.timeout.ms": 5000, "reconnect.backoff.max.ms": 500, "log_level": 0}
    return quick | {"error_cb": lambda error: None} | dict(more or {})  # noqa: ARG005 - the default callback prints


def create_topic(
    bootstrap: str,
    topic: str,
    *,
    partitions: int = 1,
    replicas: int = 1,
    replica_assignment: Sequence[Sequence[int]] | None = None,
    configs: Mapping[str, str] | None = None,
    client: Settings | None = None,
    deadline: float = 30.0,
) -> None:
    """Create `topic` and wait until each partition has a leader that the asked broker knows.

    `replica_assignment` gives each partition's broker ids, the preferred leader first, and stands in for `partitions`
    and `replicas`. Raises `KafkaException` when Kafka refuses and `TimeoutError` after `deadline` seconds.
    """
    admin = AdminClient(client_settings(bootstrap, client))
    config = dict(configs or {})
    if replica_assignment is None:
        new = NewTopic(topic, num_partitions=partitions, replication_factor=replicas, config=config)
    else:
        partitions = len(replica_assignment)
        assignment = [list(brokers) for brokers in replica_assignment]
        new = NewTopic(topic, num_partitions=partitions, replica_assignment=assignment, config=config)
    admin.create_topics([new], operation_timeout=deadline, request_timeout=deadline)[topic].result()
    wait_until(partial(_has_leaders, admin, topic, partitions), deadline, f"topic {topic} has its leaders")


def delete_topic(bootstrap: str, topic: str, *, client: Settings | None = None, deadline: float = 30.0) -> None:
    """Delete `topic` and wait until the asked broker knows it no more.

    Raises `KafkaException` when Kafka refuses and `TimeoutError` after `deadline` seconds.
    """
    admin = AdminClient(client_settings(bootstrap, client))
    admin.delete_topics([topic], operation_timeout=deadline, request_timeout=deadline)[topic].result()
    wait_until(partial(_is_gone, admin, topic), deadline, f"topic {topic} is gone")


def produce(
    bootstrap: str,
    topic: str,
    count: int,
    *,
    partition: int = 0,
    timestamps: Sequence[int] | None = None,
    value: bytes = b"x",
    client: Settings | None = None,
    deadline: float = 30.0,
) -> list[int]:
    """Produce `count` records with acks=all, wait for each acknowledgement, and give their offsets in order.

    `timestamps` are in milliseconds since 1970, one a record; without them the records carry the time of sending.
    Raises `KafkaException` for the first record that was refused or not acknowledged within `deadline` seconds.
    """
    timing = {"linger.ms": 0, "message.timeout.ms": int(deadline * 1000)}
    producer = Producer(client_settings(bootstrap, timing | dict(client or {})))
    offsets: list[int] = []
    errors: list[KafkaError] = []

    def delivered(error: KafkaError | None, message: Message) -> None:
        if error is not None:
            errors.append(error)
        elif (offset := message.offset()) is not None:
            offsets.append(offset)

    for number in range(count):
        # 0 means now to librdkafka.
        timestamp = 0 if timestamps is None else timestamps[number]
        producer.produce(topic, value, partition=partition, timestamp=timestamp, on_delivery=delivered)
        producer.poll(0)
    producer.flush(deadline + 5)
    if errors:
        raise KafkaException(errors[0])
    return sorted(offsets)


def delete_records(bootstrap: str, topic: str, partition: int, *, before: int, client: Settings | None = None) -> None:
    """Delete the records of a partition that lie before an offset. Raises `KafkaException` when Kafka refuses."""
    # In a variable: an admin client that nobody holds cancels its requests.
    admin = AdminClient(client_settings(bootstrap, client))
    wanted = TopicPartition(topic, partition, before)
    admin.delete_records([wanted])[wanted].result()


def commit(
    bootstrap: str,
    group: str,
    offsets: Mapping[tuple[str, int], int],
    *,
    client: Settings | None = None,
    deadline: float = 30.0,
) -> None:
    """Commit `offsets` (by topic and partition) for `group`, which must have no members, until Kafka has taken each.

    Right after `__consumer_offsets` came into being the call as a whole succeeds while each partition carries an error
    of its own; so each is looked at, and the commit repeated. Raises `TimeoutError`, which names the last error, after
    `deadline` seconds.
    """
    wanted = [TopicPartition(topic, number, offset) for (topic, number), offset in offsets.items()]
    last = "no answer"

    def committed() -> bool:
        nonlocal last
        # A new client for each try: librdkafka keeps to the coordinator it found first, also when that one refuses.
        admin = AdminClient(client_settings(bootstrap, client))
        request = [ConsumerGroupTopicPartitions(group, wanted)]
        try:
            answer = admin.alter_consumer_group_offsets(request, request_timeout=5)[group].result()
        except KafkaException as error:
            last = str(error)
            return False
        refused = [one for one in answer.topic_partitions or [] if one.error is not None]
        last = "; ".join(f"{one.topic}-{one.partition}: {one.error}" for one in refused)
        return not refused

    try:
        wait_until(committed, deadline, f"group {group} has committed")
    except TimeoutError as error:
        raise TimeoutError(f"{error}: {last}") from error


def set_scram_password(
    bootstrap: str, user: str, password: str, *, mechanism: str = "SCRAM-SHA-256", client: Settings | None = None
) -> None:
    """Create `user` with `password`, or change it. Raises `KafkaException` when Kafka refuses."""
    info = ScramCredentialInfo(_mechanism(mechanism), _SCRAM_ITERATIONS)
    change = UserScramCredentialUpsertion(user, info, password.encode())
    _alter_user(bootstrap, change, client)


def revoke_scram_password(
    bootstrap: str, user: str, *, mechanism: str = "SCRAM-SHA-256", client: Settings | None = None
) -> None:
    """Delete the credentials of `user`. Raises `KafkaException` when there are none or Kafka refuses."""
    change = UserScramCredentialDeletion(user, _mechanism(mechanism))
    _alter_user(bootstrap, change, client)


def _alter_user(
    bootstrap: str, change: UserScramCredentialUpsertion | UserScramCredentialDeletion, client: Settings | None
) -> None:
    # In a variable: an admin client that nobody holds cancels its requests.
    admin = AdminClient(client_settings(bootstrap, client))
    admin.alter_user_scram_credentials([change])[change.user].result()


def _mechanism(name: str) -> ScramMechanism:
    return ScramMechanism[name.replace("-", "_")]


def _has_leaders(admin: AdminClient, topic: str, partitions: int) -> bool:
    try:
        found = admin.list_topics(topic, timeout=5).topics[topic].partitions
    except KafkaException:  # the broker asked is away; the next time another one is
        return False
    return len(found) == partitions and all(one.leader >= 0 and one.error is None for one in found.values())


def _is_gone(admin: AdminClient, topic: str) -> bool:
    try:
        return topic not in admin.list_topics(timeout=5).topics
    except KafkaException:  # as above
        return False
