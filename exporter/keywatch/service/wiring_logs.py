"""How the probes of Logstash, Elasticsearch and the log lag are made; a part of the wiring."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from keywatch.config.logs import ElasticsearchSection, LogCanarySection, LogLagSection, LogsSection, LogstashSection
from keywatch.elastic.identity import ClusterIdentity
from keywatch.elastic.server import ElasticServer
from keywatch.engine.probe import Probe, Schedule
from keywatch.kafka.chosen_groups import ChosenGroups
from keywatch.kafka.groups import Groups
from keywatch.kafka.records.allowance import Allowance
from keywatch.kafka.records.reader import RecordReader
from keywatch.kafka.records.search import RecordSearch
from keywatch.kafka.records.times import RecordTimes
from keywatch.net.http_peer import HttpPeer
from keywatch.probes.logs.elasticsearch import ElasticsearchProbe
from keywatch.probes.logs.log_canary import WRITING, LogCanaryProbe
from keywatch.probes.logs.log_lag import LogLagProbe
from keywatch.probes.logs.logstash import LogstashProbe
from keywatch.probes.logs.single_record import SingleRecord

if TYPE_CHECKING:  # or else each would import the other
    from keywatch.service.base import Base

# Bytes of records a second, for the times of those that are newest.
_FETCH_RATE = 1e6


def makers(logs: LogsSection) -> Iterator[tuple[str, Callable[..., Probe], str, tuple[object, ...]]]:
    """Name each probe that a configuration asks for: name, how it is made, target, and of which parts."""
    for logstash in logs.logstash:
        yield LogstashProbe.name, _logstash, logstash.name, (logstash,)
    if logs.elasticsearch is not None:
        yield ElasticsearchProbe.name, _elasticsearch, ElasticsearchProbe.target, (logs.elasticsearch,)
        if logs.lag:
            schedule = Schedule(logs.lag_period, logs.lag_timeout)
            yield LogLagProbe.name, _log_lag, LogLagProbe.target, (logs.elasticsearch, logs.lag, schedule)
        if logs.canary is not None:
            yield LogCanaryProbe.name, _log_canary, LogCanaryProbe.target, (logs.elasticsearch, logs.lag, logs.canary)


def _logstash(base: Base, section: LogstashSection) -> Probe:
    peer = HttpPeer(section.url, section.tls, section.basic_auth)
    schedule = Schedule(section.period, section.timeout)
    return LogstashProbe(base.cluster, section.name, peer, schedule, misses=section.misses)


def _elasticsearch(base: Base, section: ElasticsearchSection) -> Probe:
    return ElasticsearchProbe(base.cluster, _elastic_server(base, section), Schedule(section.period, section.timeout))


def _elastic_server(base: Base, section: ElasticsearchSection) -> ElasticServer:
    identity = base.identities.setdefault(section.url, ClusterIdentity())
    return ElasticServer(HttpPeer(section.url, section.tls, section.basic_auth, section.key), identity=identity)


def _log_canary(
    base: Base, elasticsearch: ElasticsearchSection, lags: tuple[LogLagSection, ...], section: LogCanarySection
) -> Probe:
    group = next((lag.group for lag in lags if section.topic in lag.topics), None)
    carried = None
    if group is not None:
        peers = base.peers()
        carried = (
            group,
            Groups(base.topology, peers, ChosenGroups(group.__eq__, (group,)), (group,), beside=base.peers()),
            peers,
        )
    return LogCanaryProbe(
        base.cluster,
        base.topology,
        section.topic,
        SingleRecord(base.clients, section.topic, section.timeout * WRITING),
        _elastic_server(base, elasticsearch),
        Schedule(section.period, section.timeout),
        realm=section.realm,
        carried=carried,
        every=section.every,
        limit=section.limit,
        namespace=elasticsearch.namespace,
    )


def _log_lag(base: Base, section: ElasticsearchSection, lags: tuple[LogLagSection, ...], schedule: Schedule) -> Probe:
    carried = {topic: lag.group for lag in lags for topic in lag.topics}
    named = tuple(dict.fromkeys(carried.values()))
    peers = base.peers()
    search = RecordSearch(base.topology, peers, Allowance(_FETCH_RATE))
    return LogLagProbe(
        base.cluster,
        base.topology,
        peers,
        Groups(base.topology, peers, ChosenGroups(frozenset(named).__contains__, named), named, beside=base.peers()),
        RecordTimes(search, RecordReader(base.clients), base.cluster),
        _elastic_server(base, section),
        schedule,
        carried=carried,
        namespace=section.namespace,
    )
