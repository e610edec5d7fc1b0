"""Runtime: do Keycloak and what it runs on have what they need, and do logins wait for Kafka."""

from __future__ import annotations

from typing import Any

from keywatch_dashboards import house, palette
from keywatch_dashboards.grafana import Dashboard, Panel, newest, query
from keywatch_dashboards.house import Band, Section
from keywatch_dashboards.panels import Stat, TimeSeries
from keywatch_dashboards.queries import Q

UID = "keywatch-runtime"

_WHERE = 'job="keycloak", instance=~"$instance"'
_NONE = "Keycloak is not scraped"
_CONTAINERS = 'container=~".*(keycloak|keywatch|kafka).*"'
_DISKS = 'fstype=~"ext.|xfs|btrfs|zfs"'
_CONTAINER = "{{pod}} / {{container}}"


def build() -> Dashboard:
    """Make the dashboard."""
    return house.dashboard(
        UID,
        "Runtime",
        "Do Keycloak and what it runs on have what they need, and do logins wait for Kafka.",
        [
            Section("Now", [Band(4, _now())]),
            Section("Requests", [Band(8, _http())]),
            Section("Java", [Band(8, _memory()), Band(8, _threads())]),
            Section("Logins that wait for Kafka, where the listener has metrics", [Band(8, _blocked())], closed=True),
            Section("Database pool, where Keycloak exports it (Agroal)", [Band(8, _database())], closed=True),
            Section(
                "Containers and disks (cAdvisor, kube-state-metrics, node_exporter)",
                [Band(8, _pods()), Band(8, _disks())],
                closed=True,
            ),
        ],
        component="keycloak|resources",
        variables=(house.label_variable("instance", 'jvm_threads_live_threads{job="keycloak"}'),),
    )


def _graph(title: str, question: str, expr: str, legend: str, **more: Any) -> TimeSeries:
    found: dict[str, Any] = {
        "unit": "short",
        "width": 8,
        "low": 0,
        "no_value": _NONE,
        "limit_line": "steps" in more,
        **more,
    }
    return TimeSeries(title=title, description=question, targets=[query(expr, legend)], **found)


def _now() -> list[Panel]:
    def stat(title: str, question: str, expr: str, unit: str, bad: float) -> Stat:
        return Stat(
            title=title,
            description=question,
            width=4,
            unit=unit,
            decimals=0,
            steps=house.above(bad=bad),
            no_value=_NONE,
            targets=[newest(expr, "{{instance}}")],
        )

    return [
        Stat(
            title="Keycloak's cluster",
            description="Do all nodes see each other? Red: one sees fewer nodes than Prometheus scrapes.",
            width=4,
            mappings=house.words({0: ("split", house.BAD), 1: ("whole", house.GOOD)}),
            no_value="one node, or not scraped",
            targets=[
                newest(
                    'min by (job) (vendor_cluster_size{job="keycloak"}) '
                    '>= bool count by (job) (up{job="keycloak"} == 1)',
                    "cluster",
                )
            ],
        ),
        stat(
            "Heap after collection",
            "Which share of the heap is in use even after garbage was collected? From 90 % on it is nearly full.",
            f'max by (instance) (jvm_memory_usage_after_gc{{{_WHERE}, area="heap"}})',
            "percentunit",
            0.9,
        ),
        stat(
            "CPU",
            "Which share of its CPUs does each node use?",
            f"max by (instance) (process_cpu_usage{{{_WHERE}}})",
            "percentunit",
            0.9,
        ),
        stat(
            "Wait for the database",
            "How many requests wait for a database connection?",
            f"max by (instance) (agroal_awaiting_count{{{_WHERE}}})",
            "short",
            1,
        ),
        stat(
            "Blocked threads",
            "How many threads wait for a lock?",
            f'max by (instance) (jvm_threads_states_threads{{{_WHERE}, state="blocked"}})',
            "short",
            10,
        ),
        stat(
            "Open files",
            "Which share of the files that it may open are open?",
            f"max by (instance) (process_files_open_files{{{_WHERE}}}) / "
            f"max by (instance) (process_files_max_files{{{_WHERE}}})",
            "percentunit",
            0.8,
        ),
    ]


