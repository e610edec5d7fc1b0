"""Records that a broker packs by its own will are known by their places, whichever is told first."""

from __future__ import annotations

from typing import cast

import pytest

from keywatch.kafka.peers import Peers
from keywatch.kafka.wire.batch import batches_of
from keywatch.kafka.wire.fetch import FetchedPartition
from keywatch.probes.canary.link import CanaryLink
from tests.exporter.fakes.batches import LZ4, batch

OUT_OF_RANGE = 1


class Bed:
    """A link whose reports are kept; nobody is asked."""

    def __init__(self) -> None:
        self.read: list[tuple[int, int | None, int]] = []
        self.link = CanaryLink(
            lambda: cast("Peers", None), "canary", "me", period=1.0, timeout=2.0,
            acknowledged=lambda *_: None, failed=lambda *_: None,
            read=lambda partition, sequence, offset, _: self.read.append((partition, sequence, offset)),
        )  # fmt: skip
        self.link.assign({0: 10})

    def arrive(self, written: bytes, *, error: int = 0, start: int = 0) -> None:
        """Have a fetch of partition 0 answered."""
        self.link._arrived(0, FetchedPartition(error, start, tuple(batches_of(written))), 1.0)


@pytest.fixture
def bed() -> Bed:
    return Bed()


def packed(offset: int) -> bytes:
    return batch(offset, offset, [1], kind=LZ4, packed=b"not to be unpacked")


def test_one_that_was_acknowledged_before_is_known_by_its_place(bed: Bed) -> None:
    bed.link._placed(0, 7, 10)
    bed.arrive(packed(10))
    assert bed.read == [(0, 7, 10)]


def test_one_that_is_acknowledged_later_is_known_then(bed: Bed) -> None:
    bed.arrive(packed(10))
    assert bed.read == [(0, None, 10)], "so far it may be another instance's"
    bed.link._placed(0, 7, 10)
    assert bed.read[1:] == [(0, 7, 10)]
    bed.link._placed(0, 7, 10)
    assert len(bed.read) == 2


def test_what_lies_before_the_place_to_read_from_is_not_read_again(bed: Bed) -> None:
    bed.arrive(batch(8, 11, [1, 1, 1, 1]))
    assert [offset for _, _, offset in bed.read] == [10, 11]
    assert bed.link._positions == {0: 12}


def test_reading_goes_on_where_records_that_are_gone_end(bed: Bed) -> None:
    bed.arrive(b"", error=OUT_OF_RANGE, start=50)
    assert bed.link._positions == {0: 50}
    bed.arrive(b"", error=OUT_OF_RANGE, start=5)
    assert bed.link._positions == {0: 50}, "a topic made anew is seen by what is acknowledged"
