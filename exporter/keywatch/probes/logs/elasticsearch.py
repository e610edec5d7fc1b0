"""Does Elasticsearch, or OpenSearch, take events, and do their data streams live as they should?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from keywatch.elastic.errors import RefusedError
from keywatch.elastic.health import blocked_indices, lifecycle_errors
from keywatch.elastic.lint import DATASETS
from keywatch.elastic.server import ElasticServer, Product
from keywatch.elastic.streams import PATTERNS
from keywatch.engine.probe import ProbeError, Sample, Schedule
from keywatch.metrics import logs as cat
from keywatch.probes.logs.deltas import Deltas

_STATUSES = ("green", "yellow", "red")
_PIPELINE = "logs-keycloak"
_STREAMS = ",".join(PATTERNS)
_OTHER = "other"
_HEALTH = "_cluster/health?filter_path=status,number_of_nodes,unassigned_shards"
_NODES = f"_nodes/stats/ingest,fs?filter_path=nodes.*.fs.total,nodes.*.ingest.pipelines.{_PIPELINE}.failed"
# The core without the module of data streams has no handler for it.
_NO_SUCH_API = frozenset({400, 404, 405})
# Of the deadline, for finding out what answers; only the first run needs it.
_PRODUCT_SHARE = 0.4


class ElasticsearchProbe:
    """The cluster's health first; what else is asked goes beside, and a failure of it costs only its own series."""

    name = "elasticsearch"
    target = ""

    def __init__(
        self,
        cluster: str,
        server: ElasticServer,
        schedule: Schedule,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.cluster = cluster
        self.schedule = schedule
        self._server = server
        self._clock = clock
        self._deltas = Deltas()
        self._product: Product | None = None

    async def run(self, timeout: float) -> Sequence[Sample]:
        """Ask once; raises `ProbeError`, with what could be learnt all the same."""
        deadline = self._clock() + timeout
        try:
            self._product = await self._server.product(timeout * _PRODUCT_SHARE)
            samples = _health(self.cluster, await self._server.ask("GET", _HEALTH, deadline - self._clock()))
        except ProbeError as error:
            self._server.drop_product()
            down = Sample(cat.ELASTICSEARCH_UP, (self.cluster,), 0.0, f"down, {error.reason}: {error.detail}")
            raise ProbeError(error.reason, error.detail, [down]) from error
        labels = (self.cluster, self._product.name.lower(), self._product.version)
        samples.append(Sample(cat.ELASTICSEARCH_INFO, labels, 1.0))
        left = max(deadline - self._clock(), 0.05)
        parts = [part(self._product, left) for part in (self._nodes, self._streams, self._lifecycle, self._blocked)]
        failures = []
        for found in await asyncio.gather(*map(_caught, parts)):
            if isinstance(found, ProbeError):
                failures.append(found)
            else:
                samples += found
        if failures:
            raise ProbeError(failures[0].reason, failures[0].detail, samples)
        return samples

    async def close(self) -> None:
        """Close the connections."""
        await self._server.close()

    async def _nodes(self, _: Product, timeout: float) -> list[Sample]:
        answer = await self._server.ask("GET", _NODES, timeout)
        nodes = [node for node in answer.get("nodes", {}).values() if isinstance(node, dict)]
        free, failed = [], 0.0
        for node in nodes:
            total = node.get("fs", {}).get("total", {})
            size, available = total.get("total_in_bytes"), total.get("available_in_bytes")
            if size and available is not None:
                free.append(available / size)
            failed += node.get("ingest", {}).get("pipelines", {}).get(_PIPELINE, {}).get("failed", 0)
        samples = [
            Sample(
                cat.ELASTICSEARCH_INGEST_FAILED_TOTAL,
                (self.cluster, _PIPELINE),
                self._deltas.step("ingest_failed", failed),
            )
        ]
        if free:
            samples.append(Sample(cat.ELASTICSEARCH_DISK_AVAILABLE_RATIO, (self.cluster,), min(free)))
        return samples

    async def _streams(self, _: Product, timeout: float) -> list[Sample]:
        try:
            answer = await self._server.ask("GET", f"_data_stream/{_STREAMS}/_stats", timeout)
        except RefusedError as error:
            if error.status in _NO_SUCH_API:
                return []
            raise
        sizes: dict[str, float] = {}
        indices: dict[str, float] = {}
        newest: dict[str, float] = {}
        for stream in answer.get("data_streams", ()):
            dataset = _dataset(str(stream.get("data_stream", "")))
            sizes[dataset] = sizes.get(dataset, 0) + float(stream.get("store_size_bytes", 0))
            indices[dataset] = indices.get(dataset, 0) + float(stream.get("backing_indices", 0))
            moment = float(stream.get("maximum_timestamp") or 0) / 1000
            if moment > 0:  # one without documents has none
                newest[dataset] = max(newest.get(dataset, 0.0), moment)
        return [
            Sample(metric, (self.cluster, dataset), value)
            for metric, values in (
                (cat.ELASTICSEARCH_DATA_STREAM_BYTES, sizes),
                (cat.ELASTICSEARCH_BACKING_INDICES, indices),
                (cat.ELASTICSEARCH_NEWEST_EVENT_TIMESTAMP_SECONDS, newest),
            )
            for dataset, value in values.items()
        ]

    async def _lifecycle(self, product: Product, timeout: float) -> list[Sample]:
        errors = await lifecycle_errors(self._server, product, timeout)
        if errors is None:
            return []
        note = "; ".join(f"{index}: step {step}" for index, step in list(errors.items())[:3]) or None
        return [Sample(cat.ELASTICSEARCH_LIFECYCLE_ERROR_INDICES, (self.cluster,), float(len(errors)), note)]

    async def _blocked(self, _: Product, timeout: float) -> list[Sample]:
        blocked = await blocked_indices(self._server, timeout)
        note = "; ".join(f"{index}: {why}" for index, why in list(blocked.items())[:3]) or None
        return [Sample(cat.ELASTICSEARCH_BLOCKED_INDICES, (self.cluster,), float(len(blocked)), note)]


async def _caught(part: Awaitable[list[Sample]]) -> list[Sample] | ProbeError:
    try:
        return await part
    except ProbeError as error:
        return error


def _health(cluster: str, answer: Mapping[str, Any]) -> list[Sample]:
    status = answer.get("status")
    samples = [Sample(cat.ELASTICSEARCH_UP, (cluster,), 1.0)]
    for one in _STATUSES:
        note = "a primary shard is missing" if one == status == "red" else None
        samples.append(Sample(cat.ELASTICSEARCH_STATUS, (cluster, one), float(one == status), note))
    for key, metric in (
        ("number_of_nodes", cat.ELASTICSEARCH_NODES),
        ("unassigned_shards", cat.ELASTICSEARCH_SHARDS_UNASSIGNED),
    ):
        value = answer.get(key)
        if isinstance(value, int | float):
            samples.append(Sample(metric, (cluster,), float(value)))
    return samples


def _dataset(stream: str) -> str:
    """Return the dataset of a data stream `logs-<dataset>-<namespace>`; `other` for one that is not ours."""
    name = stream.removeprefix("logs-").partition("-")[0]
    return name if name in DATASETS else _OTHER
