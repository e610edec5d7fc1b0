"""Reads of Keycloak's /metrics what reconciliation needs: its counter of user events, its clock, its requests."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from keywatch.engine.probe import ProbeError, Reason
from keywatch.net.http_peer import HttpPeer

_MOST_BYTES = 8 * 1024 * 1024
_MOST_SERIES = 100_000
# A line of either text format; Keycloak ends label sets with a comma in one of them.
_EVENTS = re.compile(rb"^keycloak_user_events_total\{(.*)\} ([^ \n]+)", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_REQUESTS = re.compile(rb"^http_server_active_requests(?:\{.*\})? ([^ \n]+)", re.MULTILINE)
_STARTED = re.compile(rb"^process_start_time_seconds(?:\{\})? ([^ \n]+)", re.MULTILINE)
_UPTIME = re.compile(rb"^process_uptime_seconds(?:\{\})? ([^ \n]+)", re.MULTILINE)
_ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class KeycloakCounts:
    """One reading of a node.

    `events` counts by realm name, event and error (empty on success). `started` and `wall` are the process' start and
    the moment of reading by its own clock, in Unix seconds; `before` and `after` are keywatch's monotonic ones around
    it. `requests` are under way there, this reading among them; None when it does not say.
    """

    events: Mapping[tuple[str, str, str], float]
    started: float
    wall: float
    before: float
    after: float
    requests: int | None


class KeycloakMetrics:
    """Reads one node's page."""

    def __init__(self, peer: HttpPeer) -> None:
        self._peer = peer

    async def fetch(self, timeout: float) -> KeycloakCounts:
        """Read the page within `timeout` seconds; raises `ProbeError`."""
        before = time.monotonic()
        answer = await self._peer.get("metrics", timeout, _MOST_BYTES)
        after = time.monotonic()
        if answer.status == 404:
            words = "answers 404: Keycloak lacks metrics-enabled=true, or this is not its management interface"
            raise ProbeError(Reason.UNSUPPORTED, words)
        if answer.status != 200:
            raise ProbeError(Reason.PROTOCOL, f"/metrics answers with status {answer.status}")
        return counts(answer.body, before, after)

    async def close(self) -> None:
        """Close the connections."""
        await self._peer.close()


def counts(page: bytes, before: float, after: float) -> KeycloakCounts:
    """Read a page in either text format; raises `ProbeError` for one without a process' clock."""
    started, uptime = _one(_STARTED, page), _one(_UPTIME, page)
    if started is None or uptime is None:
        raise ProbeError(Reason.PROTOCOL, "/metrics does not hold the metrics of a Keycloak")
    requests = [value for match in _REQUESTS.finditer(page) if (value := _number(match[1])) is not None]
    events = dict(_counted(page))
    return KeycloakCounts(events, started, started + uptime, before, after, round(sum(requests)) if requests else None)


def _counted(page: bytes) -> Iterator[tuple[tuple[str, str, str], float]]:
    sums: dict[tuple[str, str, str], float] = {}
    for match in _EVENTS.finditer(page):
        labels = dict(_LABEL.findall(match[1].decode("utf-8", "replace")))
        value = _number(match[2])
        if value is None or "event" not in labels or "realm" not in labels:
            raise ProbeError(Reason.PROTOCOL, "keycloak_user_events_total has a line that is none of Keycloak's")
        key = (_plain(labels["realm"]), labels["event"], labels.get("error", ""))
        # With more tags, such as the client, there are several series of each.
        sums[key] = sums.get(key, 0.0) + value
        if len(sums) > _MOST_SERIES:
            raise ProbeError(Reason.PROTOCOL, f"keycloak_user_events_total has more than {_MOST_SERIES} series")
    yield from sums.items()


def _plain(value: str) -> str:
    return _ESCAPED.sub(lambda match: "\n" if match[1] == "n" else match[1], value) if "\\" in value else value


def _one(pattern: re.Pattern[bytes], page: bytes) -> float | None:
    match = pattern.search(page)
    return _number(match[1]) if match else None


def _number(text: bytes) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
