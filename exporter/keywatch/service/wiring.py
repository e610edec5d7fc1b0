"""Cluster → plans of its probes: what each is made from, and the one place to touch when a probe is added."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from keywatch.config.canary import DEFAULT_CANARY_TOPIC, CanarySection
from keywatch.config.cluster import (
    BrokerSection,
    ClusterSection,
    ExpectSection,
    LogDirsSection,
    QuorumSection,
    TopicsSection,
)
from keywatch.config.dead_letters import DlqSection
from keywatch.config.endpoint import endpoint
from keywatch.config.events import EventsSection
from keywatch.config.groups import GroupsSection
from keywatch.config.keycloak import KeycloakSection
from keywatch.config.model import Cluster
from keywatch.config.reconciliation import ReconciliationSection
from keywatch.engine.probe import Probe, Schedule
from keywatch.engine.store import Key
from keywatch.kafka.chosen_groups import ChosenGroups
from keywatch.kafka.client import OWN_GROUP_PREFIX, REDRIVE_PREFIX
from keywatch.kafka.controllers import Controllers
from keywatch.kafka.groups import Groups
from keywatch.kafka.reassignments import Reassignments
from keywatch.kafka.records.allowance import Allowance
from keywatch.kafka.records.reader import RecordReader
from keywatch.kafka.records.search import RecordSearch
from keywatch.kafka.records.times import RecordTimes
from keywatch.listeners.event_types import user_event
from keywatch.net.http_peer import HttpPeer
from keywatch.patterns import Patterns
from keywatch.probes.canary.probe import CanaryProbe
from keywatch.probes.canary.topic import CanaryTopic
from keywatch.probes.cluster.broker import BrokerProbe
from keywatch.probes.cluster.cluster import ClusterProbe
from keywatch.probes.cluster.configs import ConfigsProbe
from keywatch.probes.cluster.log_dirs import LogDirsProbe
from keywatch.probes.cluster.offsets import OffsetsProbe
from keywatch.probes.cluster.quorum import QuorumProbe
from keywatch.probes.cluster.topics import TopicsProbe
from keywatch.probes.dead_letters.files.folder import DeadLetterFolder
from keywatch.probes.dead_letters.folder import DlqFolderProbe
from keywatch.probes.dead_letters.letter import Sources
from keywatch.probes.dead_letters.reader import DeadLetterReader
from keywatch.probes.dead_letters.topics import DlqTopicsProbe
from keywatch.probes.events.probe import EventsProbe
from keywatch.probes.events.realms import Realms
from keywatch.probes.groups.probe import GroupsProbe
from keywatch.probes.groups.retention import RetentionProbe
from keywatch.probes.groups.series import Limit
from keywatch.probes.keycloak.probe import KeycloakProbe
from keywatch.probes.reconciliation.counters import KeycloakMetrics
from keywatch.probes.reconciliation.probe import ReconciliationProbe
from keywatch.probes.reconciliation.scope import Scope
from keywatch.service import wiring_logs
from keywatch.service.base import Base, ProbePlan, TopicsBound
from keywatch.service.expectations import expectation

_CONFIGS_SCHEDULE = Schedule(period=10.0, timeout=3.0)
_RETENTION_SCHEDULE = Schedule(period=5.0, timeout=3.0)
# Neither a probe's reading nor a redrive that ended is a consumer whose lag anybody waits for.
_OWN_GROUPS = tuple(f"{re.escape(prefix)}.*" for prefix in (OWN_GROUP_PREFIX, REDRIVE_PREFIX))


def plans(cluster: Cluster) -> dict[Key, ProbePlan]:
    """Plan the probes of a cluster, but for those of its brokers, which come and go."""
    # Those of other instances too, whatever they add to the name.
    canaries = (re.escape(cluster.canary.topic), f"{re.escape(DEFAULT_CANARY_TOPIC)}.*")
    topics = Patterns(cluster.topics.include, (*cluster.topics.exclude, *canaries))
    made: dict[Key, ProbePlan] = {}

    def plan(name: str, make: Callable[..., Probe], *parts: object, target: str = "") -> None:
        key = Key(cluster.name, name, target)
        made[key] = ProbePlan(key, make, parts)

    watch = (*cluster.topics.watch, *(topic for queue in cluster.dlq for topic in queue.named_topics))
    plan(ClusterProbe.name, _cluster, cluster.cluster, watch)
    plan(TopicsProbe.name, _topics, cluster.topics, topics)
    plan(ConfigsProbe.name, _configs, cluster.topics.expect, topics, TopicsBound.of(cluster.topics))
    plan(OffsetsProbe.name, _offsets, cluster.topics, topics)
    for section, name, make, made_of in (
        (cluster.quorum, QuorumProbe.name, _quorum, (cluster.quorum,)),
        (cluster.log_dirs, LogDirsProbe.name, _log_dirs, (cluster.log_dirs, topics, TopicsBound.of(cluster.topics))),
        (cluster.groups, GroupsProbe.name, _groups, (cluster.groups, topics)),
        (cluster.groups, RetentionProbe.name, _retention, ()),
        (cluster.canary, CanaryProbe.name, _canary, (cluster.canary,)),
    ):
        if section.enabled:
            plan(name, make, *made_of)
    for queue in cluster.dlq:
        plan(DlqTopicsProbe.name, _dlq, queue, target=queue.name)
    for node in cluster.keycloaks:
        plan(KeycloakProbe.name, _keycloak, node, target=node.name)
    for listener in cluster.events:
        plan(EventsProbe.name, _events, listener, target=listener.label)
        if listener.reconcile is not None:
            names = listener.reconcile.keycloaks
            nodes = tuple(node for node in cluster.keycloaks if not names or node.name in names)
            plan(ReconciliationProbe.name, _reconciliation, listener, nodes, target=listener.label)
    if cluster.logs is not None:
        for name, make, target, parts in wiring_logs.makers(cluster.logs):
            plan(name, make, *parts, target=target)
    return made


def broker_plan(cluster: Cluster, label: str) -> ProbePlan:
    """Plan the probe of one broker; of which ones there are to be, the topology decides."""
    section = cluster.broker.model_copy(update={"expected": (), "forget_after": 1.0})
    return ProbePlan(Key(cluster.name, BrokerProbe.name, label), _broker, (label, section))


def _broker(base: Base, label: str, section: BrokerSection) -> Probe:
    return BrokerProbe(
        base.cluster,
        label,
        base.topology,
        Schedule(section.period, section.timeout),
        security=base.security,
        resolver=base.resolver,
        misses=section.misses,
        renew_after=section.renew_after,
    )


def _cluster(base: Base, section: ClusterSection, watch: tuple[str, ...]) -> Probe:
    schedule = Schedule(section.period, section.timeout)
    return ClusterProbe(
        base.cluster,
        base.topology,
        base.peers(),
        schedule,
        ask=section.ask,
        watch=watch,
        reassignments=Reassignments(base.peers()),
    )


def _quorum(base: Base, section: QuorumSection) -> Probe:
    controllers = Controllers([endpoint(text) for text in section.controllers], base.security, base.resolver)
    schedule = Schedule(section.period, section.timeout)
    return QuorumProbe(base.cluster, base.topology, base.peers(), schedule, controllers=controllers)


def _log_dirs(base: Base, section: LogDirsSection, topics: Patterns, bound: TopicsBound) -> Probe:
    return LogDirsProbe(
        base.cluster,
        base.topology,
        base.peers(),
        Schedule(section.period, section.timeout),
        chosen=base.chosen_topics(topics, bound),
        sizes_every=section.sizes_every,
    )


def _topics(base: Base, section: TopicsSection, topics: Patterns) -> Probe:
    schedule = Schedule(section.period, section.timeout)
    chosen = base.chosen_topics(topics, TopicsBound.of(section))
    return TopicsProbe(base.cluster, base.topology, schedule, chosen=chosen, detail=section.detail)


def _configs(base: Base, expect: tuple[ExpectSection, ...], topics: Patterns, bound: TopicsBound) -> Probe:
    chosen, expected = base.chosen_topics(topics, bound), [expectation(one) for one in expect]
    return ConfigsProbe(base.cluster, base.topology, base.peers(), _CONFIGS_SCHEDULE, chosen=chosen, expect=expected)


def _offsets(base: Base, section: TopicsSection, topics: Patterns) -> Probe:
    schedule = Schedule(section.period, section.timeout)
    chosen = base.chosen_topics(topics, TopicsBound.of(section))
    return OffsetsProbe(base.cluster, base.topology, base.peers(), schedule, chosen=chosen, detail=section.detail)


def _canary(base: Base, section: CanarySection) -> Probe:
    peers, schedule = base.peers(), Schedule(section.period, section.timeout)
    topic = CanaryTopic(section.topic, base.topology, peers, retention=section.retention)
    return CanaryProbe(
        base.cluster, base.topology, peers, topic, schedule, link=base.peers, version=base.clients.version
    )


def _events(base: Base, section: EventsSection) -> Probe:
    probe = EventsProbe(
        base.cluster,
        section.label,
        section.profile(),
        base.topology,
        base.peers(),
        base.clients,
        Schedule(section.period, section.timeout),
        realms=Realms(section.realms, section.max_realms),
        max_bytes=section.max_bytes,
        look_back=base.look_back,
    )
    base.seen[section.label] = probe.seen
    return probe


def _dlq(base: Base, section: DlqSection) -> Probe:
    schedule = Schedule(section.period, section.timeout)
    sources = Sources(section.reason_header, section.reason_field)
    if section.folder is not None:
        folder = DeadLetterFolder(section.folder, section.file_pattern, sources)
        return DlqFolderProbe(base.cluster, section.name, str(section.folder), folder, schedule)
    return DlqTopicsProbe(
        base.cluster,
        section.name,
        base.topology,
        base.peers(),
        DeadLetterReader(base.clients, section.name, sources.of_record),
        schedule,
        topics=Patterns(section.topics or ()),
        named=section.named_topics,
    )


def _keycloak(base: Base, section: KeycloakSection) -> Probe:
    schedule = Schedule(section.period, section.timeout)
    return KeycloakProbe(
        base.cluster,
        section.name,
        HttpPeer(section.url, section.tls, section.basic_auth),
        schedule,
        misses=section.misses,
        renew_after=section.renew_after,
    )


def _reconciliation(base: Base, events: EventsSection, nodes: Sequence[KeycloakSection]) -> Probe:
    """Made after the probe of the same listener's events, and anew whenever that is."""
    section = events.reconcile or ReconciliationSection()
    scope = Scope(
        Patterns(section.realms, section.exclude_realms),
        frozenset(map(user_event, section.types)) or None,
        events.realms,
        named=events.profile().fields.realm_name is not None,
    )
    return ReconciliationProbe(
        base.cluster,
        events.label,
        base.seen[events.label],
        {node.name: KeycloakMetrics(HttpPeer(node.url, node.tls, node.basic_auth)) for node in nodes},
        Schedule(section.period, section.timeout),
        scope=scope,
        window=section.window,
        give_up_after=section.give_up_after,
        tolerance=section.tolerance,
    )