def _blocked() -> list[Panel]:
    seconds = "keycloak_event_processing_duration_seconds"
    job = 'job="keycloak-listener"'
    return [
        _graph(
            "Requests that the listener keeps waiting",
            "Which share of events keeps its request waiting for more than 2.5 s? From 5 % on someone is called.",
            f'1 - sum by (instance) (rate({seconds}_bucket{{{job}, le="2.5"}}[{Q}])) / '
            f"sum by (instance) (rate({seconds}_count{{{job}}}[{Q}]))",
            "{{instance}}",
            width=12,
            unit="percentunit",
            steps=house.above(bad=0.05),
            no_value="the listener exports nothing",
        ),
        _graph(
            "How long the listener takes for an event",
            "How long does a login wait for the listener, 99 of 100?",
            f"histogram_quantile(0.99, sum by (instance, le) (rate({seconds}_bucket{{{job}}}[{Q}])))",
            "{{instance}}",
            width=12,
            unit="s",
            no_value="the listener exports nothing",
        ),
    ]


def _http() -> list[Panel]:
    count = "http_server_requests_seconds_count"
    return [
        _graph(
            "Requests by outcome",
            "How much does Keycloak do, and how does it end?",
            f"sum by (instance, outcome) (rate({count}{{{_WHERE}}}[{Q}]))",
            "{{instance}}: {{outcome}}",
            unit="reqps",
            stacked=True,
            overrides=palette.by_ending(("SUCCESS", "REDIRECTION", "CLIENT_ERROR", "SERVER_ERROR", "UNKNOWN")),
        ),
        _graph(
            "Requests that end with an error of Keycloak's own",
            "Which share of the requests ends with a 5xx? From 5 % on someone is called.",
            f'sum by (instance) (rate({count}{{{_WHERE}, outcome="SERVER_ERROR"}}[{Q}])) / '
            f"sum by (instance) (rate({count}{{{_WHERE}}}[{Q}]))",
            "{{instance}}",
            unit="percentunit",
            steps=house.above(bad=0.05),
            no_value="none",
        ),
        _graph(
            "Time of a request",
            "How long do requests take on average?",
            f"sum by (instance) (rate(http_server_requests_seconds_sum{{{_WHERE}}}[{Q}])) / "
            f"sum by (instance) (rate({count}{{{_WHERE}}}[{Q}]))",
            "{{instance}}",
            unit="s",
        ),
    ]


def _database() -> list[Panel]:
    legend = "{{instance}} / {{datasource}}"
    return [
        _graph(
            "Database connections in use",
            "How many connections of the pool are in use?",
            f"max by (instance, datasource) (agroal_active_count{{{_WHERE}}})",
            legend,
        ),
        _graph(
            "Requests that wait for a connection",
            "Do requests wait for a connection, and since when? One that lasts calls someone.",
            f"max by (instance, datasource) (agroal_awaiting_count{{{_WHERE}}})",
            legend,
            steps=house.above(bad=1),
        ),
        _graph(
            "Longest wait for a connection",
            "What is the longest that a request has waited for a connection since the node started?",
            f"max by (instance, datasource) (agroal_blocking_time_max_milliseconds{{{_WHERE}}})",
            legend,
            unit="ms",
        ),
    ]


def _memory() -> list[Panel]:
    return [
        _graph(
            "Memory by area",
            "How much memory does Java use, on and off the heap?",
            f"sum by (instance, area) (jvm_memory_used_bytes{{{_WHERE}}})",
            "{{instance}}: {{area}}",
            unit="bytes",
            overrides=palette.by_ending(("heap", "nonheap")),
        ),
        _graph(
            "Heap in use after collection",
            "Does what cannot be freed grow, as with a leak? From 90 % on it is nearly full.",
            f'max by (instance) (jvm_memory_usage_after_gc{{{_WHERE}, area="heap"}})',
            "{{instance}}",
            unit="percentunit",
            high=1,
            steps=house.above(bad=0.9),
        ),
        _graph(
            "Time that garbage collection takes",
            "Which share of the time stands still for garbage? From 10 % on it is too much.",
            f"sum by (instance) (rate(jvm_gc_pause_seconds_sum{{{_WHERE}}}[{Q}]))",
            "{{instance}}",
            unit="percentunit",
            steps=house.above(bad=0.1),
        ),
    ]


