"""Kafka: which broker fails and why, whether records cross, which partitions work."""

from __future__ import annotations

from keywatch.engine.probe import Reason
from keywatch.metrics import canary as sent
from keywatch.metrics import cluster as has
from keywatch.metrics.metric import Metric
from keywatch_dashboards import house, kafka_canary, kafka_disks, kafka_partitions, kafka_quorum, palette
from keywatch_dashboards.grafana import Dashboard, Panel, newest, query
from keywatch_dashboards.house import Band, Section
from keywatch_dashboards.panels import Stat, StateTimeline, Table, TimeSeries
from keywatch_dashboards.queries import coded, now, rate

UID = "keywatch-kafka"

_BROKER_REASONS = [
    Reason.REFUSED,
    Reason.TIMEOUT_RESPONSE,
    Reason.TIMEOUT_CONNECT,
    Reason.TIMEOUT_TLS,
    Reason.RESET,
    Reason.UNREACHABLE,
    Reason.DNS,
    Reason.AUTHENTICATION,
    Reason.TLS,
    Reason.TLS_UNTRUSTED,
    Reason.TLS_EXPIRED,
    Reason.TLS_HOSTNAME,
    Reason.TLS_CLIENT,
    Reason.PROTOCOL,
]
_CANARY_REASONS = [
    Reason.REPLICA_DOWN,
    Reason.NOT_ENOUGH_REPLICAS,
    Reason.NO_LEADER,
    Reason.TIMEOUT_RESPONSE,
    Reason.UNREGISTERED,
    Reason.AUTHORIZATION,
    Reason.AUTHENTICATION,
    Reason.UNKNOWN_TOPIC,
    Reason.REJECTED,
    Reason.STORAGE,
]
_BROKER = "{{cluster}} / {{broker}}"
_TOPIC = "{{cluster}} / {{topic}}"
_NO_DATA = "keywatch sends nothing"


def build() -> Dashboard:
    """Make the dashboard."""
    return house.dashboard(
        UID,
        "Kafka",
        "Which broker fails, why and since when; whether records cross each broker; which partitions work.",
        [
            Section("Now", [Band(4, _now())]),
            Section("Brokers", [Band(7, _states()), Band(8, _brokers()), Band(7, _strangers())]),
            Section(
                "Canary: a record through each broker, every second",
                [Band(8, kafka_canary.crossing()), Band(7, kafka_canary.lost())],
            ),
            Section(
                "Partitions",
                [
                    Band(8, kafka_partitions.partitions()),
                    Band(9, kafka_partitions.topics()),
                    Band(7, kafka_partitions.settings()),
                ],
            ),
            Section("Disks", [Band(7, kafka_disks.directories()), Band(8, kafka_disks.sizes())]),
            Section("Control plane", [Band(6, kafka_quorum.quorum()), Band(7, kafka_quorum.behind())]),
            Section("Addresses, certificates and what Kafka itself tells", [Band(8, _addresses())], closed=True),
        ],
        component="kafka",
    )


def _now() -> list[Panel]:
    return [
        Stat(
            title="Cluster",
            description="Does some broker answer, and can metadata be read, or is it too old for that?",
            width=4,
            mappings=house.words({**house.UP_DOWN, 2: ("unsupported", house.ATTENTION)}),
            no_value=_NO_DATA,
            targets=[newest(f"{now(has.CLUSTER_UP)} + 2 * (1 - {now(has.CLUSTER_SUPPORTED)})", "{{cluster}}")],
        ),
        Stat(
            title="Brokers down",
            description="How many of the brokers that should be alive are not?",
            width=4,
            steps=house.above(bad=1),
            no_value=_NO_DATA,
            targets=[newest(f"{now(has.BROKERS_EXPECTED)} - {now(has.BROKERS)}", "{{cluster}}")],
        ),
        Stat(
            title="Canary fails, brokers",
            description="Through how many brokers do canary records not cross, written with acks=all and read back?",
            width=4,
            mappings=house.words({0: ("none", house.GOOD)}),
            steps=house.above(bad=1),
            no_value="canary is off",
            targets=[newest(f"sum by (cluster) (1 - {now(sent.CANARY_UP, 'broker')})", "{{cluster}}")],
        ),
        _count(
            "Partitions offline", has.TOPIC_PARTITIONS_OFFLINE, "How many partitions can be neither written nor read?"
        ),
        _count(
            "Below min ISR",
            has.TOPIC_PARTITIONS_BELOW_MIN_ISR,
            "How many partitions lack in-sync replicas for min.insync.replicas, so that acks=all is refused?",
        ),
        Stat(
            title="Certificate ends in",
            description="How long is the first broker's certificate to end still good?",
            width=4,
            unit="dtdurations",
            decimals=0,
            steps=house.below(attention=14 * 86_400, bad=2 * 86_400),
            no_value="no TLS",
            targets=[
                newest(f"{now(has.TLS_CERTIFICATE_NOT_AFTER_TIMESTAMP_SECONDS, how='min')} - time()", "{{cluster}}")
            ],
        ),
    ]


def _count(title: str, metric: Metric, question: str) -> Stat:
    return Stat(
        title=title,
        description=question,
        width=4,
        steps=house.above(bad=1),
        no_value="no topics known",
        targets=[newest(f"sum by (cluster) ({now(metric, 'topic')})", "{{cluster}}")],
    )


