"""Reads the configuration file and says of each mistake where it is, what is wrong and what is allowed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException

from keywatch.config.client import without_values
from keywatch.config.files import MOST_CERTIFICATES, FileError, contents
from keywatch.config.logs import LogsSection
from keywatch.config.messages import Place
from keywatch.config.model import Config
from keywatch.config.secret import SecurityError
from keywatch.config.security import Section
from keywatch.config.yaml_file import ConfigError as ConfigError  # noqa: PLC0414 - what this module raises
from keywatch.config.yaml_file import mistakes, read, tree, validated
from keywatch.kafka.client import Clients
from keywatch.kafka.security.identity import ClusterSecurity
from keywatch.net.http_peer import HttpPeer


def load(path: Path, *, code: bool = False) -> Config:
    """Read and check a file; raises `ConfigError` for anything that is wrong with it.

    With `code`, what it says to librdkafka may load libraries and run commands.
    """
    return parse(read(path), str(path), path.parent, code=code)


def parse(text: str, source: str, folder: Path | None = None, *, code: bool = False) -> Config:
    """Check a configuration given as YAML; `source` is how messages call it, `folder` where folders in it begin.

    Raises `ConfigError`. `code` as for `load`.
    """
    data, lines = tree(text, source)
    if not isinstance(data, Mapping):
        raise ConfigError(f"{source}: is empty or not a mapping; the least is clusters: with one bootstrap: address")
    return from_data(data, source, lines, folder, code=code)


def from_data(
    data: Mapping[str, Any],
    source: str,
    lines: Mapping[Place, int] | None = None,
    folder: Path | None = None,
    *,
    code: bool = False,
) -> Config:
    """Check configuration data; `lines` tells where in the source a key stands. Raises `ConfigError`."""
    config = validated(Config, data, source, lines or {}, {"folder": folder or Path(), "code": code})
    problems = [*_unreadable(config), *_refused(config)]
    if problems:
        raise mistakes(problems, source, lines or {})
    return config


def _unreadable(config: Config) -> Iterator[tuple[Place, str]]:
    """Name the files that the configuration points at and that cannot be read, or hold nothing that can be used."""
    for index, cluster in enumerate(config.clusters):
        place: Place = ("clusters", index)
        yield from _of(place, {"tls": cluster.tls, "sasl": cluster.sasl}, partial(ClusterSecurity, cluster))
        for number, node in enumerate(cluster.keycloaks):
            sections = {"tls": node.tls, "basic_auth": node.basic_auth}
            peer = HttpPeer(node.url, node.tls, node.basic_auth)
            yield from _of((*place, "keycloaks", number), sections, peer.prepare)
        if cluster.logs is not None:
            yield from _unreadable_logs((*place, "logs"), cluster.logs)


def _unreadable_logs(place: Place, logs: LogsSection) -> Iterator[tuple[Place, str]]:
    for number, node in enumerate(logs.logstash):
        peer = HttpPeer(node.url, node.tls, node.basic_auth)
        sections = {"tls": node.tls, "basic_auth": node.basic_auth}
        yield from _of((*place, "logstash", number), sections, peer.prepare)
    if (elastic := logs.elasticsearch) is not None:
        peer = HttpPeer(elastic.url, elastic.tls, elastic.basic_auth, elastic.key)
        sections = {"tls": elastic.tls, "basic_auth": elastic.basic_auth}
        yield from _of((*place, "elasticsearch"), sections, peer.prepare)


def _of(place: Place, sections: Mapping[str, Section | None], use: Callable[[], object]) -> Iterator[tuple[Place, str]]:
    missing = False
    for name, section in sections.items():
        for key in type(section).model_fields if section is not None else ():
            path = getattr(section, key)
            if not isinstance(path, Path):
                continue
            try:
                contents(path, MOST_CERTIFICATES)
            except FileError as error:
                missing = True
                yield (*place, name, key), f"{path} {error}"
    if not missing:
        try:
            use()
        except SecurityError as error:
            yield (*place, *error.key), error.words


def _refused(config: Config) -> Iterator[tuple[Place, str]]:
    """Say of which settings librdkafka says that it does not know or allow them; without an address it calls nobody."""
    for index, cluster in enumerate(config.clusters):
        clients = Clients("", cluster.client)
        try:
            if cluster.client:
                clients.producer(1.0, lambda *_: None)
                clients.bulk()
                clients.bulk()
        except KafkaException as error:
            yield ("clusters", index, "client"), without_values(error.args[0].str().strip(), cluster.client)