def _threads() -> list[Panel]:
    return [
        _graph(
            "CPU of Keycloak",
            "Which share of its CPUs does each node use? From 90 % on it is too much.",
            f"max by (instance) (process_cpu_usage{{{_WHERE}}})",
            "{{instance}}",
            unit="percentunit",
            high=1,
            steps=house.above(bad=0.9),
        ),
        _graph(
            "Threads by state",
            "Do threads pile up, and for what do they wait?",
            f"sum by (instance, state) (jvm_threads_states_threads{{{_WHERE}}})",
            "{{instance}}: {{state}}",
            stacked=True,
            overrides=palette.by_ending(("runnable", "timed-waiting", "blocked", "waiting", "new", "terminated")),
        ),
        _graph(
            "Time since start",
            "When was each node started anew?",
            f"max by (instance) (process_uptime_seconds{{{_WHERE}}})",
            "{{instance}}",
            unit="dtdurations",
        ),
    ]


def _pods() -> list[Panel]:
    by = "namespace, pod, container"
    return [
        _graph(
            "Memory of containers against their limit",
            "Which container comes near the memory at which it is killed?",
            f"max by ({by}) (container_memory_working_set_bytes{{{_CONTAINERS}}}) / "
            f'max by ({by}) (kube_pod_container_resource_limits{{{_CONTAINERS}, resource="memory"}})',
            _CONTAINER,
            unit="percentunit",
            steps=house.above(bad=0.9),
            no_value="no containers are scraped",
        ),
        _graph(
            "Containers held back by their CPU limit",
            "Which share of the time is a container held back?",
            f"sum by ({by}) (rate(container_cpu_cfs_throttled_periods_total{{{_CONTAINERS}}}[{Q}])) / "
            f"sum by ({by}) (rate(container_cpu_cfs_periods_total{{{_CONTAINERS}}}[{Q}]))",
            _CONTAINER,
            unit="percentunit",
            steps=house.above(attention=0.25),
            no_value="no containers are scraped",
        ),
        _graph(
            "Starts of containers, in half an hour",
            "Is a container started again and again?",
            f"max by ({by}) (increase(kube_pod_container_status_restarts_total{{{_CONTAINERS}}}[30m]))",
            _CONTAINER,
            decimals=0,
            steps=house.above(attention=3),
            no_value="no containers are scraped",
        ),
    ]


def _disks() -> list[Panel]:
    claims = 'persistentvolumeclaim=~".*(keycloak|kafka).*"'
    return [
        _graph(
            "Free space of volumes",
            "Which volume of Keycloak or Kafka fills up? Below 10 % someone has to act.",
            f"min by (namespace, persistentvolumeclaim) (kubelet_volume_stats_available_bytes{{{claims}}}) / "
            f"max by (namespace, persistentvolumeclaim) (kubelet_volume_stats_capacity_bytes{{{claims}}})",
            "{{namespace}} / {{persistentvolumeclaim}}",
            width=12,
            unit="percentunit",
            high=1,
            steps=house.below(attention=0.2, bad=0.1),
            no_value="no volumes are scraped",
        ),
        _graph(
            "Free space of disks",
            "Which disk fills up? Below 10 % someone has to act.",
            f"min by (instance, mountpoint) (node_filesystem_avail_bytes{{{_DISKS}}}) / "
            f"max by (instance, mountpoint) (node_filesystem_size_bytes{{{_DISKS}}})",
            "{{instance}} {{mountpoint}}",
            width=12,
            unit="percentunit",
            high=1,
            steps=house.below(attention=0.2, bad=0.1),
            no_value="no disks are scraped",
        ),
    ]
