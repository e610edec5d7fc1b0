"""Whether the keywatch that runs here is alive, also behind a password or client certificates, for who restarts it."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from keywatch.cli.default_file import default_file
from keywatch.config.endpoint import listen_address

_WITHIN = 4.0
_ANY = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - compared with, not listened on
_USUAL = ":9877"
_PATH = "/-/healthy"
_HANDSHAKE = b"\x16\x03"
"""How a record of TLS begins that goes on with the handshake (RFC 8446, 5.1); an alert begins otherwise."""


def alive(url: str | None, file: Path | None) -> tuple[bool, str]:
    """Ask at `url`, or where the configuration file has it listen, by HTTP and else by TLS; returns also words.

    Whoever is refused for want of a password, a right name or a client certificate was answered: a port that refuses is
    alive. Restarting it would mend nothing. Raises `ConfigError` for an address that is none.
    """
    scheme, host, port = _address(url, file)
    problem = ""
    for tls in {"http": (False,), "https": (True,)}.get(scheme, (False, True)):
        where = f"http{'s' if tls else ''}://{f'[{host}]' if ':' in host else host}:{port}"
        try:
            return _judged(where, *_ask(host, port, tls=tls))
        except (OSError, http.client.HTTPException) as error:
            if tls and not isinstance(error, TimeoutError) and _says_hello(host, port):
                return True, f"{where} is alive, and ends connections without a client certificate"
            problem = f"{where}: {getattr(error, 'strerror', None) or str(error) or type(error).__name__}"
    return False, problem


def _judged(where: str, status: int, again_after: str | None, body: str) -> tuple[bool, str]:
    # A crowd at the port is told by when to come again; without that, 503 is what keywatch says of itself.
    if status == http.client.SERVICE_UNAVAILABLE and again_after is None:
        return False, f"{where}: {body}"
    return (
        status < http.client.INTERNAL_SERVER_ERROR or again_after is not None,
        f"{where} answers with status {status}",
    )


def _ask(host: str, port: int, *, tls: bool) -> tuple[int, str | None, str]:
    connection: socket.socket = socket.create_connection((host, port), timeout=_WITHIN)
    with connection:
        if tls:
            connection = _context().wrap_socket(connection, server_hostname=host)
        with connection:
            connection.sendall(f"GET {_PATH} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            return answer.status, answer.getheader("Retry-After"), answer.read(1000).decode(errors="replace").strip()


def _says_hello(host: str, port: int) -> bool:
    """Return whether TLS is spoken there, also where it ends without an alert because a certificate is missing."""
    words = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        _context().wrap_bio(ssl.MemoryBIO(), words, server_hostname=host).do_handshake()
    try:
        with socket.create_connection((host, port), timeout=_WITHIN) as connection:
            connection.sendall(words.read())
            return connection.recv(len(_HANDSHAKE)) == _HANDSHAKE
    except OSError:
        return False


def _context() -> ssl.SSLContext:
    # Nothing is sent that is secret, and nothing believed but that somebody answers; the name is the loopback's.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _address(url: str | None, file: Path | None) -> tuple[str, str, int]:
    """Return the scheme, empty where only trying tells, the host and the port."""
    from keywatch.config.yaml_file import ConfigError, read, tree  # noqa: PLC0415 - takes longer than the question

    if url is not None:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            host = port = None
        if host is None or parts.scheme not in {"http", "https"}:
            raise ConfigError("--exporter: must be http://HOST:PORT or https://HOST:PORT")
        return parts.scheme, host, port or {"http": 80, "https": 443}[parts.scheme]
    text: object = _USUAL
    if (file := file or default_file()) is not None:
        data: Any = tree(read(file), str(file)).data
        web = data.get("web") if isinstance(data, dict) else None
        text = web.get("listen_address", _USUAL) if isinstance(web, dict) else _USUAL
    try:
        where = listen_address(str(text))
    except ValueError as error:
        raise ConfigError(f"{file}: web.listen_address: {error}") from error
    return "", "127.0.0.1" if where.host in _ANY else where.host, where.port
