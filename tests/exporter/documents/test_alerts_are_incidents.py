"""Whatever calls somebody, or makes a ticket, is on the page and in `keywatch check`, or says why it cannot be.

What is judged by its value is fed with the very series that make the alert fire in the alert's own test.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import yaml

import keywatch
from keywatch.engine.incidents import Incidents
from keywatch.engine.probe import Sample
from keywatch.engine.store import Key
from keywatch.metrics import catalogue
from keywatch.metrics.metric import Metric, MetricKind
from keywatch.metrics.trouble import COUNTERS, GAUGES

_ROOT: Final = Path(__file__).parents[3]
_ALERTS: Final = _ROOT / "alerts" / "rules"
_TABLES: Final = _ROOT / "tests" / "alerts"
_METRICS: Final = {metric.name: metric for metric in catalogue.METRICS}
_HISTORY: Final = "it compares with what was long before, which Prometheus keeps and keywatch does not"
_ABSENT: Final = "it says that keywatch does not run, or not well enough to tell anything"

SHOWN_AS: Final = {
    "KafkaGroupWithoutMembers": "keywatch_group_lag_records",
    "KafkaGroupLagTooHigh": "keywatch_group_lag_records",
    "KafkaGroupStuck": "keywatch_group_lag_seconds",
    "KafkaGroupNotReading": "it is of groups that nobody asked to be called for: the table of groups shows their lag",
    "KafkaGroupLagGrowing": _HISTORY,
    "KafkaGroupRebalancing": _HISTORY,
    "KafkaGroupUnreadable": "keywatch_group_up",
    "KafkaGroupPartitionsUnknown": "keywatch_group_partitions_unknown",
    "KafkaGroupRecordsNearDeletion": "keywatch_group_retention_left_seconds",
    "KafkaGroupRecordsDeletedWithinDay": "keywatch_group_retention_left_seconds",
    "KafkaGroupRewound": "keywatch_group_rewound_timestamp_seconds",
    "KafkaGroupRecordsSkipped": "keywatch_group_partitions_out_of_range",
    "KafkaGroupPartitionUncommitted": "keywatch_group_partitions_assigned_uncommitted",
    "KeycloakEventsDeadLettered": "keywatch_dlq_records",
    "DeadLettersGrowing": "keywatch_dlq_records",
    "DeadLettersOld": "keywatch_dlq_oldest_timestamp_seconds",
    "DeadLetterQueueUnreadable": "keywatch_dlq_up",
    "KeycloakEventsNotArriving": "keywatch_events_missing",
    "KeycloakEventsLost": "keywatch_events_lost_total",
    "KeycloakEventsSilent": "keywatch_events_missing",
    "KeycloakEventsMalformed": "keywatch_events_malformed_total",
    "KeycloakEventsLate": _HISTORY,
    "KeycloakEventsUnreadable": "keywatch_events_up",
    "KeycloakEventsNotJudged": "keywatch_events_judged_timestamp_seconds",
    "KeycloakEventsSkipped": "keywatch_events_skipped_records_total",
    "KeycloakEventsDuplicated": _HISTORY,
    "KeycloakClockOff": "keywatch_keycloak_clock_skew_seconds",
    "KeywatchDown": _ABSENT,
    "KeywatchAbsent": _ABSENT,
    "KeywatchProbeStuck": "keywatch_probe_last_run_timestamp_seconds",
    "KeywatchExhausted": "keywatch_broker_up",
    "KeywatchProbeFailing": "keywatch_probe_success",
    "KeywatchLeavesOut": "keywatch_probe_left_out",
    "KeywatchReloadFailed": "keywatch_config_reload_successful",
    "KeywatchWebReloadFailed": "keywatch_web_config_reload_successful",
    "KeywatchClockOff": "keywatch knows no other clock: Prometheus compares with its own",
    "KeywatchEventLoopLagging": "keywatch_event_loop_lag_seconds",
    "KeywatchViewsDiffer": "one keywatch does not know what another one sees",
    "KeywatchRestarting": _ABSENT,
    "KeywatchDefect": "keywatch_defects_total",
    "KeywatchLogLinesLost": "keywatch_log_lines_lost_total",
    "KafkaPartitionsUnderReplicated": "keywatch_topic_partitions_under_replicated",
    "KafkaUnsupported": "keywatch_cluster_up",
    "KafkaPartitionsElecting": "keywatch_topic_partitions_electing",
    "KafkaThrottlesKeywatch": "keywatch_broker_rest_seconds",
    "KafkaConnectionLimitReached": "keywatch_broker_connection_limit",
    "KafkaBrokersShareAddress": "keywatch_brokers_sharing_address",
    "KafkaOffsetsUnread": "keywatch_topic_partitions_unread",
    "KafkaCanarySlow": "keywatch_canary_last_round_trip_seconds",
    "KafkaCertificateEndsSoon": "keywatch_tls_certificate_not_after_timestamp_seconds",
    "KafkaCertificateEnds": "keywatch_tls_certificate_not_after_timestamp_seconds",
    "KafkaClusterDown": "keywatch_cluster_up",
    "KafkaQuorumLost": "keywatch_quorum_up",
    "KafkaBrokerFenced": "keywatch_broker_fenced",
    "KafkaControllerDown": "keywatch_controller_up",
    "KafkaUncleanElection": "keywatch_topic_unclean_election_timestamp_seconds",
    "KafkaTopicUnsafe": "keywatch_topic_as_expected",
    "KafkaTopicNotAsExpected": "keywatch_topic_as_expected",
    "KafkaLogDirOffline": "keywatch_log_dir_up",
    "KafkaDiskNearlyFull": "keywatch_log_dir_free_bytes",
    "KafkaDiskFullSoon": _HISTORY,
    "KafkaDiskFullWithinDay": _HISTORY,
    "KafkaDiskSkew": "it is nothing that hurts by itself: the dashboard of Kafka shows it",
    "KafkaBrokerDown": "keywatch_broker_up",
    "KafkaOtherCluster": "keywatch_broker_up",
    "KafkaAuthenticationFailed": "keywatch_broker_up",
    "KafkaAuthorizationFailed": "keywatch_probe_success",
    "KafkaPartitionsOffline": "keywatch_topic_partitions_offline",
    "KafkaPartitionsBelowMinIsr": "keywatch_topic_partitions_below_min_isr",
    "KafkaTopicMissing": "keywatch_topic_exists",
    "KafkaBrokerSlow": "keywatch_broker_response_seconds",
    "KafkaCanaryFailing": "keywatch_canary_up",
    "KafkaCanaryRecordsLost": "keywatch_canary_records_lost_total",
    "KeycloakDown": "keywatch_keycloak_up",
    "KeycloakNotReady": "keywatch_keycloak_ready",
    "KeycloakStarting": "keywatch_keycloak_ready",
    "KeycloakSlow": "keywatch_keycloak_response_seconds",
    "KeycloakCertificateEndsSoon": "keywatch_keycloak_tls_certificate_not_after_timestamp_seconds",
    "LogstashDown": "keywatch_logstash_up",
    "LogstashReloadFailed": "keywatch_logstash_reload_successful",
    "LogstashQueueFilling": "keywatch_logstash_queue_bytes",
    "LogstashQueueFull": "keywatch_logstash_queue_bytes",
    "LogstashRejecting": "keywatch_logstash_documents_total",
    "LogstashDeadLettersGrowing": "keywatch_logstash_documents_total",
    "LogstashDeadLettersDropped": "keywatch_logstash_dlq_dropped_total",
    "LogstashRetryStorm": "keywatch_logstash_documents_total",
    "LogRedactionFailed": "keywatch_log_redaction_failed_documents",
    "ElasticsearchLifecycleErrors": "keywatch_elasticsearch_lifecycle_error_indices",
    "ElasticsearchClusterRed": "keywatch_elasticsearch_status",
    "ElasticsearchDiskWatermark": "keywatch_elasticsearch_disk_available_ratio",
    "ElasticsearchReadOnly": "keywatch_elasticsearch_blocked_indices",
    "LogIndexLagGrowing": _HISTORY,
    "KeycloakLogsStalled": "keywatch_log_lag_seconds",
    "LogCanaryLost": "keywatch_log_canary_up",
    "KeycloakLogsLate": "keywatch_log_lag_seconds",
}
"""Alert → the metric whose incident it is, or why there is none. Alerts on series of others are not here."""
_FED_OTHERWISE: Final = frozenset({"KeycloakLogsStalled", "DeadLettersGrowing", "LogstashDeadLettersGrowing"})
"""Alerts that fire by other series than that of their incident."""


def _alerts() -> Iterator[tuple[str, str, str]]:
    """Return name, severity and expression of each alert."""
    for path in sorted(_ALERTS.glob("*.yml")):
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            for rule in group["rules"]:
                if "alert" in rule:
                    yield rule["alert"], rule["labels"]["severity"], rule["expr"]


def test_each_alert_on_a_series_of_ours_is_an_incident_or_says_why_not() -> None:
    ours = {
        name
        for name, severity, expression in _alerts()
        if (severity != "info" and re.search(r"\bkeywatch_", expression)) or name in {"KeywatchDown", "KeywatchAbsent"}
    }
    ours = {name for name in ours if "Budget" not in name and "Objective" not in name}  # sums over weeks
    assert ours - SHOWN_AS.keys() == set()
    assert SHOWN_AS.keys() - {name for name, _, _ in _alerts()} == set()


def test_what_pages_is_shown_unless_keywatch_does_not_run() -> None:
    silent = {name for name, shown in SHOWN_AS.items() if shown not in _METRICS}
    paging = {name for name, severity, _ in _alerts() if severity == "critical"}
    assert silent & paging == {"KeywatchDown", "KeywatchAbsent", "KafkaDiskFullSoon"}  # the last one looks back an hour


def _noted_by_probes() -> set[str]:
    """Return the constants of metrics that some part of keywatch hands on with a note."""
    found = set()
    for path in Path(keywatch.__file__).parent.rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call):
                continue
            function = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            least = {"Sample": 4, "_one": 3, "_put": 4, "record": 4, "_count": 3, "samples": 3}.get(function)
            if least is not None and len(call.args) >= least:
                names = (one.attr if isinstance(one, ast.Attribute) else getattr(one, "id", "") for one in call.args)
                found |= {name for name in names if name.isupper()}
        if path.name == "topics.py" and path.parent.name == "cluster":
            found |= set(re.findall(r"\b(TOPIC_PARTITIONS_[A-Z_]+)\b", path.read_text(encoding="utf-8")))
    return found


_NAMES: Final = {
    value: name for module in vars(catalogue).values() if hasattr(module, "__file__")
    for name, value in vars(module).items() if isinstance(value, Metric)
}  # fmt: skip


@pytest.mark.parametrize("metric", sorted({shown for shown in SHOWN_AS.values() if shown in _METRICS}))
def test_each_metric_that_is_shown_has_words(metric: str) -> None:
    declared = _METRICS[metric]
    assert declared in GAUGES or declared in COUNTERS or _NAMES[declared] in _noted_by_probes()


def _values(notation: str) -> list[float | None]:
    """Expand promtool's notation of a series; None where there is no sample."""
    found: list[float | None] = []
    for part in notation.split():
        match = re.fullmatch(r"(_|-?[0-9.e]+)(?:([+-])([0-9.e]+))?(?:x([0-9]+))?", part)
        assert match is not None, part
        start, sign, step, times = match.groups()
        for index in range(int(times or 0) + 1 if start != "_" else int(times or 1)):
            grown = float(step or 0) * index * (-1 if sign == "-" else 1)
            found.append(None if start == "_" else float(start) + grown)
    return found


