"""`keywatch check` tells a Kafka that is too old from one that is down, and never says that nothing is wrong."""

from __future__ import annotations

import asyncio
import json
import struct

from tests.exporter.commands import keywatch
from tests.exporter.fakes.fake_broker import FakeBroker, listening

# Kafka 1.1.1 as it answered: Produce, Fetch, ListOffsets, Metadata, OffsetFetch, ListGroups, ApiVersions, DescribeAcls.
_KAFKA_1 = {0: 5, 1: 7, 2: 2, 3: 5, 9: 3, 16: 1, 18: 1, 29: 0, 32: 1}


async def test_kafka_that_is_too_old_is_a_matter_of_configuration() -> None:
    rows = b"".join(struct.pack(">hhh", api, 0, highest) for api, highest in _KAFKA_1.items())
    broker = FakeBroker(versions=struct.pack(">hi", 0, len(_KAFKA_1)) + rows)
    async with listening(broker) as endpoint:
        told = await asyncio.to_thread(keywatch, "check", "--kafka", str(endpoint), "--json")
        shown = await asyncio.to_thread(keywatch, "check", "--kafka", str(endpoint))
    found = json.loads(told.stdout)
    (cluster,) = found["clusters"].values()
    assert (cluster["up"], cluster["supported"], found["healthy"]) == (False, False, False)
    assert [one["up"] for one in cluster["brokers"].values()] == [True]
    words = [one["what"] for one in found["problems"] if one["metric"] == "keywatch_cluster_up"]
    assert len(words) == 1
    assert words[0].startswith("down, unsupported: ")
    assert words[0].endswith("it is Kafka 1.1 by the requests that it speaks, and keywatch needs 2.4 or newer")
    assert told.returncode == shown.returncode == 2
    assert "UNSUPPORTED" in shown.stdout
    assert "Nothing is wrong" not in shown.stdout
    assert "Traceback" not in told.stderr + shown.stderr
