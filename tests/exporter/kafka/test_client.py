"""No client of librdkafka is made while it could end up in another cluster, and those that were made are given up."""

from __future__ import annotations

import pytest

from keywatch.engine.probe import ProbeError, Reason
from keywatch.kafka.client import Clients
from keywatch.kafka.membership import Membership


def test_clients_are_refused_while_another_cluster_answers_at_an_address() -> None:
    membership = Membership("A")
    clients = Clients("127.0.0.1:1", {"log_level": 0}, None, membership)
    before = clients.version()
    clients.bulk()
    membership.met("2", "B")
    membership.met("3", "B")
    assert clients.version() != before, "those that were made are given up"
    met = clients.version()
    for make in (clients.bulk, clients.stretch, clients.lookup, lambda: clients.producer(1.0, lambda *_: None)):
        with pytest.raises(ProbeError, match="cluster B answers at an address of broker 2") as refusal:
            make()
        assert refusal.value.reason is Reason.OTHER_CLUSTER
    membership.cleared("2")
    assert clients.version() == met, "one is left"
    membership.cleared("3")
    assert clients.version() != met
    clients.bulk()
