"""What of a configuration is open or goes over the wire in clear, although it works: for whoever checks it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr

from keywatch.config.endpoint import listen_address
from keywatch.config.messages import Place, dotted
from keywatch.config.model import Cluster, Config

_LOCAL = re.compile(r"localhost|127\.\d+\.\d+\.\d+|::1", re.IGNORECASE)
_SECRET_SETTING = re.compile(r"password|secret|ssl\.key\.pem|sasl\.oauthbearer\.config", re.IGNORECASE)


def exposures(config: Config) -> list[str]:
    """Name them, each with its key's path; what stays on this machine's loopback is neither."""
    found: list[tuple[Place, str]] = []
    for index, cluster in enumerate(config.clusters):
        place: Place = ("clusters", index)
        found += _kafka(place, cluster)
        found += _below(place, cluster)
    web = config.web
    if web.config_file is None and not _LOCAL.fullmatch(listen_address(web.listen_address).host):
        words = (
            "is missing: whoever reaches the port reads names of topics, groups and hosts, and nobody proves who it is"
        )
        found.append((("web", "config_file"), words))
    return [f"{dotted(place)}: {words}" for place, words in found]


def _kafka(place: Place, cluster: Cluster) -> Iterator[tuple[Place, str]]:
    remote = [one for one in cluster.endpoints if not _LOCAL.fullmatch(one.host)]
    if remote and cluster.tls is None:
        yield (*place, "tls"), f"is missing: records, and how keywatch logs in, can be read on their way to {remote[0]}"
    if remote and cluster.tls is not None and cluster.sasl is None and cluster.tls.cert_file is None:
        yield (*place, "sasl"), "is missing, and so is tls.cert_file: to the brokers keywatch is anybody"
    for name in cluster.client:
        if _SECRET_SETTING.search(name):
            yield (*place, "client", name), "is a secret that stands in the configuration; whoever may read it has it"


def _below(place: Place, value: object) -> Iterator[tuple[Place, str]]:
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            part = getattr(value, name)
            here = (*place, name)
            if isinstance(part, SecretStr):
                yield here, f"is a secret that stands in the configuration; {name}_file keeps it out"
            elif isinstance(part, str) and name == "url" and _in_clear(part):
                yield here, "http:// to another machine: what it answers, and any password, can be read on the way"
            else:
                yield from _below(here, part)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for index, part in enumerate(value):
            yield from _below((*place, index), part)


def _in_clear(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "http" and not _LOCAL.fullmatch(parts.hostname or "")
