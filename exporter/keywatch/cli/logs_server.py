"""The flags that say at which Elasticsearch or OpenSearch a command of `keywatch logs` works, and as whom."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from keywatch.cli.default_file import WORDS, default_file
from keywatch.cli.out import complain
from keywatch.cli.seconds import seconds
from keywatch.config.logs import ElasticsearchSection
from keywatch.config.secret import SecurityError
from keywatch.config.yaml_file import validated
from keywatch.elastic.server import ElasticServer
from keywatch.engine.probe import ProbeError
from keywatch.net.http_peer import HttpPeer
from keywatch.service.config_file import ConfigError, load

OK, TROUBLE, DRIFT = 0, 1, 3
"""Exit codes of the commands."""
_RETRIES = 3
_AUTH_FLAGS = ("username", "password_file", "password_env")
_KEY_FLAGS = ("api_key_file", "api_key_env")
_LONGEST = 600.0


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Declare them."""
    at = parser.add_argument_group("server")
    at.add_argument(
        "--config.file",
        dest="config_file",
        type=Path,
        metavar="FILE",
        help=f"configuration with logs:; without it {WORDS}",
    )
    at.add_argument("--cluster", metavar="NAME", help="whose logs, where the configuration has several clusters")
    at.add_argument("--url", metavar="URL", help="http(s)://host:9200, in place of a file")
    at.add_argument("--ca-file", type=Path, metavar="FILE", help="authorities to trust, PEM")
    at.add_argument("--api-key-file", type=Path, metavar="FILE", help="file that holds an API key")
    at.add_argument("--api-key-env", metavar="NAME", help="variable that holds an API key")
    at.add_argument("--username", metavar="USER", help="in place of a key")
    at.add_argument("--password-file", type=Path, metavar="FILE", help="file that holds the user's password")
    at.add_argument("--password-env", metavar="NAME", help="variable that holds the user's password")
    at.add_argument(
        "--timeout", type=seconds(_LONGEST), default=10.0, metavar="SECONDS", help="longest wait for an answer [10]"
    )


def run(options: argparse.Namespace, work: Callable[[ElasticServer], Awaitable[int]]) -> int:
    """Have `work` done at the server that the flags name, and give its exit code, or 1 with the failure's words.

    Raises `ConfigError` for flags that do not fit.
    """
    section = _section(options)
    peer = HttpPeer(section.url, section.tls, section.basic_auth, section.key)
    try:
        peer.prepare()
    except SecurityError as error:
        raise ConfigError(
            f"flags: {error}" if not options.config_file else f"{options.config_file}: {error}"
        ) from error

    async def once() -> int:
        server = ElasticServer(peer, retries=_RETRIES)
        try:
            return await work(server)
        finally:
            await server.close()

    try:
        return asyncio.run(once())
    except ProbeError as error:
        complain(f"{error.reason}: {error.detail}")
        return TROUBLE


def _section(options: argparse.Namespace) -> ElasticsearchSection:
    if options.config_file and options.url:
        raise ConfigError("give either --config.file FILE or --url URL")
    if not options.url:
        options.config_file = options.config_file or default_file()
    if not options.config_file and not options.url:
        raise ConfigError(f"give --config.file FILE or --url URL; without them {WORDS}")
    given = [name for name in ("ca_file", *_KEY_FLAGS, *_AUTH_FLAGS) if getattr(options, name) is not None]
    if options.config_file:
        if given:
            raise ConfigError(f"--{given[0].replace('_', '-')} goes with --url; the file says who keywatch is")
        return _configured(options.config_file, options.cluster)
    if options.cluster is not None:
        raise ConfigError("--cluster goes with --config.file")
    data: dict[str, Any] = {"url": options.url}
    data |= {name: getattr(options, name) for name in _KEY_FLAGS if getattr(options, name) is not None}
    if options.ca_file is not None:
        if not options.url.startswith("https://"):
            raise ConfigError("--ca-file goes with an https:// URL")
        data["tls"] = {"ca_file": options.ca_file}
    who = {name: getattr(options, name) for name in _AUTH_FLAGS if getattr(options, name) is not None}
    if who:
        data["basic_auth"] = who
    return validated(ElasticsearchSection, data, "flags", {})


def _configured(file: Path, name: str | None) -> ElasticsearchSection:
    chosen = [
        (cluster.name, section)
        for cluster in load(file).clusters
        if cluster.logs is not None and (section := cluster.logs.elasticsearch) and name in (None, cluster.name)
    ]
    if not chosen:
        which = f"the cluster {name!r}" if name else "any cluster"
        raise ConfigError(f"{file}: no logs.elasticsearch of {which}")
    if len(chosen) > 1:
        names = ", ".join(cluster for cluster, _ in chosen)
        raise ConfigError(f"{file}: several clusters have logs.elasticsearch; give --cluster, one of {names}")
    return chosen[0][1]
