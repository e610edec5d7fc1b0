"""A tail whose client may not be made says why, and is no defect."""

from __future__ import annotations

from typing import cast

from keywatch.engine import supervised
from keywatch.engine.probe import ProbeError, Reason
from keywatch.engine.supervised import Part
from keywatch.kafka.client import Clients
from keywatch.kafka.records.tail import Tail
from tests.exporter.waiting import until


class Refusing:
    """Makes no client, as while another cluster answers at an address."""

    def version(self) -> tuple[int, ...]:
        """Return a version."""
        return ()

    def bulk(self) -> None:
        """Refuse."""
        raise ProbeError(Reason.OTHER_CLUSTER, "nothing is read or written")


async def test_another_cluster_ends_a_tail_with_its_reason_and_is_no_defect() -> None:
    before = supervised.counts()[Part.TAIL]
    tail: Tail[None] = Tail(cast("Clients", Refusing()), "siem", lambda *_: None, lambda _: None)
    await until(lambda: tail.failure is not None, "it ended", 10)
    assert isinstance(tail.failure, ProbeError)
    assert tail.failure.reason is Reason.OTHER_CLUSTER
    assert supervised.counts()[Part.TAIL] == before
