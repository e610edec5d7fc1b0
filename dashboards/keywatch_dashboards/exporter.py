"""keywatch itself: do its probes run and answer, and what does it cost."""

from __future__ import annotations

from typing import Any

from keywatch.metrics import cluster as cluster_metrics
from keywatch.metrics import exporter as exporter_metrics
from keywatch.metrics import probe as probe_metrics
from keywatch.metrics.metric import Metric
from keywatch_dashboards import house
from keywatch_dashboards.grafana import Dashboard, Panel, newest, query
from keywatch_dashboards.house import Band, Section
from keywatch_dashboards.panels import Stat, StateTimeline, Table, TimeSeries
from keywatch_dashboards.queries import FULL_JOB, HEALTH_JOB, Q, now, pick, quantile, rate

UID = "keywatch-exporter"

_PROBE, _NONE = "{{cluster}} / {{probe}}", "keywatch is not scraped"
_PROCESS = f'job="{FULL_JOB}"'


def build() -> Dashboard:
    """Make the dashboard."""
    return house.dashboard(
        UID,
        "keywatch itself",
        "Do keywatch's probes run and answer, and what does it cost.",
        [
            Section("Now", [Band(4, _now())]),
            Section("Probes", [Band(10, _probes()), Band(8, _failures()), Band(7, _defects())]),
            Section("Instances", [Band(7, _views()), Band(8, _process()), Band(8, _port())]),
        ],
        component="exporter",
    )


def _stat(title: str, question: str, expr: str, legend: str, **more: Any) -> Stat:
    found: dict[str, Any] = {"width": 4, "no_value": _NONE, **more}
    return Stat(title=title, description=question, targets=[newest(expr, legend)], **found)


def _graph(title: str, question: str, expr: str, legend: str = "{{instance}}", **more: Any) -> TimeSeries:
    found: dict[str, Any] = {"width": 8, "low": 0, "no_value": _NONE, "limit_line": "steps" in more, **more}
    return TimeSeries(title=title, description=question, targets=[query(expr, legend)], **found)


def _each(metric: Metric) -> str:
    return f"max by (instance) ({pick(metric)})"


def _now() -> list[Panel]:
    loaded = house.words({0: ("refused", house.BAD), 1: ("in force", house.GOOD)})
    return [
        _stat(
            "Instances",
            "Does Prometheus reach every instance of keywatch?",
            f'max by (instance) (up{{job="{HEALTH_JOB}"}})',
            "{{instance}}",
            mappings=house.words(house.UP_DOWN),
        ),
        _stat(
            "Probes without answer",
            "How many probes could not answer their question the last time?",
            f"sum(1 - {now(probe_metrics.PROBE_SUCCESS, 'probe')})",
            "probes",
            steps=house.above(attention=1),
        ),
        _stat(
            "Configuration",
            "Is the configuration in force the one that was read last?",
            f"min by (instance) ({pick(exporter_metrics.CONFIG_RELOAD_SUCCESSFUL)})",
            "{{instance}}",
            mappings=loaded,
        ),
        _stat(
            "Web configuration",
            "Are TLS and users of keywatch's port those of its files?",
            f"min by (instance) ({pick(exporter_metrics.WEB_CONFIG_RELOAD_SUCCESSFUL)})",
            "{{instance}}",
            no_value="none is set",
            mappings=loaded,
        ),
        _stat(
            "Configuration is from",
            "When was the configuration read?",
            f"1000 * {_each(exporter_metrics.CONFIG_LOADED_TIMESTAMP_SECONDS)}",
            "{{instance}}",
            unit="dateTimeFromNow",
            background=False,
        ),
        _stat(
            "Version",
            "Which version runs?",
            f"max by (version) ({pick(exporter_metrics.BUILD_INFO)})",
            "{{version}}",
            text_mode="name",
            background=False,
        ),
    ]


def _probes() -> list[Panel]:
    last = pick(probe_metrics.PROBE_LAST_RUN_TIMESTAMP_SECONDS)
    found = pick(probe_metrics.PROBE_FRAME_TIMESTAMP_SECONDS)
    columns = {
        "Answers": f"min by (instance, cluster, probe) ({pick(probe_metrics.PROBE_SUCCESS)})",
        "Last run": f"time() - min by (instance, cluster, probe) ({last})",
        "Runs every": f"max by (instance, cluster, probe) ({pick(probe_metrics.PROBE_PERIOD_SECONDS)})",
        "Age of values": f"time() - min by (instance, cluster, probe) ({found})",
    }
    labels = {"instance": "Instance", "cluster": "Cluster", "probe": "Probe"}
    return [
        Table(
            title="All probes",
            description="Which probe does not answer or run, and how old are the values that are shown for it?",
            width=14,
            sort="Last run",
            no_value=_NONE,
            targets=[newest(expr, table=True) for expr in columns.values()],
            transformations=house.joined(labels, list(columns)),
            overrides=[
                house.coloured("Answers", mappings=house.words(house.YES_NO)),
                house.column("Last run", unit="s", decimals=1),
                house.column("Runs every", unit="s"),
                house.column("Age of values", unit="s", decimals=1),
            ],
        ),
        StateTimeline(
            title="Probes that answered",
            description="Since when does a probe get no answer?",
            width=10,
            mappings=house.words({0: ("no answer", house.BAD), 1: ("answer", house.GOOD)}),
            no_value=_NONE,
            targets=[query(now(probe_metrics.PROBE_SUCCESS, "probe"), _PROBE)],
        ),
    ]


