"""`keywatch dlq` does all it does with the rights that its guide gives, and names each one that is missing."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from keywatch.kafka import rights
from keywatch.kafka.rights import KafkaRight
from tests.exporter.commands import keywatch
from tests.kafka import acls, admin, redriving
from tests.kafka.acls import Right
from tests.kafka.cluster import KafkaCluster
from tests.kafka.fixtures import kafka_required

pytestmark = pytest.mark.kafka

USER, PASSWORD = "redriver", "correct-horse"
DLQ, TO = "siem-sink-dlq", "keycloak.events"
GIVEN = [Right(one.operation, one.kind, one.given) for one in rights.REDRIVE]
# What is needed on the way alone: a topic that is there need not be made, one that is not emptied not be deleted from.
ASKED = [one for one in rights.REDRIVE if one.operation not in {"Create", "Delete"} and one is not rights.WRITE_PARKED]


@pytest.fixture(scope="module")
def cluster() -> Iterator[KafkaCluster]:
    kafka_required()
    with KafkaCluster(1, listeners=["OUT:SASL_PLAINTEXT"], users={USER: PASSWORD}, extra=acls.AUTHORIZER) as made:
        redriving.fill_topic(made.bootstrap, DLQ, TO, 10, partitions=1)
        yield made


@pytest.fixture
def config(cluster: KafkaCluster, tmp_path: Path) -> Iterator[Path]:
    file = tmp_path / "keywatch.yml"
    one = {
        "bootstrap": [cluster.bootstrap_for("OUT")],
        "sasl": {"mechanism": "PLAIN", "username": USER, "password": PASSWORD},
        "dlq": [{"name": "siem-sink", "topics": [DLQ]}],
        "redrive": {"state_folder": str(tmp_path / "state")},
    }
    file.write_text(yaml.safe_dump({"clusters": [one]}), encoding="utf-8")
    acls.allow(cluster.bootstrap, USER, GIVEN)
    yield file
    acls.revoke(cluster.bootstrap, USER, GIVEN)


def dlq(config: Path, *arguments: str) -> tuple[int, str, str]:
    done = keywatch("dlq", arguments[0], "--config.file", str(config), "siem-sink", *arguments[1:])
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


@pytest.mark.skipif(os.environ.get("KEYWATCH_KAFKA", "4").startswith("3"), reason="rights are those of Kafka 4")
def test_these_rights_suffice_and_each_one_is_missed_by_name(cluster: KafkaCluster, config: Path) -> None:
    assert dlq(config, "list")[0] == 0
    assert dlq(config, "park", "--offset", "0", "--because", "poison")[0] == 0
    assert dlq(config, "replay", "--max", "2", "--yes")[0] == 0
    for right in ASKED:
        given = Right(right.operation, right.kind, right.given)
        acls.revoke(cluster.bootstrap, USER, [given])
        code, out, err = dlq(config, "replay", "--max", "1", "--yes", "--json")
        acls.allow(cluster.bootstrap, USER, [given])
        assert code == 1, f"{right}: {out} {err}"
        assert _names(right, out, err), f"{right}: {out} {err}"
    code, out, err = dlq(config, "replay", "--yes", "--purge", "--json")
    assert (code, json.loads(out)["replayed"]) == (0, 7), err
    assert redriving.faults(redriving.committed(cluster.bootstrap, TO), 10) == ["1 lost, such as 0"]
    ((_, value, _),) = redriving.committed(cluster.bootstrap, f"{DLQ}.parked")
    assert json.loads(value or b"")["number"] == 0
    acls.revoke(cluster.bootstrap, USER, [Right("Delete", "Topic", DLQ)])
    admin.produce(cluster.bootstrap, DLQ, 1)
    code, _, err = dlq(config, "replay", "--to", TO, "--yes", "--purge")
    assert (code, f"Delete on Topic:{DLQ} is missing" in err) == (1, True)


def _names(right: KafkaRight, out: str, err: str) -> bool:
    if right is rights.WRITE_DESTINATION:
        refused = json.loads(out)["refused"]
        return set(refused) <= {"authorization", "unknown_topic"} and bool(refused)
    name = f"keywatch-redrive-{DLQ}" if right.prefixed else right.given
    return replace(right).missing(name) in err
