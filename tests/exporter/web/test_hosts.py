"""A browser that another site's page leads here is answered nothing: neither by a name of its own nor for a reload."""

from __future__ import annotations

from pathlib import Path

import pytest

from keywatch.service.config_file import from_data
from keywatch.web.hosts import Hosts, is_foreign
from tests.exporter.web.server import hashed, served

PORT = ":9877"


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "10.1.2.3", "[::1]", "[fe80::1%25eth0]", "localhost", "LOCALHOST", "a.localhost", "keywatch",
        "keywatch.monitoring.svc", "keywatch.monitoring.svc.cluster.local", "nas.local", "x.home.arpa", "localhost.",
        "watcher.example.org", "here.example.net",
    ],
)  # fmt: skip
@pytest.mark.parametrize("port", [PORT, ""])
def test_addresses_local_names_and_its_own_are_allowed(host: str, port: str) -> None:
    assert Hosts(["watcher.example.org"], "here.example.net").allow(host + port)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "evil.example.", "EVIL.example", "a.com",
        "0x7f000001.nip.io", "watcher.example.org.evil.example", "evillocal.com", "evil.example@127.0.0.1", "1.2.3.4.5",
        "[::1].evil.example"[6:],
    ],
)  # fmt: skip
@pytest.mark.parametrize("port", [PORT, ""])
def test_names_that_anybody_may_own_are_not(host: str, port: str) -> None:
    assert not Hosts(["watcher.example.org"], "here.example.net", "box").allow(host + port)


def test_all_below_a_name_or_any_at_all_may_be_configured() -> None:
    below = Hosts(["*.example.org"])
    assert below.allow("a.b.example.org:1")
    assert not below.allow("evilexample.org")
    assert Hosts(["*"]).allow("evil.example")


def test_a_request_without_the_header_comes_from_no_browser() -> None:
    assert Hosts().allow(None)


@pytest.mark.parametrize(
    ("origin", "site", "referer", "foreign"),
    [
        (None, None, None, False),
        ("http://h:9877", None, None, False),
        ("http://H:9877", "same-origin", None, False),
        (None, "none", None, False),
        (None, None, "http://h:9877/", False),
        ("http://evil.example", None, None, True),
        ("http://h:9878", None, None, True),
        ("http://h", None, None, True),
        ("null", None, None, True),
        ("", None, None, True),
        ("http://h:9877.evil.example", None, None, True),
        ("http://[", None, None, True),
        (None, "cross-site", None, True),
        (None, "same-site", None, True),
        ("http://h:9877", "cross-site", None, True),
        (None, None, "http://evil.example/x", True),
        (None, "whatever", None, True),
    ],
)
def test_a_page_of_another_origin_is_known(
    origin: str | None, site: str | None, referer: str | None, *, foreign: bool
) -> None:
    assert is_foreign("h:9877", origin, site, referer) is foreign


async def test_an_open_port_answers_no_name_that_anybody_may_own() -> None:
    async with served() as running:
        for path in ("/-/config", "/metrics", "/", "/-/healthy"):
            refused = await running.ask(path, headers={"Host": "evil.example:9877"})
            assert refused.status == 421
            assert b"web.hosts" in refused.body
            assert (await running.ask(path, headers={"Host": "127.0.0.1:9877"})).status in {200, 503}
        assert running.refused("foreign_host") == 4


async def test_a_port_with_a_password_is_held_by_it(tmp_path: Path) -> None:
    web = tmp_path / "web.yml"
    web.write_text(f"basic_auth_users: {{a: {hashed('x')}}}\n", encoding="utf-8")
    async with served(web) as running:
        answer = await running.ask(user=("a", "x"), headers={"Host": "keywatch.example.org"})
        assert answer.status == 200


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_no_page_of_another_site_has_anything_changed(method: str, caplog: pytest.LogCaptureFixture) -> None:
    async with served() as running:
        for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
            answer = await running.ask("/-/reload", method=method, headers=headers)
            assert (answer.status, answer.body) == (403, b"not for pages of other sites\n")
        assert running.refused("foreign_page") == 3
        assert "a page of another site" in caplog.text
        own = {"Origin": f"http://127.0.0.1:{running.number}", "Host": f"127.0.0.1:{running.number}"}
        answer = await running.ask("/-/reload", method=method, headers=own)
        assert answer.body.startswith(b"switched off")


@pytest.mark.parametrize("name", ["a b", "a:1", "http://a", "*.", "a/b", "", "*a", "a" * 300])
def test_what_is_no_name_is_refused(name: str) -> None:
    data = {"clusters": [{"bootstrap": ["k:1"]}], "web": {"hosts": [name]}}
    with pytest.raises(Exception, match=r"web.hosts\[0\]: .* is no name"):
        from_data(data, "test")