def _groups(base: Base, section: GroupsSection, topics: Patterns) -> Probe:
    wanted = Patterns(section.include, (*section.exclude, *_OWN_GROUPS))
    peers, beside = base.peers(), base.peers()
    search = RecordSearch(base.topology, beside, Allowance(section.fetch_rate))
    limits = [
        Limit(Patterns((limit.groups,)), limit.records, limit.seconds, limit.retention_left) for limit in section.limits
    ]
    limited = Patterns(tuple(limit.groups for limit in section.limits))
    chosen = ChosenGroups(
        wanted.__contains__, section.watch, limited.__contains__, section.max_groups, section.max_partitions
    )
    owners = section.members + 1 if section.members else 0  # one more, so that it is seen that there are more
    return GroupsProbe(
        base.cluster,
        base.topology,
        peers,
        Groups(base.topology, peers, chosen, section.watch, beside=beside, owners=owners),
        RecordTimes(search, RecordReader(base.clients), base.cluster),
        Schedule(section.period, section.timeout),
        topics=topics,
        beside=beside,
        limits=limits,
        watch=section.watch,
        only_watched={*section.include} <= {*section.watch, *map(re.escape, section.watch)},
        fetches=section.fetches,
        idle_cycles=section.idle_cycles,
        detail=section.detail,
        members=section.members,
        unread=base.unread,
    )


def _retention(base: Base) -> Probe:
    return RetentionProbe(base.cluster, base.topology, base.unread, _RETENTION_SCHEDULE)
