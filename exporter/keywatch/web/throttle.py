"""Buckets of tokens: how many wrong passwords an address may try, and how many requests a port takes."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable

_BURST = 10
_INTERVAL = 6.0
_MOST_ADDRESSES = 1024


class Bucket:
    """Holds up to `burst` tokens and gains one each `interval` seconds."""

    __slots__ = ("_at", "_burst", "_interval", "_tokens")

    def __init__(self, burst: int, interval: float, now: float) -> None:
        self._burst = burst
        self._interval = interval
        self._tokens = float(burst)
        self._at = now

    def acquire(self, now: float) -> float:
        """Take a token and give 0, or give the seconds until there is one."""
        self._tokens = min(self._tokens + (now - self._at) / self._interval, self._burst)
        self._at = now
        if self._tokens < 1:
            return (1 - self._tokens) * self._interval
        self._tokens -= 1
        return 0.0

    def give_back(self) -> None:
        """Put a token back that was taken for nothing."""
        self._tokens = min(self._tokens + 1, self._burst)


class Throttle:
    """A bucket for each client address; those that were used longest ago are forgotten when there are too many."""

    def __init__(
        self,
        burst: int = _BURST,
        interval: float = _INTERVAL,
        most: int = _MOST_ADDRESSES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._burst = burst
        self._interval = interval
        self._most = most
        self._clock = clock
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def __len__(self) -> int:
        """Count the addresses that are remembered."""
        return len(self._buckets)

    def acquire(self, address: str) -> float:
        """Take a token of an address and give 0, or give the seconds until there is one."""
        who = neighbourhood(address)
        now = self._clock()
        bucket = self._buckets.get(who)
        if bucket is None:
            bucket = self._buckets[who] = Bucket(self._burst, self._interval, now)
            if len(self._buckets) > self._most:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(who)
        return bucket.acquire(now)

    def give_back(self, address: str) -> None:
        """Put a token of an address back."""
        bucket = self._buckets.get(neighbourhood(address))
        if bucket is not None:
            bucket.give_back()


def neighbourhood(address: str) -> str:
    """Return what one client commands: an IPv4 address, or the /64 network of an IPv6 address."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, 64), strict=False))
