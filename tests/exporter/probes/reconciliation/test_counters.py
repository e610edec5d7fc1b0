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


def test_with_more_tags_each_series_is_told_by_itself_and_escapes_are_read() -> None:
    page = CLOCK + (
        b'keycloak_user_events_total{client_id="a",error="",event="login",realm="s\\"h\\\\o\\np",} 2.0\n'
        b'keycloak_user_events_total{client_id="b",error="",event="login",realm="s\\"h\\\\o\\np",} 3.0\n'
    )
    found = counts(page, 0.0, 0.0)
    assert {(series[:3], value) for series, value in found.events.items()} == {
        (('s"h\\o\np', "login", ""), 2.0),
        (('s"h\\o\np', "login", ""), 3.0),
    }
    assert (found.started, found.wall, found.requests) == (100.5, 120.75, None)


@pytest.mark.parametrize(
    "page",
    [
        b"",
        b"process_start_time_seconds 100\n",
        b"process_start_time_seconds x\nprocess_uptime_seconds 20.25\n",
        b"process_start_time_seconds NaN\nprocess_uptime_seconds 20.25\n",
        b"process_start_time_seconds 100.5\nprocess_uptime_seconds -1\n",
        b"process_start_time_seconds 100.5\nprocess_uptime_seconds 1e308\n",
        CLOCK + b"# TYPE keycloak_user_events_total gauge\n",
        CLOCK + b"# TYPE keycloak_user_events histogram\n",
    ],
)
def test_what_is_no_page_of_keycloaks_is_named(page: bytes) -> None:
    with pytest.raises(ProbeError) as caught:
        counts(page, 0.0, 0.0)
    assert caught.value.reason is Reason.PROTOCOL


OTHER = b'keycloak_user_events_total{error="",event="logout",realm="r"} 7.0\n'


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf", "-1", "1e308", "1.5", "1_000", "many", "9" * 400, "0x10"])
def test_a_sample_that_is_no_count_costs_only_itself_and_is_named(value: str) -> None:
    page = CLOCK + f'keycloak_user_events_total{{event="login",realm="r"}} {value}\n'.encode() + OTHER
    found = counts(page, 0.0, 0.0)
    assert found.events == {("r", "logout", ""): 7}
    assert found.malformed == {("r", "login", "")}
    assert not found.nameless
    assert found.trouble.endswith("is no count")
    assert 'realm="r"' in found.trouble
    assert len(found.trouble) < 250


@pytest.mark.parametrize(
    "labels",
    [
        '{event="login"}',
        "",
        '{event="login",realm="r",realm="s"}',
        '{event="login",realm="r"',
        '{event="login",realm="r}',
        '{event=login,realm="r"}',
        f'{{event="login",realm="{"r" * 256}"}}',
        f'{{event="login",realm="r",more="{"x" * 20_000}"}}',
        "{" + "a" * 32_000 + "}",
    ],
)
def test_a_sample_of_which_nobody_knows_whose_it_is_costs_only_itself_and_is_named(labels: str) -> None:
    found = counts(CLOCK + f"keycloak_user_events_total{labels} 5\n".encode() + OTHER, 0.0, 0.0)
    assert found.events == {("r", "logout", ""): 7}
    assert found.nameless
    assert found.trouble.endswith("is no sample of Keycloak's")
    assert len(found.trouble) < 250


@pytest.mark.parametrize(("second", "counted"), [("7.0", 7.0), ("8", None), ("NaN", None)])
def test_a_sample_that_is_there_twice_counts_once_or_not_at_all(second: str, counted: float | None) -> None:
    again = f'keycloak_user_events_total{{realm="r", event="logout", error=""}} {second}\n'.encode()
    found = counts(CLOCK + OTHER + again, 0.0, 0.0)
    assert found.events.get(("r", "logout", "")) == counted
    assert found.trouble


def test_what_follows_a_value_and_names_that_only_begin_alike_are_none_of_its() -> None:
    page = CLOCK + (
        b'keycloak_user_events_total{event="login",realm="r"} 5 # {trace="} 9"} 1.0 1234\r\n'
        b'keycloak_user_events_total_more{event="login",realm="r"} 6\n'
        b'# keycloak_user_events_total{event="login",realm="r"} 7\n'
        b'other{x="keycloak_user_events_total"} 8\n'
    )
    found = counts(page, 0.0, 0.0)
    assert (found.events, found.trouble) == ({("r", "login", ""): 5}, "")


@pytest.mark.parametrize("value", ["NaN", "-1", "+Inf", "1e300"])
def test_how_many_requests_are_under_way_is_unknown_where_it_is_no_number(value: str) -> None:
    page = CLOCK + f'http_server_active_requests{{a="b"}} {value}\nhttp_server_active_requests 2\n'.encode()
    assert counts(page, 0.0, 0.0).requests is None


# Each is a few bytes that a parser may look at again and again; the whole page is as long as one may be.
_REPEATED = [b"a", b'a="', b'a="b",', b"\\", b'"', b"{", b"keycloak_user_events_total", b" ", b",", b"}", b"\n{"]


@pytest.mark.parametrize("piece", _REPEATED)
def test_a_page_is_read_in_time_by_its_length_however_it_is_made(piece: bytes) -> None:
    # 32 kB in one line took 7.7 s where each letter was looked at from each other one: this would take a day.
    page = CLOCK + b"keycloak_user_events_total{" + piece * (4_000_000 // len(piece)) + b"\n" + OTHER
    assert counts(page, 0.0, 0.0).events == {("r", "logout", ""): 7}


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
