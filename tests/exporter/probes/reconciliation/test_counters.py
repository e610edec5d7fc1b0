"""Keycloak's page of metrics is read in both formats; what is no such page is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywatch.engine.probe import ProbeError, Reason
from keywatch.net.http_peer import HttpPeer
from keywatch.probes.reconciliation.counters import KeycloakMetrics, counts
from tests.exporter.fakes.http_server import reply, serving

RECORDED = Path(__file__).parents[2] / "recorded"
PAGES = ["keycloak-26.5.4.prom", "keycloak-26.7.3.prom", "keycloak-26.7.3.openmetrics.txt"]


@pytest.mark.parametrize("name", PAGES)
def test_a_recorded_page_gives_counts_clock_and_requests(name: str) -> None:
    found = counts((RECORDED / name).read_bytes(), 1.0, 2.0)
    realms = {realm for realm, _, _ in found.events}
    assert "master" in realms
    assert sum(found.events.values()) > 20
    assert all(value == int(value) for value in found.events.values())
    assert found.requests == 1
    assert found.started < found.wall < found.started + 3600


def test_counts_are_those_of_the_page() -> None:
    found = counts((RECORDED / "keycloak-26.7.3.prom").read_bytes(), 0.0, 0.0)
    assert found.events["labrealm", "login", ""] == 51
    assert found.events["labrealm", "login", "invalid_user_credentials"] == 8
    assert found.events["master", "login", ""] == 2


CLOCK = b"process_start_time_seconds 100.5\nprocess_uptime_seconds 20.25\n"


def test_more_tags_are_summed_and_escapes_read() -> None:
    page = CLOCK + (
        b'keycloak_user_events_total{client_id="a",error="",event="login",realm="s\\"h\\\\o\\np",} 2.0\n'
        b'keycloak_user_events_total{client_id="b",error="",event="login",realm="s\\"h\\\\o\\np",} 3.0\n'
    )
    found = counts(page, 0.0, 0.0)
    assert found.events == {('s"h\\o\np', "login", ""): 5}
    assert (found.started, found.wall, found.requests) == (100.5, 120.75, None)


@pytest.mark.parametrize(
    "page",
    [
        b"",
        b"process_start_time_seconds 100\n",
        CLOCK + b'keycloak_user_events_total{event="login"} 1\n',
        CLOCK + b'keycloak_user_events_total{event="login",realm="r"} many\n',
        b"process_start_time_seconds x\nprocess_uptime_seconds 20.25\n",
    ],
)
def test_what_is_no_page_of_keycloaks_is_named(page: bytes) -> None:
    with pytest.raises(ProbeError) as caught:
        counts(page, 0.0, 0.0)
    assert caught.value.reason is Reason.PROTOCOL


@given(st.binary(max_size=2000))
def test_arbitrary_bytes_are_read_or_refused_but_nothing_else(page: bytes) -> None:
    try:
        counts(CLOCK + b"keycloak_user_events_total{" + page, 0.0, 0.0)
    except ProbeError as error:
        assert error.reason is Reason.PROTOCOL  # noqa: PT017 - the other outcome is that it is read


async def test_a_page_that_is_not_there_says_what_to_switch_on() -> None:
    async with serving({"/metrics": reply((RECORDED / PAGES[0]).read_bytes(), kind="text/plain")}) as server:
        reader = KeycloakMetrics(HttpPeer(server.url))
        found = await reader.fetch(1.0)
        assert found.before < found.after
        server.pages.clear()
        with pytest.raises(ProbeError, match="lacks metrics-enabled=true") as caught:
            await reader.fetch(1.0)
        assert caught.value.reason is Reason.UNSUPPORTED
        await reader.close()
