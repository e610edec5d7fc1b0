"""Whatever a health endpoint answers is read as health or refused, and nothing else."""

from __future__ import annotations

import json

from keywatch.engine.probe import ProbeError, Reason
from keywatch.net.http_peer import Answer
from keywatch.probes.keycloak.health import Health, health_of
from tests.exporter.fakes.misshapen import misshapen

ANSWER = {"status": "DOWN", "checks": [{"name": "Keycloak database", "status": "DOWN", "data": {"since": "now"}}]}


def read(body: object) -> Health | ProbeError:
    try:
        return health_of(Answer(503, "application/json", json.dumps(body).encode(), 0.0))
    except ProbeError as refusal:
        return refusal


def test_an_answer_of_another_shape_is_read_or_refused_and_nothing_else() -> None:
    refused = 0
    for words, shape in misshapen(ANSWER):
        found = read(shape)
        if isinstance(found, ProbeError):
            assert found.reason is Reason.PROTOCOL, words
            refused += 1
    assert refused > 10


def test_a_checks_name_is_as_long_as_a_person_reads() -> None:
    found = read({"status": "UP", "checks": [{"name": "x" * 60_000, "status": "UP"}]})
    assert isinstance(found, Health)
    assert [len(name) for name in found.checks] == [200]
