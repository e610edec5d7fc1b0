"""By which names the port may be asked, and by whose pages: a browser is made to ask for others (DNS rebinding).

A page of another site may have its own name lead to keywatch's address and then read what keywatch answers. It cannot
have a browser call keywatch by an address, by a name that only a local network has, or by one that it does not own.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable

from yarl import URL

_LOCAL = (
    *("localhost", "localdomain", "local", "internal", "intranet", "lan", "home.arpa", "corp", "private"),
    *("svc", "cluster.local", "test", "consul"),
)


class Hosts:
    """The names that are allowed."""

    def __init__(self, configured: Iterable[str] = (), listen_host: str = "", own_name: str | None = None) -> None:
        """Allow `configured` ones, the one that is listened on, and `own_name`, this machine's by default."""
        self.configured = bool(tuple(configured))
        name = socket.gethostname() if own_name is None else own_name
        names = {one.lower() for one in (*configured, listen_host, name) if one}
        self._any = "*" in names
        self._below = tuple(one[1:] for one in names if one.startswith("*."))
        self._names = frozenset(names)

    def allow(self, host: str | None) -> bool:
        """Return whether a request with this header `Host` may be answered; one without it comes from no browser."""
        if self._any or not host:
            return True
        name = _name(host)
        if name in self._names or name.endswith(self._below):
            return True
        return "." not in name or _is_address(name) or name.endswith(tuple(f".{suffix}" for suffix in _LOCAL))


def is_foreign(host: str | None, origin: str | None, site: str | None, referer: str | None) -> bool:
    """Return whether a page of another origin had a browser ask, as its headers tell.

    Over plain HTTP browsers send no `Sec-Fetch-Site`, but `Origin` with each POST.
    """
    if site is not None:
        return site not in {"none", "same-origin"}
    for told in (origin, referer):
        if told is not None:
            return _origin(told) != (host or "").lower()
    return False


def _name(host: str) -> str:
    name = host.partition("]")[0].removeprefix("[") if host.startswith("[") else host.rpartition(":")[0] or host
    return name.lower().rstrip(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return True


def _origin(address: str) -> str:
    """Return `host:port` of a URL as a header `Host` names it: without the scheme's own port."""
    try:
        url = URL(address)
        host = f"[{url.host}]" if ":" in (url.host or "") else url.host or ""
        return f"{host}:{url.port}".lower() if url.explicit_port and not url.is_default_port() else host.lower()
    except ValueError:
        return ""