def _states() -> list[Panel]:
    return [
        StateTimeline(
            title="Brokers, and why they are down",
            description="Which broker was down, why, and since when? It counts after two misses in a row.",
            width=12,
            mappings=house.reason_words(_BROKER_REASONS),
            no_value=_NO_DATA,
            targets=[query(coded(has.BROKER_UP, has.BROKER_DOWN_REASON, _BROKER_REASONS, "broker"), _BROKER)],
        ),
        StateTimeline(
            title="Canary by broker, and why it fails",
            description="Through which broker could no record be written and read back, why, and since when?",
            width=12,
            mappings=house.reason_words(_CANARY_REASONS),
            no_value="canary is off",
            targets=[
                query(
                    coded(sent.CANARY_UP, sent.CANARY_DOWN_REASON, _CANARY_REASONS, "broker"),
                    _BROKER,
                )
            ],
        ),
    ]


def _brokers() -> list[Panel]:
    return [
        TimeSeries(
            title="Answer time of brokers",
            description="How fast does each broker answer? From 1.5 s on it is called slow (dashed line).",
            width=12,
            unit="s",
            low=0,
            limit_line=True,
            steps=house.above(bad=1.5),
            no_value="no broker answers",
            overrides=palette.by_broker(),
            targets=[query(now(has.BROKER_RESPONSE_SECONDS, "broker", how="min"), _BROKER)],
        ),
        TimeSeries(
            title="Unanswered attempts",
            description="Do single questions fail, even where no broker counts as down, and why?",
            width=12,
            unit="suffix:attempts/s",
            low=0,
            stacked=True,
            no_value="no attempt failed",
            targets=[query(f"{rate(has.BROKER_FAILURES_TOTAL, 'broker', 'reason')} > 0", f"{_BROKER}: {{{{reason}}}}")],
        ),
    ]


def _strangers() -> list[Panel]:
    return [
        TimeSeries(
            title="Others at brokers' addresses",
            description="Does another cluster answer at a broker's address, or do brokers share one?",
            width=8,
            low=0,
            steps=house.above(bad=1),
            no_value="everybody is who is meant",
            targets=[
                query(
                    now(has.BROKER_OTHER_CLUSTER_INFO, "broker", "other_cluster_id"),
                    f"{_BROKER}: {{{{other_cluster_id}}}} answers",
                ),
                query(now(has.BROKERS_SHARING_ADDRESS), "{{cluster}}: brokers that share an address"),
            ],
        ),
        TimeSeries(
            title="Throttled by quotas",
            description="Does a quota throttle keywatch, and for how long is it to wait?",
            width=8,
            unit="s",
            low=0,
            no_value="no broker answers",
            overrides=palette.by_broker(),
            targets=[query(now(has.BROKER_REST_SECONDS, "broker"), _BROKER)],
        ),
        TimeSeries(
            title="Connection limit reached",
            description="Which broker closes keywatch's new connections while it answers on others?",
            width=8,
            low=0,
            steps=house.above(attention=1),
            no_value="no broker answers",
            overrides=palette.by_broker(),
            targets=[query(now(has.BROKER_CONNECTION_LIMIT, "broker"), _BROKER)],
        ),
    ]


def _addresses() -> list[Panel]:
    return [
        Table(
            title="Where brokers are expected",
            description="Under which address and in which rack is each broker?",
            width=8,
            unit="string",
            no_value="no broker known",
            targets=[newest(now(has.BROKER_INFO, "broker", "host", "port", "rack"), table=True)],
            transformations=house.renamed(
                {"cluster": "Cluster", "broker": "Broker", "host": "Host", "port": "Port", "rack": "Rack"}, "Value"
            ),
        ),
        Table(
            title="Certificates",
            description="When does the certificate that each broker last showed end?",
            width=8,
            sort="Ends",
            descending=False,
            no_value="no TLS",
            targets=[
                newest(
                    f"{now(has.TLS_CERTIFICATE_NOT_AFTER_TIMESTAMP_SECONDS, 'broker', how='min')} * 1000", table=True
                )
            ],
            transformations=house.renamed({"cluster": "Cluster", "broker": "Broker", "Value": "Ends"}),
            overrides=[house.column("Broker", unit="string"), house.column("Ends", unit="dateTimeAsIso")],
        ),
        TimeSeries(
            title="What Kafka's metadata tells, 7 to 12 s late",
            description="What would somebody see who only asks Kafka? It differs from the panels above during a fault.",
            width=8,
            low=0,
            decimals=0,
            no_value="no topics known",
            overrides=palette.by_queries(3),
            targets=[
                query(f"sum by (cluster) ({now(metric, 'topic')})", f"{{{{cluster}}}} / {name}")
                for name, metric in {
                    "leaderless": has.TOPIC_METADATA_PARTITIONS_LEADERLESS,
                    "below min ISR": has.TOPIC_METADATA_PARTITIONS_BELOW_MIN_ISR,
                    "under-replicated": has.TOPIC_METADATA_PARTITIONS_UNDER_REPLICATED,
                }.items()
            ],
        ),
    ]
