"""Records what dashboards show: some minutes of calm in the bed of faults, then a row of faults, as Prometheus' blocks.

`python -m tests.dashboards.record` writes recording.tar.xz and recording.json beside this file; a quarter of an hour.
"""

from __future__ import annotations

import contextlib
import json
import random
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from confluent_kafka import OFFSET_END, KafkaException

from keywatch.rules.expression import selections
from keywatch.rules.rule_file import RuleFile
from keywatch_dashboards import render
from tests.dashboards import findings
from tests.faults import brokers, consumers, dead_letters, keycloak, partitions
from tests.faults.bed import DEAD, EVENTS, Bed, bed
from tests.faults.fault import Case
from tests.kafka import admin
from tests.keycloak.driver import Driver
from tests.keycloak.event_path import REALM, USER
from tests.prometheus.server import Prometheus

HERE = Path(__file__).parent
BLOCKS, MOMENTS = HERE / "recording.tar.xz", HERE / "recording.json"
_ALERTS = HERE.parents[1] / "alerts"
_CALM_SECONDS, _GIVEN_UP_SECONDS = 100.0, 240.0
_ODD_RECORDS = (b"no JSON", b'{"type": "LOGIN"}', b"\xff\xfe", b"[1, 2]")


def names() -> set[str]:
    """Name the series that dashboards and alert rules ask for."""
    exprs = [
        findings.expanded(expr) for text in render.texts().values() for _, expr in findings.queries(json.loads(text))
    ]
    rules = [rule for path in sorted((_ALERTS / "rules").glob("*.yml")) for rule in RuleFile(path).rules()]
    exprs += [str(rule.data["expr"]) for rule in rules]
    return {selection.name for expr in exprs for selection in selections(expr)}


def config(keywatch: str, management: str) -> str:
    """Return the example's jobs and rules with other addresses, and only the series that are asked for."""
    data: dict[str, Any] = yaml.safe_load((_ALERTS / "prometheus.yml").read_text(encoding="utf-8"))
    del data["alerting"]
    data["rule_files"] = [str(_ALERTS / "rules" / "*.yml")]
    addresses = {"keywatch-health": keywatch, "keywatch": keywatch, "keycloak": management}
    data["scrape_configs"] = [job for job in data["scrape_configs"] if job["job_name"] in addresses]
    for job in data["scrape_configs"]:
        labels = {"instance": job["job_name"].removesuffix("-health") + "-0"}
        job["static_configs"] = [{"targets": [addresses[job["job_name"]]], "labels": labels}]
        keep = {"source_labels": ["__name__"], "regex": "|".join(sorted(names())), "action": "keep"}
        job["metric_relabel_configs"] = [keep]
    return yaml.safe_dump(data)


class Play:
    """The row of faults. What goes wrong with one of them is told, and the others go on."""

    def __init__(self, made: Bed) -> None:
        """Take a bed that is well."""
        self._bed = made
        self._chance = random.Random(1)  # noqa: S311 - chooses victims
        self._bootstrap = made.kafka.bootstrap
        self.moments: dict[str, tuple[float, float]] = {}
        self.failed = False

    def run(self) -> None:
        """Have some minutes of calm, then one fault after the other; a few fall together, to be done sooner."""
        with self._scene("all"):
            with self._scene("calm"):
                hold(_CALM_SECONDS)
            with self._scene("wrong passwords"), self._scene("records that are no events"):
                self._odd()
            for name, prepare, seconds in (
                ("broker frozen", brokers.frozen, 25),
                ("canary refused", partitions.unwritable, 25),
                ("topic deleted", partitions.deleted, 20),
                ("database killed", keycloak.database_killed, 25),
                ("broker killed", partitions.leaderless, 60),
            ):
                with self._scene(name, calm=True):
                    self._lasting(prepare(self._bed, self._chance), seconds)
            with self._scene("Keycloak cut off"):
                cut = keycloak.cut_off(self._bed, self._chance)
                cut.inject()
                with self._scene("dead letters"):
                    self._dead()
                with self._scene("group behind"):
                    self._lasting(consumers.behind(self._bed, self._chance), 60)
                with self._scene("nobody reads"):
                    self._lasting(consumers.abandoned(self._bed, self._chance), 30)
                cut.repair()
            # All is not well again until missing events are given up.
            with self._scene("events given up"):
                hold(_GIVEN_UP_SECONDS)

    @contextlib.contextmanager
    def _scene(self, name: str, *, calm: bool = False) -> Iterator[None]:
        begun = time.time()
        say(f"{time.strftime('%X')} {name}")
        try:
            yield
        except (TimeoutError, AssertionError, RuntimeError, OSError, KafkaException) as error:
            say(f"{name}: {error}")
            self.failed = True
        self.moments[name] = (begun, time.time())
        if calm:
            try:
                self._bed.wait_calm()
            except TimeoutError as error:
                say(f"after {name}: {error}")
                self.failed = True

    def _lasting(self, case: Case, seconds: float) -> None:
        case.inject()
        hold(seconds)
        case.repair()
        case.clean()

    def _odd(self) -> None:
        strangers = Driver(self._bed.keycloak)
        for _ in range(40):
            strangers.login_wrongly(REALM, USER)
            hold(1)  # a counter that begins with all of them shows no growth
        strangers.close()
        for value in _ODD_RECORDS:
            admin.produce(self._bootstrap, EVENTS, 5, value=value)
        self._bed.exporter.get("/metrics", {"Content-Length": "99999999"}, "POST")

    def _dead(self) -> None:
        topic, folder = (make(self._bed, self._chance) for make in (dead_letters.in_topic, dead_letters.in_folder))
        topic.inject()
        hold(10)
        folder.inject()
        admin.produce(self._bootstrap, DEAD, 4, value=b'{"error": "schema"}')
        hold(35)
        folder.repair()
        topic.repair()
        for partition in range(3):
            admin.delete_records(self._bootstrap, DEAD, partition, before=OFFSET_END)


def hold(seconds: float) -> None:
    """Let a state last: what it looks like is what is recorded."""
    time.sleep(seconds)


def main() -> int:
    """Record; exit code 1 when a scene did not go as it should, and what came of the others is kept."""
    with bed() as made:
        made.use("plain")
        management = made.keycloak.management_url.rpartition("//")[2]
        recorder = Prometheus(config(f"127.0.0.1:{made.exporter.port}", management), "--web.enable-admin-api")
        with recorder:
            play = Play(made)
            play.run()
            keep(recorder.snapshot(), play.moments)
    return int(play.failed)


def keep(blocks: Path, moments: dict[str, tuple[float, float]], kept: Path = BLOCKS) -> None:
    """Write the recording, and beside it when each scene was."""
    with tarfile.open(kept, "w:xz", preset=9) as archive:
        for path in sorted(blocks.rglob("*")):
            if path.is_file():
                archive.add(path, path.relative_to(blocks), filter=_nameless)
    MOMENTS.with_name(f"{kept.name.partition('.')[0]}.json").write_text(
        json.dumps(moments, indent=1) + "\n", encoding="utf-8"
    )
    say(f"{kept.name}: {kept.stat().st_size:,} bytes")


def _nameless(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = info.mtime = 0
    info.uname = info.gname = ""
    return info


def say(line: str) -> None:
    """Tell how it goes on."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
