"""Our pipelines in the model: their files, an environment to run in, and events as the inputs would make them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keywatch.logstash.pipelines_file import PipelinesFile
from tests.logstash.model.pipeline import Pipeline, Scripts

HERE = Path(__file__).parent
FOLDER = HERE.parents[1] / "logstash"
FILES = sorted((FOLDER / "pipeline").glob("*.conf"))
PIPELINES = FOLDER / "config" / "pipelines.yml"
ENVIRONMENT: Mapping[str, str] = {
    "KEYWATCH_LOGSTASH": str(FOLDER),
    "PII_HASH_KEY": "a key for tests only, 32 bytes or more",
    "KAFKA_BOOTSTRAP": "kafka:9092",
    "ELASTICSEARCH_HOSTS": "https://elasticsearch:9200",
    "ELASTICSEARCH_API_KEY": "id:key",
    "ELASTICSEARCH_CA_FILE": "/ca.crt",
    "KEYCLOAK_DLQ_INPUT": "11-dead-letters,17-dead-letter-files",
    "KEYCLOAK_LOG_INPUT": "12-keycloak-log-files,13-keycloak-log-tcp",
    "KEYWATCH_LOG_INPUT": "14-keywatch-log-files,15-keywatch-log-tcp",
    "LOGSTASH_CERTIFICATE_FILE": "/tls.crt",
    "LOGSTASH_KEY_FILE": "/tls.key",
}
SAMPLES: Mapping[str, str] = {
    "user-events": "keycloak-events",
    "admin-events": "keycloak-events",
    "unparsed-records": "keycloak-events",
    "dead-letters": "keycloak-dlq",
    "dead-letter-files": "keycloak-dlq",
    "keycloak-log-ecs": "keycloak-logs",
    "keycloak-log-json": "keycloak-logs",
    "keywatch-log": "keywatch-logs",
    "rejected": "logstash-dlq",
}
"""Name of a file of samples → the pipeline that they go through."""

# When the model receives its events; what has no readable time of its own keeps this one.
_NOW = "2026-11-25T12:00:00.000Z"


def pipeline(name: str, scripts: Scripts, **environment: str) -> Pipeline:
    """Make one of our pipelines; `environment` adds variables to those of the tests."""
    variables = {**ENVIRONMENT, **environment}
    file = PipelinesFile(PIPELINES, variables)
    found = next(one for one in file.pipelines if one.id == name)
    return Pipeline(found.files, variables, scripts)


def samples(name: str) -> list[dict[str, Any]]:
    """Read samples, as `event` takes them."""
    lines = (HERE / "samples" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def event(sample: Mapping[str, Any]) -> dict[str, Any]:
    """Make the event that an input makes of a record of Kafka, a line, or a dead letter of Logstash."""
    if "dead_letter_queue" in sample:
        found: dict[str, Any] = json.loads(json.dumps(sample["event"]))
        found["@metadata"] = {"dead_letter_queue": dict(sample["dead_letter_queue"])}
        return found
    text = sample["text"]
    made: dict[str, Any] = {"@timestamp": _NOW, "@version": "1", "message": text, "event": {"original": text}}
    made["@metadata"] = {}
    if "topic" in sample:
        made["@metadata"]["kafka"] = {
            **{name: sample[name] for name in ("topic", "partition", "offset", "timestamp", "key")},
            "consumer_group": "keywatch",
            "headers": sample.get("headers", {}),
        }
    else:
        made["log"] = {"file": {"path": "/var/log/keycloak/ann.log"}}
        made["host"] = {"name": "logstash-0"}
    return made
