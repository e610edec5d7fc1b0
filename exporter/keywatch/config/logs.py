"""The part of the configuration that says where the logs of a cluster's events go: Logstash and Elasticsearch."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from keywatch.config.keycloak import BasicAuthSection
from keywatch.config.paths import FilePath
from keywatch.config.secret import ApiKey
from keywatch.config.security import Section, TlsSection, Url, Variable, check_tls, distinct

Period = Annotated[float, Field(ge=0.1, le=3600)]
Timeout = Annotated[float, Field(ge=0.1, le=60)]
_TopicName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")]


def _checked_namespace(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9._*-]{1,100}", text):
        raise ValueError(f"{text!r} is not allowed; allowed: lower-case letters, digits, '.', '_', '-' and '*'")
    return text


_Namespace = Annotated[str, AfterValidator(_checked_namespace)]


class LogstashSection(Section):
    """Probe `logstash`: does this Logstash take events, pass them on, and lose none? One entry for each node."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,100}$")] = Field(
        ..., description="Value of the label `logstash`."
    )
    url: Url = Field(..., description="Logstash's own interface, http(s)://host:9600.")
    tls: TlsSection | None = Field(None, description="TLS towards an https:// URL; unset: the system's authorities.")
    basic_auth: BasicAuthSection | None = Field(None, description="Who keywatch is there (api.auth.type: basic).")
    period: Period = Field(5.0, description="Seconds between two questions.")
    timeout: Timeout = Field(3.0, description="Seconds Logstash has to answer.")
    misses: int = Field(2, ge=1, le=20, description="Failures in a row after which it is down.")

    @model_validator(mode="after")
    def _tls_fits(self) -> Self:
        check_tls(self.url, self.tls)
        return self


class ElasticsearchSection(Section):
    """Probe `elasticsearch`: does it take events, and do their streams live as they should? OpenSearch as well."""

    url: Url = Field(..., description="A node, or what stands before them, http(s)://host:9200; with a path, if any.")
    tls: TlsSection | None = Field(None, description="TLS towards an https:// URL; unset: the system's authorities.")
    basic_auth: BasicAuthSection | None = Field(None, description="Who keywatch is there, by name.")
    api_key: SecretStr | None = Field(None, description="Who keywatch is there, by key: `encoded`, or id:key.")
    api_key_file: FilePath | None = Field(None, description="File that holds the key.")
    api_key_env: Variable | None = Field(None, description="Variable that holds the key.")
    namespace: _Namespace = Field("default", description="Namespace of the data streams, their last part; * for all.")
    period: Period = Field(10.0, description="Seconds between two questions.")
    timeout: Timeout = Field(5.0, description="Seconds it has to answer.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        given = [name for name in ("api_key", "api_key_file", "api_key_env") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} are given; only one may be")
        if given and self.basic_auth is not None:
            raise ValueError(f"basic_auth and {given[0]} are given; only one may be")
        check_tls(self.url, self.tls)
        return self

    @property
    def key(self) -> ApiKey | None:
        """Where the API key comes from; None without one."""
        given = self.api_key is not None or self.api_key_file is not None or self.api_key_env is not None
        return ApiKey(self.api_key, self.api_key_file, self.api_key_env) if given else None


class LogLagSection(Section):
    """Probe `log_lag`: how far behind is the search? One entry for each consumer group of Logstash."""

    group: str = Field(..., min_length=1, max_length=255, description="Consumer group with which Logstash reads.")
    topics: tuple[_TopicName, ...] = Field(..., min_length=1, description="Topics that it reads.")


class LogCanarySection(Section):
    """Probe `log_canary`: is an event that keywatch writes to Kafka found by a search in time? Off without this."""

    topic: _TopicName = Field(..., description="Topic of user events that Logstash reads; keywatch needs Write on it.")
    realm: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,100}$")] = Field(
        "keywatch-canary", description="Realm of the events, by which everybody else can leave them out."
    )
    every: float = Field(30.0, ge=1, le=3600, description="Seconds between two events.")
    limit: float = Field(60.0, ge=1, le=3600, description="Seconds within which an event must be searchable.")
    period: Period = Field(1.0, description="Seconds between two searches while an event is under way.")
    timeout: Timeout = Field(5.0, description="Seconds for writing, searching and finding out where it is stuck.")


class LogsSection(Section):
    """Where the events go after Kafka."""

    logstash: Annotated[tuple[LogstashSection, ...], AfterValidator(distinct)] = Field(
        (), description="The nodes of Logstash."
    )
    elasticsearch: ElasticsearchSection | None = Field(None, description="Where the events can be searched.")
    lag: tuple[LogLagSection, ...] = Field((), description="Which groups carry which topics there.")
    lag_period: Period = Field(5.0, description="Seconds between two looks at the lag of the search.")
    lag_timeout: Timeout = Field(4.0, description="Seconds for one look.")
    canary: LogCanarySection | None = Field(None, description="Marked events that go the whole way.")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for name in ("lag", "canary"):
            if getattr(self, name) and self.elasticsearch is None:
                raise ValueError(f"{name} needs elasticsearch, which is asked for what can be searched")
        seen: set[str] = set()
        for section in self.lag:
            for topic in section.topics:
                if topic in seen:
                    raise ValueError(f"lag: the topic {topic!r} is given twice; one group carries it")
                seen.add(topic)
        return self
