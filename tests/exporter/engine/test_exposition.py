"""Both formats parse, tell the same values, escape what must be, and hold what was asked for."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from keywatch.engine.exposition import UnknownCollectorError, render, selection
from keywatch.engine.probe import Sample
from keywatch.engine.store import Account, Key, Store
from keywatch.metrics import catalogue as cat
from keywatch.metrics import cluster as cluster_metrics
from keywatch.metrics import exporter as exporter_metrics
from keywatch.metrics.metric import Metric
from keywatch.metrics.probe import PROBE_LEFT_OUT
from tests.exporter.fakes.states import NOW, ODD, WALL, known

GOLDEN = Path(__file__).parents[1] / "golden" / "metrics.txt"
Series = dict[tuple[str, frozenset[tuple[str, str]]], float]

_EVERYTHING = selection([])


def series(families: Iterable[Family]) -> Series:
    found: Series = {}
    for family in families:
        for sample in family.samples:
            identity = (sample.name, frozenset(sample.labels.items()))
            assert identity not in found, f"twice: {identity}"
            found[identity] = sample.value
    return found


def as_text(store: Store) -> Series:
    return series(parse_text(render(store, _EVERYTHING, openmetrics=False).decode()))


def as_openmetrics(store: Store) -> Series:
    text = render(store, _EVERYTHING, openmetrics=True).decode()
    return series(parse_openmetrics(text))  # type: ignore[no-untyped-call] # untyped upstream


def only(metric: Metric, labels: tuple[str, ...], value: float) -> Store:
    store = Store()
    store.replace(Key("kafka", metric.probe, ""), [Sample(metric, labels, value)], WALL, NOW)
    return store


def every_metric() -> Store:
    store = Store()
    samples = [Sample(metric, tuple(f"{name} of it" for name in metric.labels), 0.25) for metric in cat.METRICS]
    store.replace(Key("kafka", "topics", ""), samples, WALL, NOW)
    return store


def test_a_known_state_is_rendered_as_the_golden_file() -> None:
    rendered = render(known(), _EVERYTHING, openmetrics=False).decode()
    # To take over a change that was meant: KEYWATCH_WRITE_GOLDEN=1, then read the difference.
    if os.environ.get("KEYWATCH_WRITE_GOLDEN"):
        GOLDEN.write_text(rendered, encoding="utf-8")
    assert rendered == GOLDEN.read_text(encoding="utf-8")


@pytest.mark.parametrize("store", [Store(), known(), every_metric()], ids=["nothing", "known", "every metric"])
def test_both_formats_parse_and_tell_the_same(store: Store) -> None:
    assert as_text(store) == as_openmetrics(store)


def test_every_metric_is_rendered_with_its_type_and_help_in_both_formats() -> None:
    store = every_metric()
    told_by_accounts = {m for m in cat.METRICS if m.name.startswith("keywatch_probe_") and m.kind == "gauge"}
    told_by_accounts.remove(PROBE_LEFT_OUT)
    expected = {(m.name.removesuffix("_total"), str(m.kind), m.help) for m in cat.METRICS if m not in told_by_accounts}
    for parse, openmetrics in ((parse_text, False), (parse_openmetrics, True)):
        families = parse(render(store, _EVERYTHING, openmetrics=openmetrics).decode())
        assert {(family.name, family.type, family.documentation) for family in families} == expected


def test_a_state_holds_the_values_that_were_put_in() -> None:
    found = as_text(known())
    assert found[("keywatch_broker_up", frozenset({("cluster", "kafka"), ("broker", "2")}))] == 0
    end = frozenset({("cluster", "kafka"), ("topic", ODD), ("partition", "1")})
    assert found[("keywatch_partition_end_offset", end)] == 2**53
    # Of the two brokers' probes the worst, or the oldest, stands for both.
    broker = frozenset({("cluster", "kafka"), ("probe", "broker")})
    canary = frozenset({("cluster", "kafka"), ("probe", "canary")})
    assert found[("keywatch_probe_success", broker)] == 1
    assert found[("keywatch_probe_success", canary)] == 0
    assert found[("keywatch_probe_last_run_timestamp_seconds", broker)] == WALL - 2
    assert found[("keywatch_probe_frame_timestamp_seconds", broker)] == WALL - 2
    assert found[("keywatch_probe_last_run_timestamp_seconds", canary)] == WALL - 30


def test_one_failed_target_makes_the_probe_a_failed_one() -> None:
    store = known()
    store.account(Key("kafka", "broker", "1"), Account(False, WALL, 0.5), 0.1, None)
    probe = frozenset({("cluster", "kafka"), ("probe", "broker")})
    assert as_text(store)[("keywatch_probe_success", probe)] == 0


def test_a_histogram_cumulates_and_ends_with_its_count() -> None:
    trips = [
        (dict(labels).get("le"), value)
        for (name, labels), value in as_text(known()).items()
        if name == "keywatch_canary_round_trip_seconds_bucket"
    ]
    counts = dict(trips)
    assert [counts[bound] for bound in ("0.005", "0.2", "0.5", "5.0", "+Inf")] == [2, 2, 3, 3, 4]
    assert [value for _, value in trips] == sorted(value for _, value in trips)
    labels = frozenset({("cluster", "kafka"), ("broker", "1")})
    assert as_text(known())[("keywatch_canary_round_trip_seconds_count", labels)] == 4
    assert as_text(known())[("keywatch_canary_round_trip_seconds_sum", labels)] == pytest.approx(7.309)


@given(st.text(max_size=20))
def test_any_label_value_comes_back_from_both_parsers(value: str) -> None:
    store = only(cluster_metrics.TOPIC_PARTITIONS, ("kafka", value), 3)
    expected = {"cluster": "kafka", "topic": value}
    for found in (as_text(store), as_openmetrics(store)):
        assert found == {("keywatch_topic_partitions", frozenset(expected.items())): 3}


@given(st.floats())
def test_any_value_comes_back_from_both_parsers(value: float) -> None:
    store = only(exporter_metrics.EVENT_LOOP_LAG_SECONDS, (), value)
    for found in (as_text(store), as_openmetrics(store)):
        (read,) = found.values()
        assert read == value or (math.isnan(read) and math.isnan(value))


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (math.nan, "NaN"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
        (-0.0, "0"),
        (3.0, "3"),
        (0.1, "0.1"),
        (1e-9, "1e-09"),
    ],
)
def test_values_are_written_as_prometheus_writes_them(value: float, written: str) -> None:
    text = render(only(exporter_metrics.EVENT_LOOP_LAG_SECONDS, (), value), _EVERYTHING, openmetrics=False).decode()
    assert text.splitlines()[-1] == f"keywatch_event_loop_lag_seconds {written}"


def test_a_frame_is_rendered_anew_once_it_was_replaced() -> None:
    store = only(cluster_metrics.TOPIC_PARTITIONS, ("kafka", "a"), 1)
    assert b'topic="a"} 1\n' in render(store, _EVERYTHING, openmetrics=False)
    store.replace(Key("kafka", "topics", ""), [Sample(cluster_metrics.TOPIC_PARTITIONS, ("kafka", "a"), 2)], WALL, NOW)
    assert b'topic="a"} 2\n' in render(store, _EVERYTHING, openmetrics=True)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], set(cat.METRICS)),
        (["topics"], {metric for metric in cat.METRICS if metric.probe == "topics"}),
        (["broker", "canary"], {metric for metric in cat.METRICS if metric.probe in ("broker", "canary")}),
        (["health"], {metric for metric in cat.METRICS if metric.health}),
        (["health", "offsets"], {metric for metric in cat.METRICS if metric.health or metric.probe == "offsets"}),
    ],
)
def test_a_selection_takes_collectors_and_the_health_set(names: list[str], expected: set[Metric]) -> None:
    wanted = selection(names)
    assert {metric for metric in cat.METRICS if wanted(metric)} == expected
    assert expected


def test_an_unknown_collector_is_refused_with_what_is_allowed() -> None:
    with pytest.raises(UnknownCollectorError) as refused:
        selection(["health", "brokers"])
    assert str(refused.value) == (
        "collect[]: no collector is called 'brokers'; allowed: health, probe, broker, cluster, topics, configs,"
        " offsets, quorum, log_dirs, exporter, groups, canary, retention, events, reconciliation, keycloak, dlq,"
        " logstash, elasticsearch, log_lag, log_canary"
    )
