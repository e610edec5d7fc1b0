"""Gives and takes the rights of a user on a cluster with an authorizer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from confluent_kafka.admin import (  # type: ignore[attr-defined] # imported there for users, but not by its typing
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)

from tests.kafka import admin

AUTHORIZER = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS",
}
"""For a cluster's `extra`: the plain listener's nameless users, the brokers among them, may do all; others nothing."""


_KINDS = {
    "Topic": ResourceType.TOPIC,
    "Group": ResourceType.GROUP,
    "Cluster": ResourceType.BROKER,
    "TransactionalId": ResourceType.TRANSACTIONAL_ID,
}


class Right(NamedTuple):
    """An operation on a resource: `Right("Describe", "Topic", "*")`; a name that ends with a dash begins others."""

    operation: str
    kind: str
    name: str

    def __str__(self) -> str:
        """Write it as keywatch's messages do."""
        return f"{self.operation} on {self.kind}:{self.name}"


def allow(bootstrap: str, user: str, rights: Iterable[Right]) -> None:
    """Return `rights` to `user`. Raises `KafkaException`."""
    bindings = [AclBinding(*_arguments(user, right)) for right in rights]
    admin.patiently(bootstrap, lambda client, seconds: client.create_acls(bindings, request_timeout=seconds))


def revoke(bootstrap: str, user: str, rights: Iterable[Right]) -> None:
    """Take `rights` from `user`. Raises `KafkaException`."""
    filters = [AclBindingFilter(*_arguments(user, right)) for right in rights]
    admin.patiently(bootstrap, lambda client, seconds: client.delete_acls(filters, request_timeout=seconds))


def _arguments(user: str, right: Right) -> tuple[Any, ...]:
    kind = _KINDS[right.kind]
    pattern = ResourcePatternType.PREFIXED if right.name.endswith("-") else ResourcePatternType.LITERAL
    operation = AclOperation[_snake(right.operation)]
    return (kind, right.name, pattern, f"User:{user}", "*", operation, AclPermissionType.ALLOW)


def _snake(operation: str) -> str:
    return "".join(f"_{c}" if c.isupper() and i else c for i, c in enumerate(operation)).upper()
