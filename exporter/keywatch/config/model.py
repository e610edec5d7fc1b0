"""The configuration as a whole; nothing is accepted that is not declared here or in a section beside."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    Field,
    ValidationInfo,
    field_serializer,
    field_validator,
    model_validator,
)

from keywatch.config.canary import CanarySection
from keywatch.config.client import Setting, SettingValue, check_code, redacted
from keywatch.config.cluster import BrokerSection, ClusterSection, LogDirsSection, QuorumSection, TopicsSection
from keywatch.config.dead_letters import DlqSection, distinct
from keywatch.config.endpoint import Endpoint, endpoint
from keywatch.config.events import Events
from keywatch.config.groups import GroupsSection
from keywatch.config.keycloak import KeycloakSections
from keywatch.config.logs import LogsSection
from keywatch.config.redrive import RedriveSection
from keywatch.config.sasl import SaslSection
from keywatch.config.security import Section, TlsSection
from keywatch.config.values import Address, ClusterId, Name
from keywatch.config.web import Log, Web


class Cluster(Section):
    """One Kafka cluster."""

    name: Name = Field("kafka", description="Value of the label `cluster`.")
    bootstrap: tuple[Address, ...] = Field(..., min_length=1, description="Addresses to start from, host:port.")
    cluster_id: ClusterId = Field(
        "",
        description="Id of the Kafka cluster that is meant; unset: the first that answers is held until a reload.",
    )
    tls: TlsSection | None = Field(None, description="TLS towards the brokers; unset: plaintext.")
    sasl: SaslSection | None = Field(None, description="Who keywatch is to the brokers; unset: nobody.")
    client: dict[Setting, SettingValue] = Field(
        default_factory=dict, repr=False, description="Settings passed to librdkafka as they are."
    )
    broker: BrokerSection = BrokerSection()
    cluster: ClusterSection = ClusterSection()
    quorum: QuorumSection = QuorumSection()
    log_dirs: LogDirsSection = LogDirsSection()
    topics: TopicsSection = TopicsSection()
    groups: GroupsSection = GroupsSection()
    canary: CanarySection = CanarySection()
    keycloaks: KeycloakSections = Field((), description="The nodes of Keycloak whose events cross the cluster.")
    events: Events = Field((), description="The listeners whose events are read.")
    logs: LogsSection | None = Field(None, description="Where the events go after Kafka: Logstash, Elasticsearch.")
    dlq: Annotated[tuple[DlqSection, ...], AfterValidator(distinct)] = Field(
        (), description="Dead-letter queues to watch."
    )
    redrive: RedriveSection = RedriveSection()

    @field_validator("tls", mode="before")
    @classmethod
    def _not_empty(cls, tls: object) -> object:
        if tls is None:  # all its keys commented out: plaintext is hardly what was meant
            raise ValueError("is empty; write tls: {} for TLS with the system's authorities, or leave it out")
        return tls

    @field_validator("sasl", mode="before")
    @classmethod
    def _mechanism_given(cls, sasl: object) -> object:
        if sasl is None:
            raise ValueError("is empty; give a mechanism, or leave it out")
        return sasl

    @model_validator(mode="after")
    def _keycloaks_known(self) -> Self:
        names = {section.name for section in self.keycloaks}
        for section in self.events:
            if section.reconcile is None:
                continue
            if not names:
                raise ValueError(f"events of {section.label}: reconcile needs keycloaks, whose counters it reads")
            for name in section.reconcile.keycloaks:
                if name not in names:
                    allowed = ", ".join(sorted(names))
                    raise ValueError(f"events of {section.label}: reconcile.keycloaks: no {name!r} among {allowed}")
        return self

    @field_validator("client")
    @classmethod
    def _no_code(cls, settings: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        check_code(settings, bool((info.context or {}).get("code")))
        return settings

    @field_serializer("client", when_used="json")
    def _redact(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Hide secrets where the configuration is shown; pydantic does so for `SecretStr`."""
        return redacted(settings)

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """The bootstrap addresses."""
        return tuple(endpoint(address) for address in self.bootstrap)


class Config(Section):
    """Everything."""

    clusters: tuple[Cluster, ...] = Field(..., min_length=1, description="The Kafka clusters to watch.")
    web: Web = Web()
    log: Log = Log()

    @field_validator("clusters")
    @classmethod
    def _distinct(cls, clusters: tuple[Cluster, ...]) -> tuple[Cluster, ...]:
        names = [cluster.name for cluster in clusters]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two clusters are called {name!r}; each needs a name of its own")
        return clusters
