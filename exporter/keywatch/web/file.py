"""Reads a web configuration file with the certificates that it names: what protects the port, or what is wrong."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from keywatch.config.yaml_file import ConfigError, mistakes, read, tree, validated
from keywatch.web.config import WebConfig
from keywatch.web.tls import TlsMistakeError, server_context

_TLS = "tls_server_config"


@dataclass(frozen=True)
class Protection:
    """What holds for new connections and requests; `files` are those that it was made of."""

    config: WebConfig = field(default_factory=WebConfig)
    context: ssl.SSLContext | None = None
    files: tuple[Path, ...] = ()

    def __str__(self) -> str:
        """Sum it up in words."""
        tls = self.config.tls_server_config
        asked = {"NoClientCert": "", "VerifyClientCertIfGiven": ", verified client certificates"}
        clients = ", required client certificates" if tls else ""
        users = len(self.config.basic_auth_users)
        words = f"TLS{asked.get(tls.client_auth_type, clients)}" if tls else "plain HTTP"
        return f"{words}, {users or 'no'} user{'' if users == 1 else 's'}"

    def warnings(self) -> list[str]:
        """Name what works but lets in anybody, or lets passwords be read on the way."""
        tls, users = self.config.tls_server_config, self.config.basic_auth_users
        found = []
        if not users and (tls is None or tls.client_auth_type != "RequireAndVerifyClientCert"):
            found.append("no basic_auth_users and no client certificates that are required: anybody may ask the port")
        if tls is None:
            words = "passwords and answers" if users else "answers"
            found.append(f"no {_TLS}: {words} can be read on the way")
        return found


def load(path: Path) -> Protection:
    """Read and check a file; raises `ConfigError` for anything that is wrong with it."""
    return parse(read(path), path)


def parse(text: str, path: Path) -> Protection:
    """Check a web configuration given as YAML; relative paths in it begin where `path` lies. Raises `ConfigError`."""
    source = str(path)
    data, lines = tree(text, source)
    if not isinstance({} if data is None else data, Mapping):
        raise ConfigError(f"{source}: is not a mapping; allowed: {', '.join(sorted(WebConfig.model_fields))}")
    config = validated(WebConfig, data or {}, source, lines, {"folder": path.parent})
    tls = config.tls_server_config
    if tls is None:
        return Protection(config, None, (path,))
    try:
        context = server_context(tls)
    except TlsMistakeError as error:
        raise mistakes([((_TLS, error.key), str(error))], source, lines) from None
    named = (tls.cert_file, tls.key_file, tls.client_ca_file)
    return Protection(config, context, (path, *(file for file in named if file is not None)))
