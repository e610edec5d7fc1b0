"""Asks a Prometheus which series it has, and which labels they carry."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import quote

from keywatch.cli.out import complain
from keywatch.config.keycloak import BasicAuthSection
from keywatch.config.secret import SecurityError
from keywatch.config.security import TlsSection
from keywatch.config.yaml_file import ConfigError, validated
from keywatch.engine.probe import ProbeError
from keywatch.net.http_peer import HttpPeer

_TIMEOUT: Final = 30.0
_MOST_NAMES: Final = 64 * 1024 * 1024
_MOST_LABELS: Final = 1024 * 1024
_MOST_ASKED: Final = 1000
"""Series whose labels are asked for; those of more are taken for good."""


def labels_of(options: argparse.Namespace, names: Iterable[str]) -> dict[str, frozenset[str] | None]:
    """Return all series of the Prometheus that the flags name, with the labels of those of `names` that it has.

    Raises `ConfigError`, also when it does not answer.
    """
    url: str = options.prometheus_url
    if not url.startswith(("http://", "https://")):
        raise ConfigError("--prometheus.url must begin with http:// or https://")
    tls = validated(TlsSection, {"ca_file": options.prometheus_ca}, "flags", {}) if options.prometheus_ca else None
    peer = HttpPeer(url, tls, _auth(options))
    try:
        peer.prepare()
        return asyncio.run(_ask(peer, frozenset(names)))
    except SecurityError as error:
        raise ConfigError(f"flags: {error}") from error
    except ProbeError as error:
        raise ConfigError(f"--prometheus.url: {error.reason}: {error.detail}") from error


def _auth(options: argparse.Namespace) -> BasicAuthSection | None:
    if options.prometheus_user is None and options.prometheus_password is None:
        return None
    data: dict[str, Any] = {"username": options.prometheus_user, "password_file": options.prometheus_password}
    return validated(BasicAuthSection, data, "flags", {})


async def _ask(peer: HttpPeer, wanted: frozenset[str]) -> dict[str, frozenset[str] | None]:
    try:
        names = await _values(peer, "api/v1/label/__name__/values", _MOST_NAMES)
        found: dict[str, frozenset[str] | None] = dict.fromkeys(names)
        asked = sorted(wanted & found.keys())
        for name in asked[:_MOST_ASKED]:
            selector = quote(f"{{__name__={json.dumps(name)}}}", safe="")
            labels = await _values(peer, f"api/v1/labels?match%5B%5D={selector}", _MOST_LABELS)
            found[name] = frozenset(labels) - {"__name__"}
        if len(asked) > _MOST_ASKED:
            complain(f"labels of {len(asked) - _MOST_ASKED} series were not asked for")
        return found
    finally:
        await peer.close()


async def _values(peer: HttpPeer, path: str, most: int) -> list[str]:
    answer = await peer.get(path, _TIMEOUT, most)
    try:
        data = json.loads(answer.body)["data"] if answer.status == 200 else None
    except (ValueError, KeyError, TypeError):
        data = None
    if not isinstance(data, list) or not all(isinstance(value, str) for value in data):
        raise ConfigError(f"{peer.url}/{path}: is no answer of Prometheus (status {answer.status})")
    return data