def _failures() -> list[Panel]:
    since = (
        f"time() - min by (instance, cluster, probe) ({pick(probe_metrics.PROBE_LAST_RUN_TIMESTAMP_SECONDS)}) "
        f"- max by (instance, cluster, probe) ({pick(probe_metrics.PROBE_PERIOD_SECONDS)})"
    )
    return [
        _graph(
            "Probes that failed, by reason",
            "Why could probes not answer?",
            f"{rate(probe_metrics.PROBE_FAILURES_TOTAL, 'probe', 'reason')} > 0",
            f"{_PROBE}: {{{{reason}}}}",
            unit="suffix:per s",
            stacked=True,
            no_value="no probe failed",
        ),
        _graph(
            "How long probes take",
            "Which probe became slow? 99 of 100 runs need at most this long.",
            quantile(0.99, probe_metrics.PROBE_DURATION_SECONDS, "probe"),
            _PROBE,
            unit="s",
        ),
        _graph(
            "Probes that are overdue",
            "Which probe does not run any more? From 10 s and two periods on it is stuck.",
            f"clamp_min({since}, 0)",
            "{{instance}} / {{cluster}} / {{probe}}",
            unit="s",
        ),
    ]


def _defects() -> list[Panel]:
    return [
        _graph(
            "Parts that ended by a defect",
            "Did a part of keywatch end by a defect, and begin anew? Its log shows where.",
            f"sum by (instance, part) (rate({pick(exporter_metrics.DEFECTS_TOTAL)}[{Q}])) > 0",
            "{{instance}}: {{part}}",
            width=12,
            unit="suffix:per s",
            no_value="no defect",
        ),
        _graph(
            "Lines of the log that were lost",
            "Can keywatch's log not be written as fast as it comes?",
            f"sum by (instance) (rate({pick(exporter_metrics.LOG_LINES_LOST_TOTAL)}[{Q}]))",
            width=12,
            unit="suffix:per s",
        ),
    ]


def _views() -> list[Panel]:
    broker = pick(cluster_metrics.BROKER_UP)
    by = "cluster, broker"
    return [
        StateTimeline(
            title="Do instances agree",
            description="Do all instances see the same of each broker? If not, the network differs between them.",
            width=8,
            mappings=house.words({0: ("agree", house.GOOD), 1: ("differ", house.ATTENTION)}),
            no_value=_NONE,
            targets=[query(f"max by ({by}) ({broker}) - min by ({by}) ({broker})", "{{cluster}} / {{broker}}")],
        ),
        _graph(
            "keywatch's clock against Prometheus'",
            "Is an instance's clock wrong? From 5 s on a ticket is opened.",
            f"abs(time() - max by (instance) ({pick(probe_metrics.PROBE_LAST_RUN_TIMESTAMP_SECONDS)}))",
            width=8,
            unit="s",
            steps=house.above(attention=5),
        ),
        _graph(
            "Left out",
            "Is there more in a cluster than keywatch reads? A client may be making it without end.",
            now(probe_metrics.PROBE_LEFT_OUT, "probe", "target", "kind"),
            f"{_PROBE} {{{{target}}}}: {{{{kind}}}}",
            steps=house.above(attention=1),
        ),
    ]


def _process() -> list[Panel]:
    return [
        _graph(
            "CPU of keywatch",
            "How much of a core does each instance use?",
            f"rate(process_cpu_seconds_total{{{_PROCESS}}}[{Q}])",
            width=6,
            unit="percentunit",
        ),
        _graph(
            "Memory of keywatch",
            "How much memory does it hold?",
            f"process_resident_memory_bytes{{{_PROCESS}}}",
            width=6,
            unit="bytes",
        ),
        _graph(
            "Late timers",
            "Is keywatch itself held up? From 0.5 s on its times cannot be trusted.",
            _each(exporter_metrics.EVENT_LOOP_LAG_SECONDS),
            width=6,
            unit="s",
            steps=house.above(attention=0.5),
        ),
        _graph(
            "Running since",
            "When did an instance begin anew?",
            f"time() - process_start_time_seconds{{{_PROCESS}}}",
            width=6,
            unit="dtdurations",
        ),
    ]


def _port() -> list[Panel]:
    scrapes = pick(exporter_metrics.SCRAPE_DURATION_SECONDS, suffix="_bucket")
    return [
        _graph(
            "Time to answer a scrape",
            "How long does keywatch need for /metrics? 99 of 100 answers need at most this long.",
            f"histogram_quantile(0.99, sum by (instance, le) (rate({scrapes}[{Q}])))",
            width=6,
            unit="s",
        ),
        _graph(
            "Size of a scrape",
            "How many samples does a scrape bring, by job?",
            f'max by (job, instance) (scrape_samples_scraped{{job=~"{HEALTH_JOB}|{FULL_JOB}"}})',
            "{{instance}} / {{job}}",
            width=6,
        ),
        _graph(
            "Open files of keywatch",
            "Which share of the files that it may open are open? From 80 % on a ticket is opened.",
            f"max by (instance) (process_open_fds{{{_PROCESS}}}) / max by (instance) (process_max_fds{{{_PROCESS}}})",
            width=6,
            unit="percentunit",
            steps=house.above(attention=0.8),
        ),
        _graph(
            "Requests refused, by reason",
            "Does somebody without the right, or too often, come to keywatch's port?",
            f"sum by (instance, reason) (rate({pick(exporter_metrics.WEB_REFUSED_TOTAL)}[{Q}])) > 0",
            "{{instance}}: {{reason}}",
            width=6,
            unit="suffix:per s",
            stacked=True,
            no_value="none was refused",
        ),
    ]
