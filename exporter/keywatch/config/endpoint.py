"""Addresses: a host and a port, as a configuration writes them."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

from keywatch.surfaces import without_secrets


class Endpoint(NamedTuple):
    """Where a broker listens."""

    host: str
    port: int

    def __str__(self) -> str:
        """Write `host:port`, an IPv6 address in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


_LONGEST_HOST = 253
_SHOWN = 40
_ADDRESS = re.compile(r"(?:\[(?P<v6>[^\[\]\s]+)\]|(?P<host>[^\[\]:/@\s]+)):(?P<port>\d{1,7})")
_LISTEN = re.compile(r"(?:\[(?P<v6>[^\[\]\s]+)\]|(?P<host>[^\[\]:/@\s]*)):(?P<port>\d{1,7})")


def endpoint(text: str) -> Endpoint:
    """Read `host:port` or `[IPv6]:port`; raises `ValueError`."""
    match = _ADDRESS.fullmatch(text.strip())
    if match is None:
        shown = without_secrets(text)
        raise ValueError(f"{shown!r} is not host:port (an IPv6 address goes in brackets: [::1]:9092)")
    return Endpoint(_host(match), _port(int(match["port"]), least=1))


def listen_address(text: str) -> Endpoint:
    """Read `host:port`, `[IPv6]:port` or `:port` (all addresses); raises `ValueError`."""
    match = _LISTEN.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{without_secrets(text)!r} is not host:port or :port")
    return Endpoint(_host(match), _port(int(match["port"]), least=0))


def advertised(host: str, port: int) -> Endpoint:
    """Check an address that a cluster names as strictly as one of a configuration; raises `ValueError`."""
    # A resolver takes no longer name (RFC 1035), and a hostile one would be in every series and line.
    if len(host) > _LONGEST_HOST:
        raise ValueError(f"{host[:_SHOWN]!r}…, of {len(host)} letters, is not a host name")
    if ":" in host:
        try:
            return Endpoint(str(ipaddress.IPv6Address(host.partition("%")[0])), _port(port, least=1))
        except ipaddress.AddressValueError:
            raise ValueError(f"{host!r} is not a host name") from None
    match = _ADDRESS.fullmatch(f"{host}:1")
    if match is None:
        raise ValueError(f"{host!r} is not a host name")
    return Endpoint(_host(match), _port(port, least=1))


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
