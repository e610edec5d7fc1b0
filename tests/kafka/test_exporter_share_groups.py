"""Share groups are listed with their state, and nothing is claimed of a lag that they do not have."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator

import pytest

from keywatch.config import endpoint
from keywatch.kafka.codec import Reader, Writer
from keywatch.kafka.connection import Request, connect
from tests.kafka import admin, scene
from tests.kafka.cluster import KafkaCluster
from tests.kafka.exporter_process import ExporterProcess, Scrape
from tests.kafka.fixtures import kafka_required
from tests.kafka.waiting import wait_until

pytestmark = pytest.mark.kafka

GROUP, TOPIC = "readers-together", "shared"
_SHARE_GROUP_HEARTBEAT = 76
_LEAVE = -1


@pytest.fixture(scope="module")
def cluster() -> Iterator[KafkaCluster]:
    kafka_required()
    with KafkaCluster(1) as made:
        admin.create_topic(made.bootstrap, TOPIC)
        admin.create_topic(made.bootstrap, "plain")
        admin.commit(made.bootstrap, "readers-apart", {("plain", 0): 0})
        yield made


def heartbeat(bootstrap: str, member: str, epoch: int) -> int:
    """Join or leave a share group as its coordinator's only member (KIP-932); gives the error code."""

    async def ask() -> int:
        connection = await connect(endpoint(bootstrap), 5.0)
        body = Writer(flexible=True).string(GROUP).string(member).int32(epoch).string(None)
        body.array([TOPIC], body.string).tags()
        request = Request(_SHARE_GROUP_HEARTBEAT, 1, True, body.done())
        code = await connection.get(request, 5.0, _error)
        connection.close()
        return code

    return asyncio.run(ask())


def _error(reader: Reader) -> int:
    reader.int32()  # throttle time
    return reader.int16()


def state(scrape: Scrape, name: str) -> bool:
    return scrape.value("keywatch_group_state", group=GROUP, state=name) == 1


def test_a_share_group_has_a_state_and_no_lag(cluster: KafkaCluster) -> None:
    member = str(uuid.uuid4())
    wait_until(lambda: heartbeat(cluster.bootstrap, member, 0) == 0, 30, "the member has joined")
    with ExporterProcess(scene.config(cluster.bootstrap, topics={"watch": []})) as exporter:
        seen = exporter.until(lambda s: state(s, "Stable"), 20, "the group is listed as stable")
        assert len(seen.all("keywatch_group_info", group=GROUP, protocol="share")) == 1
        assert seen.value("keywatch_group_up", group=GROUP) == 1
        assert not seen.all("keywatch_group_lag_records", group=GROUP)
        assert not seen.all("keywatch_group_members", group=GROUP)
        exporter.until(lambda s: s.all("keywatch_group_lag_records", group="readers-apart"), 20, "others have a lag")
        assert heartbeat(cluster.bootstrap, member, _LEAVE) == 0
        empty = exporter.until(lambda s: state(s, "Empty"), 20, "the group is empty")
        assert empty.value("keywatch_group_members", group=GROUP) == 0
        assert empty.value("keywatch_probe_success", probe="groups") == 1
