"""Stands in for Logstash between real Kafka and real OpenSearch: runs our own pipeline files in the filter model."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from tests.logpath.bulk_output import BulkOutput
from tests.logpath.event_queue import EventQueue, Json
from tests.logpath.kafka_input import KafkaInput, inputs_of
from tests.logstash import ours
from tests.logstash.ruby import Ruby

NAME = "keycloak-events"
REJECTED = "logstash-dlq"
_INPUTS = "10-events"
_BATCH = 125
_DELAY_SECONDS = 0.05


class Carrier:
    """The pipelines `keycloak-events` and `logstash-dlq`; a context manager that enters reading.

    An offset is committed once its record lies in the queue, as Logstash commits; an event leaves the queue once
    OpenSearch has answered for it, so none is lost while either stands still. Where the queue is full, nothing is read.
    """

    def __init__(
        self,
        bootstrap: str,
        address: str,
        ruby: Ruby,
        *,
        queue_bytes: int = 64 << 20,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Read the pipelines; `environment` goes over that of the tests."""
        variables = dict(environment or {})
        self.queue = EventQueue(queue_bytes)
        self.inputs = [
            KafkaInput(plugin, bootstrap, self.queue, {**ours.ENVIRONMENT, **variables})
            for plugin in inputs_of(_INPUTS)
        ]
        self.outputs = {NAME: BulkOutput(address), REJECTED: BulkOutput(address)}
        self.begun = time.time()
        self.filtered = dict.fromkeys(self.outputs, 0)
        self.out = dict.fromkeys(self.outputs, 0)
        self.worked = dict.fromkeys(self.outputs, 0.0)
        """Seconds that the worker spent on filters and outputs."""
        self.rejected_bytes = 0
        # That of events last, so that a script of it is the newest, which can be put out of order.
        self._pipelines = {name: ours.pipeline(name, ruby, **variables) for name in (REJECTED, NAME)}
        self._ended = threading.Event()
        self._worker = threading.Thread(target=self._work, daemon=True)

    @property
    def groups(self) -> dict[str, str]:
        """Return the consumer group of each input, by the input's id."""
        return {one.id: one.group for one in self.inputs}

    def read(self) -> None:
        """Join the groups and read."""
        for one in self.inputs:
            one.start()

    def stop_reading(self) -> None:
        """Leave the groups; what was read goes on its way."""
        for one in self.inputs:
            one.stop()

    def hold(self) -> None:
        """Go on reading and committing, and keep all in the queue."""
        self.queue.held = True

    def release(self) -> None:
        """Deliver what was kept."""
        self.queue.held = False

    def __enter__(self) -> Self:
        self._worker.start()
        self.read()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        self.stop_reading()
        self._worker.join(30)
        for output in self.outputs.values():
            output.close()

    def _work(self) -> None:
        while not self._ended.is_set():
            if events := self.queue.look(_BATCH, _DELAY_SECONDS):
                dead = self._deliver(NAME, events)
                self.rejected_bytes = sum(len(str(one)) for one in dead)
                self._deliver(REJECTED, dead)
                if self._ended.is_set():
                    return
                self.rejected_bytes = 0
                self.queue.done(len(events))

    def _deliver(self, name: str, events: list[Json]) -> list[Json]:
        """Filter events and have them stored; returns those refused, as the input of the other pipeline makes them."""
        begin = time.monotonic()
        documents = [document for event in events for document in self._pipelines[name].run(event)]
        self.filtered[name] += len(events)
        refused = self.outputs[name].create(documents, self._ended)
        self.worked[name] += time.monotonic() - begin
        if refused is None:
            return []
        self.out[name] += len(documents)
        at = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
        said = {"plugin_type": "elasticsearch", "entry_time": at}
        return [
            ours.event(
                {
                    "event": {key: value for key, value in one.document.items() if key != "_id"},
                    "dead_letter_queue": {"plugin_id": one.plugin, "reason": one.reason, **said},
                }
            )
            for one in refused
        ]
