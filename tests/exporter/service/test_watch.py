"""Another configuration is put in force part by part: what it does not touch goes on, what it removes is gone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from keywatch.config.model import Config
from keywatch.config.secret import SecurityError
from keywatch.demo.embedded import EmbeddedCluster
from keywatch.engine.exposition import render
from keywatch.engine.probe import Probe
from keywatch.engine.store import Key, key_of
from keywatch.metrics import canary as sent
from keywatch.metrics import cluster as cat
from keywatch.service.config_file import from_data
from keywatch.service.watch import Watch
from tests.exporter.waiting import until

ALL = {"broker", "cluster", "quorum", "log_dirs", "topics", "configs", "offsets", "groups", "retention", "canary"}


@pytest.fixture(scope="module")
def clusters() -> Iterator[dict[str, str]]:
    with EmbeddedCluster(3) as one, EmbeddedCluster(1) as two:
        for cluster in (one, two):
            cluster.create_topic("events", 3, 1)
            cluster.create_topic("keywatch-canary", 3, 1)
        yield {"one": one.bootstrap, "two": two.bootstrap}


def config(clusters: Mapping[str, str], *names: str, **changes: Any) -> Config:
    """Return a configuration of these clusters; `changes` are more keys of the cluster `one`."""
    sections = [
        {"name": name, "bootstrap": clusters[name].split(","), **(changes if name == "one" else {})} for name in names
    ]
    return from_data({"clusters": sections}, "test")


@pytest.fixture
async def watch(clusters: dict[str, str]) -> AsyncIterator[Watch]:
    made = Watch(config(clusters, "one", "two"))
    made.start()
    await until(lambda: settled(made, 4), "all has run")
    yield made
    await made.stop()


def settled(watch: Watch, brokers: int) -> bool:
    up = sum(watch.store.values(cat.BROKER_UP).values())
    return up == brokers == sum(watch.store.values(sent.CANARY_UP).values()) and not watch.scheduler.not_yet_run()


def serving(watch: Watch) -> dict[Key, Probe]:
    return {key_of(probe): probe for probe in watch.scheduler.probes}


def made_anew(before: Mapping[Key, Probe], after: Mapping[Key, Probe]) -> set[tuple[str, str]]:
    """Name cluster and kind of the probes that are not the objects they were."""
    keys = before.keys() | after.keys()
    return {(key.cluster, key.probe) for key in keys if before.get(key) is not after.get(key)}


async def test_the_same_again_changes_nothing(watch: Watch, clusters: dict[str, str]) -> None:
    before = serving(watch)
    assert await watch.change(config(clusters, "one", "two")) == "nothing to change for the clusters"
    assert serving(watch) == before


@pytest.mark.parametrize(
    ("changes", "touched"),
    [
        ({"groups": {"limits": [{"records": 5}]}}, {"groups"}),
        ({"groups": {"enabled": False}}, {"groups", "retention"}),
        ({"canary": {"period": 2}}, {"canary"}),
        ({"canary": {"enabled": False}}, {"canary"}),
        ({"canary": {"topic": "mine"}}, {"canary", "topics", "configs", "offsets", "groups", "log_dirs"}),
        ({"topics": {"watch": ["events"]}}, {"cluster", "topics", "configs", "offsets", "log_dirs"}),
        ({"topics": {"exclude": ["x"]}}, {"topics", "configs", "offsets", "groups", "log_dirs"}),
        ({"cluster": {"ask": 3}}, {"cluster"}),
        ({"broker": {"misses": 3}}, {"broker"}),
        ({"broker": {"expected": [1, 2, 3]}}, set()),
        ({"client": {"client.rack": "a"}}, ALL),
    ],
    # Sorted: workers that run tests side by side must find the same ids, whatever order a set has in each of them.
    ids=lambda value: "+".join(sorted(value)) or "none" if isinstance(value, set) else str(value),
)
async def test_only_the_probes_that_are_made_of_it_are_made_anew(
    watch: Watch, clusters: dict[str, str], changes: dict[str, Any], touched: set[str]
) -> None:
    before = serving(watch)
    words = await watch.change(config(clusters, "one", "two", **changes))
    assert made_anew(before, serving(watch)) == {("one", probe) for probe in touched}
    assert watch.store.values(cat.BROKER_UP).keys() >= {("two", "1")}
    if touched == ALL:
        assert words == "one started anew"
    elif touched:
        assert words == f"one: made anew: {', '.join(sorted(touched))}"


async def test_a_probe_that_is_made_anew_serves_the_old_values_until_it_has_its_own(
    watch: Watch, clusters: dict[str, str]
) -> None:
    before = watch.store.values(cat.BROKER_UP)
    old = serving(watch)[Key("one", "broker", "1")]
    await watch.change(config(clusters, "one", "two", broker={"period": 0.3}))
    assert watch.store.values(cat.BROKER_UP) == before
    assert serving(watch)[Key("one", "broker", "1")] is not old
    assert all(probe.schedule.period == 0.3 for key, probe in serving(watch).items() if key[:2] == ("one", "broker"))
    await until(lambda: settled(watch, 4), "the new probes have run")


async def test_a_broker_that_is_expected_from_now_on_is_missed(watch: Watch, clusters: dict[str, str]) -> None:
    await watch.change(config(clusters, "one", "two", broker={"expected": [9]}))
    await until(lambda: watch.store.values(cat.BROKER_UP).get(("one", "9")) == 0, "broker 9 is missed")
    await watch.change(config(clusters, "one", "two"))
    await until(lambda: ("one", "9") not in watch.store.values(cat.BROKER_UP), "nobody misses it any more")


async def test_a_canary_that_is_switched_off_leaves_no_series(watch: Watch, clusters: dict[str, str]) -> None:
    await watch.change(config(clusters, "one", "two", canary={"enabled": False}))
    await until(lambda: ("one", "canary", "") not in serving(watch), "it is out of service")
    await until(lambda: not [line for line in lines(watch) if 'cluster="one"' in line and "canary" in line], "all gone")
    assert [line for line in lines(watch) if 'cluster="two"' in line and "keywatch_canary_up" in line]


async def test_a_cluster_that_is_taken_away_leaves_no_series_and_one_that_comes_is_watched(
    watch: Watch, clusters: dict[str, str]
) -> None:
    before = serving(watch)
    assert await watch.change(config(clusters, "two")) == "one removed"
    assert not [line for line in lines(watch) if 'cluster="one"' in line]
    assert not [incident for incident in watch.incidents if "one" in incident.labels]
    assert list(watch.topologies) == ["two"]
    assert serving(watch) == {key: probe for key, probe in before.items() if key.cluster == "two"}
    assert await watch.change(config(clusters, "one", "two")) == "one added"
    await until(lambda: settled(watch, 4), "it is watched again")


async def test_another_address_is_another_cluster(watch: Watch, clusters: dict[str, str]) -> None:
    known = watch.topologies["one"]
    assert await watch.change(config({**clusters, "one": clusters["two"]}, "one", "two")) == "one started anew"
    assert watch.topologies["one"] is not known
    await until(lambda: settled(watch, 2), "the other cluster is watched under the name")
    assert set(watch.store.values(cat.BROKER_UP)) == {("one", "1"), ("two", "1")}


async def test_security_that_cannot_be_used_changes_nothing(
    watch: Watch, clusters: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("no certificate", encoding="utf-8")
    section = {"name": "one", "bootstrap": clusters["one"].split(","), "tls": {"ca_file": file}}
    bad = Config.model_validate({"clusters": [section]})
    before, config_before = serving(watch), watch.config
    with pytest.raises(SecurityError):
        await watch.change(bad)
    assert serving(watch) == before
    assert watch.config is config_before


def lines(watch: Watch) -> list[str]:
    return render(watch.store, lambda _: True, openmetrics=False).decode().splitlines()
