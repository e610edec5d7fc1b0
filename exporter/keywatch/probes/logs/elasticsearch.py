"""Does Elasticsearch, or OpenSearch, take events, and do their data streams live as they should?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import UNSET

from keywatch.elastic.errors import RefusedError
from keywatch.elastic.health import blocked_indices, lifecycle_errors
from keywatch.elastic.lint import DATASETS
from keywatch.elastic.product import Product
from keywatch.elastic.server import ElasticServer
from keywatch.elastic.streams import PATTERNS
from keywatch.engine.probe import ProbeError, Sample, Schedule
from keywatch.metrics import logs as cat
from keywatch.metrics.metric import Metric
from keywatch.net.shape import Shapes
from keywatch.probes.logs.deltas import Deltas
from keywatch.probes.logs.elasticsearch_answers import (
    NodeCount,
    NodeDisk,
    NodeIngest,
    Nodes,
    Status,
    StreamIndices,
    StreamName,
    StreamNewest,
    Streams,
    StreamSize,
    Unassigned,
)

_STATUSES = ("green", "yellow", "red")
_PIPELINE = "logs-keycloak"
_OTHER = "other"
# The core without the module of data streams has no handler for it.
_NO_SUCH_API = frozenset({400, 404, 405})
_OF_STREAMS = (
    cat.ELASTICSEARCH_DATA_STREAM_BYTES,
    cat.ELASTICSEARCH_BACKING_INDICES,
    cat.ELASTICSEARCH_NEWEST_EVENT_TIMESTAMP_SECONDS,
)
# Of the deadline, for finding out what answers; only the first run needs it.
_PRODUCT_SHARE = 0.4
# … and for all questions; what is left keeps those asked last from being asked in no time at all.
_ASKED_WITHIN = 0.95


@dataclass(frozen=True, slots=True)
class _Part:
    """What one of the questions brought, and what kept it from bringing more."""

    samples: list[Sample]
    failure: ProbeError | None = None


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
        deadline = self._clock() + timeout * _ASKED_WITHIN
        failures = []
        try:
            self._product = await self._server.product(timeout * _PRODUCT_SHARE)
            loading = self._clock()
            await self._server.load_client()
            deadline += self._clock() - loading
            await self._server.same_cluster((deadline - self._clock()) / 2)
            health = await (await self._server.api(deadline - self._clock())).health()
        except ProbeError as error:
            self._server.drop_product()
            down = Sample(cat.ELASTICSEARCH_UP, (self.cluster,), 0.0, f"down, {error.reason}: {error.detail}")
            raise ProbeError(error.reason, error.detail, [down]) from error
        labels = (self.cluster, self._product.name.lower(), self._product.version)
        samples = [Sample(cat.ELASTICSEARCH_UP, (self.cluster,), 1.0), Sample(cat.ELASTICSEARCH_INFO, labels, 1.0)]
        left = max(deadline - self._clock(), 0.05)
        parts = [part(self._product, left) for part in (self._nodes, self._streams, self._lifecycle, self._blocked)]
        for part in [self._health(health), *await asyncio.gather(*map(_caught, parts))]:
            samples += part.samples
            if part.failure is not None:
                failures.append(part.failure)
        if failures:
            raise ProbeError(failures[0].reason, failures[0].detail, samples)
        return samples

    async def close(self) -> None:
        """Close the connections."""
        await self._server.close()

    def _health(self, answer: Mapping[str, Any]) -> _Part:
        shapes, samples = self._shapes(), []
        if (found := shapes.take(answer, Status)) is not None:
            for one in _STATUSES:
                note = "a primary shard is missing" if one == found.status == "red" else None
                samples.append(Sample(cat.ELASTICSEARCH_STATUS, (self.cluster, one), float(one == found.status), note))
        nodes, shards = shapes.take(answer, NodeCount), shapes.take(answer, Unassigned)
        if nodes is not None and nodes.number_of_nodes is not UNSET:
            samples.append(Sample(cat.ELASTICSEARCH_NODES, (self.cluster,), float(nodes.number_of_nodes)))
        if shards is not None and shards.unassigned_shards is not UNSET:
            samples.append(
                Sample(cat.ELASTICSEARCH_SHARDS_UNASSIGNED, (self.cluster,), float(shards.unassigned_shards))
            )
        return _Part(samples, shapes.failure)

    async def _nodes(self, _: Product, timeout: float) -> _Part:
        shapes, samples = self._shapes(), []
        api = await self._server.api(timeout)
        answer = shapes.take(await api.node_stats(_PIPELINE), Nodes)
        free: list[float] = []
        failed: dict[Hashable, float] = {}
        for name, node in (answer.nodes if answer is not None else {}).items():
            if (found := shapes.take(node, NodeDisk)) is not None:
                disk = found.fs.total
                if disk.total_in_bytes and disk.available_in_bytes is not UNSET:
                    free.append(min(disk.available_in_bytes / disk.total_in_bytes, 1.0))
            if (ingest := shapes.take(node, NodeIngest)) is not None:
                failed[name] = sum(one.failed for one in ingest.ingest.pipelines.values())
        # What failed on one node is told by none of the others: of a sum nobody knows why it fell, when a node leaves.
        labels = (self.cluster, _PIPELINE)
        samples.append(Sample(cat.ELASTICSEARCH_INGEST_FAILED_TOTAL, labels, self._deltas.total(failed)))
        if free:
            samples.append(Sample(cat.ELASTICSEARCH_DISK_AVAILABLE_RATIO, (self.cluster,), min(free)))
        return _Part(samples, shapes.failure)

    async def _streams(self, _: Product, timeout: float) -> _Part:
        api = await self._server.api(timeout)
        try:
            answer = await api.stream_stats(PATTERNS)
        except RefusedError as error:
            if error.status in _NO_SUCH_API:
                return _Part([])
            raise
        shapes = self._shapes()
        sums: dict[Metric, dict[str, float | None]] = {metric: {} for metric in _OF_STREAMS}
        found = shapes.take(answer, Streams)
        for stream in found.data_streams if found is not None else ():
            if (named := shapes.take(stream, StreamName)) is None:
                continue
            dataset = _dataset(named.data_stream)
            _add(sums[cat.ELASTICSEARCH_DATA_STREAM_BYTES], dataset, shapes.take(stream, StreamSize))
            _add(sums[cat.ELASTICSEARCH_BACKING_INDICES], dataset, shapes.take(stream, StreamIndices))
            newest = shapes.take(stream, StreamNewest)
            moment = (newest.maximum_timestamp or 0) / 1000 if newest is not None else 0
            if moment > 0:  # one without documents has none
                times = sums[cat.ELASTICSEARCH_NEWEST_EVENT_TIMESTAMP_SECONDS]
                times[dataset] = max(times.get(dataset) or 0.0, moment)
        samples = [
            Sample(metric, (self.cluster, dataset), value)
            for metric, values in sums.items()
            for dataset, value in values.items()
            if value is not None
        ]
        return _Part(samples, shapes.failure)

    async def _lifecycle(self, product: Product, timeout: float) -> _Part:
        errors = await lifecycle_errors(self._server, product, timeout)
        if errors is None:
            return _Part([])
        note = "; ".join(f"{index}: step {step}" for index, step in list(errors.items())[:3]) or None
        return _Part([Sample(cat.ELASTICSEARCH_LIFECYCLE_ERROR_INDICES, (self.cluster,), float(len(errors)), note)])

    async def _blocked(self, _: Product, timeout: float) -> _Part:
        blocked = await blocked_indices(self._server, timeout)
        note = "; ".join(f"{index}: {why}" for index, why in list(blocked.items())[:3]) or None
        return _Part([Sample(cat.ELASTICSEARCH_BLOCKED_INDICES, (self.cluster,), float(len(blocked)), note)])

    def _shapes(self) -> Shapes:
        return Shapes(self._server.peer.url)


async def _caught(part: Awaitable[_Part]) -> _Part:
    try:
        return await part
    except ProbeError as error:
        return _Part([], error)


def _add(sums: dict[str, float | None], dataset: str, found: StreamSize | StreamIndices | None) -> None:
    """Add a stream's figure to its dataset's, which nobody knows any more when one of them is not known."""
    known = sums.get(dataset, 0.0)
    sums[dataset] = None if found is None or known is None else known + found.value


def _dataset(stream: str) -> str:
    """Return the dataset of a data stream `logs-<dataset>-<namespace>`; `other` for one that is not ours."""
    name = stream.removeprefix("logs-").partition("-")[0]
    return name if name in DATASETS else _OTHER
