"""The configuration: every key with its type, default and meaning; nothing is accepted that is not declared here."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    field_serializer,
    field_validator,
    model_validator,
)

from keywatch.config_dlq import DlqSection, distinct
from keywatch.config_events import Events
from keywatch.config_keycloak import KeycloakSections
from keywatch.config_logs import LogsSection
from keywatch.config_paths import FilePath
from keywatch.config_security import SaslSection, Section, TlsSection
from keywatch.kafka.connection import Endpoint
from keywatch.patterns import checked

_ADDRESS = re.compile(r"(?:\[(?P<v6>[^\[\]\s]+)\]|(?P<host>[^\[\]:/@\s]+)):(?P<port>\d{1,7})")
_LISTEN = re.compile(r"(?:\[(?P<v6>[^\[\]\s]+)\]|(?P<host>[^\[\]:/@\s]*)):(?P<port>\d{1,7})")
# What librdkafka calls a secret: passwords, keys, tokens, credentials inside longer texts.
_SECRET_SETTINGS = ("pass", "secret", "key.pem", "certificate.pem", "oauthbearer.config", "sasl.username", "jaas")
_REDACTED = "**********"
DEFAULT_CANARY_TOPIC = "keywatch-canary"
"""What topics' names begin with that no instance takes for a user's."""
# Settings of librdkafka that keywatch sets itself, and where the wish behind them belongs instead.
OWNED_SETTINGS: Mapping[str, str] = {
    "bootstrap.servers": "use bootstrap",
    "metadata.broker.list": "use bootstrap",
    "group.id": "keywatch joins no group",
    "enable.auto.commit": "keywatch commits nothing",
    "enable.partition.eof": "keywatch needs it to be told where a partition ends",
    "auto.offset.reset": "keywatch decides where reading begins",
    "isolation.level": "keywatch reads what is committed, and looks at open transactions too",
    "security.protocol": "use tls and sasl",
    "sasl.mechanism": "use sasl.mechanism of the cluster",
    "sasl.mechanisms": "use sasl.mechanism of the cluster",
    "sasl.username": "use sasl.username of the cluster",
    "sasl.password": "use sasl.password of the cluster",
    "sasl.oauthbearer.method": "use sasl.mechanism: OAUTHBEARER of the cluster",
    "sasl.oauthbearer.config": "use sasl.token_url of the cluster",
    "sasl.oauthbearer.client.id": "use sasl.client_id of the cluster",
    "sasl.oauthbearer.client.secret": "use sasl.client_secret of the cluster",
    "sasl.oauthbearer.token.endpoint.url": "use sasl.token_url of the cluster",
    "sasl.oauthbearer.scope": "use sasl.scope of the cluster",
    "ssl.ca.location": "use tls.ca_file",
    "ssl.certificate.location": "use tls.cert_file",
    "ssl.key.location": "use tls.key_file",
    "ssl.key.password": "use tls.key_password",
    "retries": "the canary needs the broker's own answer",
    "message.send.max.retries": "the canary needs the broker's own answer",
    "acks": "the canary proves acks=all",
    "request.required.acks": "the canary proves acks=all",
}


def endpoint(text: str) -> Endpoint:
    """Read `host:port` or `[IPv6]:port`; raises `ValueError`."""
    match = _ADDRESS.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not host:port (an IPv6 address goes in brackets: [::1]:9092)")
    return Endpoint(_host(match), _port(int(match["port"]), least=1))


def listen_address(text: str) -> Endpoint:
    """Read `host:port`, `[IPv6]:port` or `:port` (all addresses); raises `ValueError`."""
    match = _LISTEN.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not host:port or :port")
    return Endpoint(_host(match), _port(int(match["port"]), least=0))


def _host(match: re.Match[str]) -> str:
    if match["v6"]:
        try:
            return str(ipaddress.IPv6Address(match["v6"]))
        except ValueError:
            raise ValueError(f"{match['v6']!r} is not an IPv6 address") from None
    try:
        match["host"].encode("idna")  # what the resolver does with it, and fails on, long after the start
    except UnicodeError:
        raise ValueError(f"{match['host']!r} is not a host name") from None
    return match["host"]


def _port(port: int, *, least: int) -> int:
    if not least <= port <= 65535:
        raise ValueError(f"port {port} is out of range; allowed: {least} to 65535")
    return port


def _checked_setting_name(name: str) -> str:
    if name in OWNED_SETTINGS:
        raise ValueError(f"is not to be set here: {OWNED_SETTINGS[name]}")
    return name


def _checked_setting(value: Any) -> str | int | float | bool:
    if not isinstance(value, str | int | float | bool):
        raise ValueError("must be text, a number or true/false")  # noqa: TRY004 - what pydantic makes a message of
    return value


def _checked_address(text: str) -> str:
    endpoint(text)
    return text


def _checked_listen(text: str) -> str:
    listen_address(text)
    return text


Address = Annotated[str, AfterValidator(_checked_address)]
Pattern = Annotated[str, AfterValidator(checked)]
Setting = Annotated[str, AfterValidator(_checked_setting_name)]
SettingValue = Annotated[Any, AfterValidator(_checked_setting)]
Period = Annotated[float, Field(ge=0.1, le=3600)]
Timeout = Annotated[float, Field(ge=0.1, le=60)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,100}$")]
TopicName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")]


class BrokerSection(Section):
    """Probe `broker`: is each broker alive, and if not, why?"""

    period: Period = Field(0.5, description="Seconds between two questions to a broker.")
    timeout: Timeout = Field(1.0, description="Seconds a broker has to answer.")
    misses: int = Field(2, ge=1, le=20, description="Failures in a row after which a broker is down.")
    renew_after: Period = Field(1.5, description="Seconds after which a new connection replaces the kept one.")
    expected: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        (), description="Ids of brokers that must exist, beside those that the cluster names."
    )
    forget_after: float = Field(
        3600.0, ge=1, description="Seconds after which a broker that left is forgotten (Kafka before 4.0)."
    )


class ClusterSection(Section):
    """Probe `cluster`: does the cluster answer, and what does its metadata say?"""

    period: Period = Field(1.0, description="Seconds between two reads of the metadata.")
    timeout: Timeout = Field(1.0, description="Seconds a broker has to give its metadata.")
    ask: int = Field(2, ge=1, le=10, description="How many living brokers are asked at once.")


class TopicsSection(Section):
    """Probes `topics`, `offsets` and `configs`: which partitions work, and where do they end?"""

    include: tuple[Pattern, ...] = Field((".*",), min_length=1, description="Patterns of topics to report.")
    exclude: tuple[Pattern, ...] = Field((), description="Patterns of topics to leave out.")
    watch: tuple[TopicName, ...] = Field((), description="Topics that must exist.")
    period: Period = Field(1.0, description="Seconds between two cycles.")
    timeout: Timeout = Field(2.0, description="Seconds for one cycle.")
    detail: bool = Field(True, description="Whether to export series per partition.")


class LimitSection(Section):
    """How far groups may be behind; the first entry whose pattern fits counts."""

    groups: Pattern = Field(".*", description="Pattern of groups.")
    records: float | None = Field(None, ge=0, description="Records; unset: any.")
    seconds: float | None = Field(None, ge=0, description="Seconds; unset: any.")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.records is None and self.seconds is None:
            raise ValueError("a limit needs records, seconds or both")
        return self


class GroupsSection(Section):
    """Probe `groups`: how far behind are the consumer groups, and do they live?"""

    enabled: bool = Field(True, description="Whether groups are read at all.")
    include: tuple[Pattern, ...] = Field((".*",), min_length=1, description="Patterns of groups to report.")
    exclude: tuple[Pattern, ...] = Field((), description="Patterns of groups to leave out.")
    watch: tuple[str, ...] = Field((), description="Groups that must exist.")
    limits: tuple[LimitSection, ...] = Field((), description="Limits, exported as series that rules compare with.")
    period: Period = Field(1.0, description="Seconds between two cycles.")
    timeout: Timeout = Field(2.5, description="Seconds for one cycle.")
    fetches: int = Field(100, ge=0, le=10_000, description="Old records sought per cycle for the lag in seconds.")
    fetch_rate: float = Field(
        5e6, ge=1e4, le=1e9, description="Bytes of old records that brokers send per second, about."
    )
    idle_cycles: int = Field(
        10, ge=1, le=600, description="Cycles after which an idle group is asked at the latest; 1: in every cycle."
    )
    detail: bool = Field(True, description="Whether to export series per partition.")


class CanarySection(Section):
    """Probe `canary`: can a record cross each broker?"""

    enabled: bool = Field(True, description="Whether records are produced at all.")
    topic: TopicName = Field(
        DEFAULT_CANARY_TOPIC,
        description="Topic of the records; created when it is missing. Begin it with keywatch-canary, so that no "
        "other instance takes it for a user's.",
    )
    period: Period = Field(1.0, description="Seconds between two records through a broker.")
    timeout: Timeout = Field(2.0, description="Seconds in which a record must come back.")
    retention: float = Field(600.0, ge=60, description="Seconds for which Kafka keeps the records.")


class Cluster(Section):
    """One Kafka cluster."""

    name: Name = Field("kafka", description="Value of the label `cluster`.")
    bootstrap: tuple[Address, ...] = Field(..., min_length=1, description="Addresses to start from, host:port.")
    tls: TlsSection | None = Field(None, description="TLS towards the brokers; unset: plaintext.")
    sasl: SaslSection | None = Field(None, description="Who keywatch is to the brokers; unset: nobody.")
    client: dict[Setting, SettingValue] = Field(
        default_factory=dict, repr=False, description="Settings passed to librdkafka as they are."
    )
    broker: BrokerSection = BrokerSection()
    cluster: ClusterSection = ClusterSection()
    topics: TopicsSection = TopicsSection()
    groups: GroupsSection = GroupsSection()
    canary: CanarySection = CanarySection()
    keycloaks: KeycloakSections = Field((), description="The nodes of Keycloak whose events cross the cluster.")
    events: Events = Field((), description="The listeners whose events are read.")
    logs: LogsSection | None = Field(None, description="Where the events go after Kafka: Logstash, Elasticsearch.")
    dlq: Annotated[tuple[DlqSection, ...], AfterValidator(distinct)] = Field(
        (), description="Dead-letter queues to watch."
    )

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

    @field_serializer("client", when_used="json")
    def _redact(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Hide secrets where the configuration is shown; pydantic does so for `SecretStr`."""
        return {k: _REDACTED if any(word in k for word in _SECRET_SETTINGS) else v for k, v in settings.items()}

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """The bootstrap addresses."""
        return tuple(endpoint(address) for address in self.bootstrap)


class Web(Section):
    """The exporter's own port."""

    listen_address: Annotated[str, AfterValidator(_checked_listen)] = Field(
        ":9877", description="Address to listen on; without a host, all addresses."
    )
    config_file: FilePath | None = Field(
        None, description="File with TLS, users and headers of the port, in the form of Prometheus' exporters."
    )
    enable_lifecycle: bool = Field(False, description="Whether POST /-/reload has the configuration read anew.")


class Log(Section):
    """What keywatch says about itself."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least severity that is logged.")
    format: Literal["auto", "json", "text"] = Field(
        "auto", description="ECS JSON or plain text; auto: text on a terminal."
    )


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
