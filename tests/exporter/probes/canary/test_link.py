"""What anybody writes to the canary's topic is read without harm; only whole records of this instance are its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from keywatch.config.endpoint import Endpoint
from keywatch.kafka.peers import Peers
from keywatch.kafka.topology import Topology
from keywatch.probes.canary.link import CanaryLink


@pytest.fixture
async def link() -> Iterator[CanaryLink]:  # type: ignore[misc] # pytest-asyncio takes it
    def ignore(*_: object) -> None:
        """Take what is reported."""

    topology = Topology([Endpoint("127.0.0.1", 1)])
    ends = {"acknowledged": ignore, "failed": ignore, "read": ignore}
    made = CanaryLink(lambda: Peers(topology, None), "t", "me", period=1.0, timeout=1.0, **ends)
    yield made
    made.end()


@pytest.mark.parametrize(
    ("value", "sequence"),
    [
        (b"keywatch me 3 17", 17),
        (b"keywatch me 3 " + "²".encode(), None),
        (b"keywatch me 3 " + "\u0967".encode(), None),
        (b"keywatch me 3 " + b"9" * 5000, None),
        (b"keywatch me 3 -1", None),
        (b"keywatch me 17", None),
        (b"keywatch me 3 17\n", None),
        (b"keywatch you 3 17", None),
        (b"keywatch me ", None),
        (b"\xff\xfe", None),
        (b"", None),
    ],
)
async def test_a_record_is_ours_or_nobodys(link: CanaryLink, value: bytes, sequence: int | None) -> None:
    assert link._sequence(value) == sequence