def _judged() -> Iterator[tuple[str, str, dict[str, object], str, str]]:
    """Return, of alerts shown by value, the metric, a firing case's series, how often samples come, and the moment."""
    for path in sorted(_TABLES.glob("*.yml")):
        table = yaml.safe_load(path.read_text(encoding="utf-8"))
        for alert, cases in table.get("tests", {}).items():
            shown = _METRICS.get(SHOWN_AS.get(alert, ""))
            if shown is None or alert in _FED_OTHERWISE or (shown not in GAUGES and shown not in COUNTERS):
                continue
            for case in cases:
                fired = (
                    [moment for moment, alerts in case.get("expect", {}).items() if alerts] if "fires" in case else []
                )
                if fired:
                    yield alert, shown.name, case["series"], case.get("interval", table["interval"]), fired[0]


def _seconds(text: str) -> float:
    units = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400}
    return sum(float(count) * units[unit] for count, unit in re.findall(r"([0-9.]+)(ms|[smhd])", text))


_CASES: Final = list(_judged())


@pytest.mark.parametrize("case", _CASES, ids=[f"{case[0]} at {case[4]}" for case in _CASES])
def test_what_makes_the_alert_fire_opens_the_incident(case: tuple[str, str, dict[str, object], str, str]) -> None:
    _, name, series, interval, moment = case
    metric, incidents, key = _METRICS[name], Incidents(), Key("c", "any", "")
    end, step = _seconds(moment), _seconds(interval)
    rows, opened = [], set()
    for selector, notation in series.items():
        if selector.partition("{")[0] != name or "job=" in selector:
            continue
        named = dict(re.findall(r'([a-z_]+)="([^"]*)"', selector))
        rows.append((tuple(named.get(label, "") for label in metric.labels), _values(str(notation))))
    assert rows
    for index in range(int(end / step) + 1):
        samples = []
        for labels, values in rows:
            value = values[index] if index < len(values) else None
            before = values[index - 1] if 0 < index <= len(values) else None
            if value is None:
                continue
            if metric.kind is MetricKind.COUNTER:
                value -= before or 0.0
            samples.append(Sample(metric, labels, value))
        if samples:
            incidents.observe(key, samples, index * step)
            opened |= {incident.metric for incident in incidents}
    assert opened == {metric}


def test_there_is_something_to_feed() -> None:
    assert {case[0] for case in _CASES} >= {"KafkaBrokerSlow", "KeycloakEventsLost", "KafkaCertificateEnds"}
