"""Tells a broker that takes no more connections from one that is dead."""

from __future__ import annotations

from keywatch.engine.probe import Reason
from keywatch.kafka.connection import BrokerError
from keywatch.kafka.topology import Topology

REASONS = frozenset({Reason.CONNECTION_LIMIT})
"""Why a connection may not be had of a broker that lives."""


def limited(error: BrokerError, label: str, topology: Topology) -> BrokerError:
    """Return the error of opening a connection, or, where the broker answers on others meanwhile, what that means.

    Whether it does the probe `broker` finds out: one that was killed resets connections as well, and answers on none.
    """
    if error.reason is not Reason.RESET or label not in topology.at_connection_limit:
        return error
    words = f"{error.detail}, while it answers on others: it allows keywatch no more, see max.connections.per.ip"
    return BrokerError(Reason.CONNECTION_LIMIT, words)
