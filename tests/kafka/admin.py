"""Does to a cluster what tests need done beforehand: topics, records, commits, users."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar

from confluent_kafka import (
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

from tests.kafka.coordinator import Coordinators
from tests.kafka.waiting import POLL_SECONDS, wait_until

Settings = Mapping[str, str | int | float | bool]
"""Further librdkafka settings: TLS, SASL, time-outs."""

SETUP_SECONDS = 120.0
"""How long what a test needs beforehand may take; on a quiet machine it takes hundredths of a second."""

_T = TypeVar("_T")
_SCRAM_ITERATIONS = 4096
# A try; what waits for longer than this was lost, or waits for a broker that does not come back.
_TRY_SECONDS = 20.0
_SOCKET_SECONDS = 5.0
_PASSING = {
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._TIMED_OUT,
    KafkaError._TRANSPORT,
    KafkaError._WAIT_COORD,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NETWORK_EXCEPTION,
    KafkaError.NOT_CONTROLLER,
    KafkaError.NOT_COORDINATOR,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.REQUEST_TIMED_OUT,
}


def client_settings(bootstrap: str, more: Settings | None = None) -> dict[str, Any]:
    """Give librdkafka settings that neither hang for a minute at a frozen broker nor print each refused connection."""
    quick = {
        "bootstrap.servers": bootstrap,
        "socket.timeout.ms": int(_SOCKET_SECONDS * 1000),
        "reconnect.backoff.max.ms": 500,
        # Brokers come back at their addresses here; the way by the bootstrap drops and makes threads of the client.
        "metadata.recovery.strategy": "none",
        "log_level": 0,
    }
    return quick | {"error_cb": lambda error: None} | dict(more or {})  # noqa: ARG005 - the default callback prints


def patiently(
    bootstrap: str,
    request: Callable[[AdminClient, float], Mapping[Any, Future[_T]]],
    *,
    client: Settings | None = None,
    deadline: float = SETUP_SECONDS,
    done: int | None = None,
) -> list[_T]:
    """Send a request by an admin client and return its answers, in spite of what passes: time-outs, moves of leaders.

    `request` is given the client and the seconds that it may take. It is sent again while an answer is of that kind; as
    the first one may have been obeyed all the same, from the second on the error `done` counts as success. Raises
    `KafkaException` when Kafka refuses, and for what has not passed after `deadline` seconds.
    """
    end = time.monotonic() + deadline
    again = False
    while True:
        # A new one for each try: librdkafka keeps to the coordinator it found first. In a variable: an admin client
        # that nobody holds cancels its requests.
        admin = AdminClient(client_settings(bootstrap, client))
        passing, answers, began = None, [], time.monotonic()
        for answer in request(admin, min(_TRY_SECONDS, max(1.0, end - began))).values():
            try:
                answers.append(answer.result())
            except KafkaException as error:
                # It sends again by itself what it has waited for.
                again = again or time.monotonic() - began >= _SOCKET_SECONDS
                if error.args[0].code() in _PASSING and time.monotonic() < end:
                    passing = error
                elif not again or error.args[0].code() != done:
                    raise
        if passing is None:
            return answers
        again = True
        time.sleep(POLL_SECONDS)


def create_topic(
    bootstrap: str,
    topic: str,
    *,
    partitions: int = 1,
    replicas: int = 1,
    replica_assignment: Sequence[Sequence[int]] | None = None,
    configs: Mapping[str, str] | None = None,
    client: Settings | None = None,
    deadline: float = SETUP_SECONDS,
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
    patiently(
        bootstrap,
        lambda one, seconds: one.create_topics([new], operation_timeout=seconds, request_timeout=seconds),
        client=client,
        deadline=deadline,
        done=KafkaError.TOPIC_ALREADY_EXISTS,
    )
    wait_until(partial(_has_leaders, admin, topic, partitions), deadline, f"topic {topic} has its leaders")


def delete_topic(
    bootstrap: str, topic: str, *, client: Settings | None = None, deadline: float = SETUP_SECONDS
) -> None:
    """Delete `topic` and wait until the asked broker knows it no more.

    Raises `KafkaException` when Kafka refuses and `TimeoutError` after `deadline` seconds.
    """
    admin = AdminClient(client_settings(bootstrap, client))
    patiently(
        bootstrap,
        lambda one, seconds: one.delete_topics([topic], operation_timeout=seconds, request_timeout=seconds),
        client=client,
        deadline=deadline,
        done=KafkaError.UNKNOWN_TOPIC_OR_PART,
    )
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
    deadline: float = SETUP_SECONDS,
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
    wanted = TopicPartition(topic, partition, before)
    patiently(bootstrap, lambda one, seconds: one.delete_records([wanted], request_timeout=seconds), client=client)


def commit(
    bootstrap: str, group: str, offsets: Mapping[tuple[str, int], int], *, deadline: float = SETUP_SECONDS
) -> None:
    """Commit `offsets` (by topic and partition) for `group`, which must have no members, until Kafka has taken each.

    Raises `TimeoutError`, which names the last error, after `deadline` seconds.
    """
    commit_groups(bootstrap, {group: offsets}, deadline=deadline)


def commit_groups(
    bootstrap: str, groups: Mapping[str, Mapping[tuple[str, int], int]], *, deadline: float = SETUP_SECONDS
) -> None:
    """Commit for many groups as for one, until Kafka has taken each; raises as `commit`."""
    with Coordinators(bootstrap) as coordinators:
        _until_taken(groups, lambda group: coordinators.commit(group, groups[group]), deadline, "have committed")


def delete_groups(bootstrap: str, groups: Collection[str], *, deadline: float = SETUP_SECONDS) -> None:
    """Delete groups, and do not mind those that are gone; raises as `commit`."""
    with Coordinators(bootstrap) as coordinators:
        _until_taken(groups, coordinators.delete, deadline, "are deleted")


def _until_taken(groups: Collection[str], ask: Callable[[str], str], deadline: float, what: str) -> None:
    """Ask for each group until nothing keeps it from being obeyed: coordinators move while brokers come back."""
    left = dict.fromkeys(groups, "not asked")

    def taken() -> bool:
        for group in list(left):
            if refusal := ask(group):
                left[group] = refusal
            else:
                del left[group]
        return not left

    try:
        wait_until(taken, deadline, f"{len(groups)} groups {what}")
    except TimeoutError as error:
        raise TimeoutError(f"{error}: {dict(list(left.items())[:5])}") from error


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
    patiently(
        bootstrap,
        lambda one, seconds: one.alter_user_scram_credentials([change], request_timeout=seconds),
        client=client,
        # A deletion that was obeyed, and whose answer came too late.
        done=KafkaError.RESOURCE_NOT_FOUND,
    )


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
