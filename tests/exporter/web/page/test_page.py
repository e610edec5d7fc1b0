"""The page for people, in a real browser: readable at every width, renews itself, says what is wrong."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from keywatch.demo.embedded import EmbeddedCluster
from tests.exporter.web.browser import Browser, requirements_missing
from tests.kafka.exporter_process import ExporterProcess

pytestmark = pytest.mark.browser


@pytest.fixture
def cluster() -> Iterator[EmbeddedCluster]:
    with EmbeddedCluster() as made:
        made.create_topic("keycloak-events", 6, 3)
        yield made


@pytest.fixture
def exporter(cluster: EmbeddedCluster) -> Iterator[ExporterProcess]:
    watched = {"name": "production", "bootstrap": cluster.bootstrap.split(",")}
    topics = {"watch": ["keycloak-events", "not-there"]}
    with ExporterProcess({"clusters": [{**watched, "topics": topics, "canary": {"enabled": False}}]}) as process:
        yield process


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    if reason := requirements_missing():
        if os.environ.get("KEYWATCH_REQUIRE") == "all":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    async with Browser() as made:
        yield made


async def test_a_person_sees_what_is_wrong_without_touching_anything(
    browser: Browser, exporter: ExporterProcess, cluster: EmbeddedCluster
) -> None:
    base = f"http://127.0.0.1:{exporter.port}"
    await browser.open(f"{base}/")
    await browser.text_with(lambda text: "3 of 3 brokers alive" in text, "the brokers are shown")
    await browser.text_with(lambda text: "the watched topic does not exist" in text, "the missing topic is shown")
    cluster.stop_broker(2)
    text = await browser.text_with(lambda text: "2 of 3 brokers alive" in text, "the dead broker is shown")
    assert "down, refused" in text
    assert "UTC" in text
    assert all(url.startswith((base, "about:")) for url in browser.requested), browser.requested
    assert not browser.complaints


async def test_dead_letters_are_shown_with_their_age(
    browser: Browser, cluster: EmbeddedCluster, tmp_path: Path
) -> None:
    (tmp_path / f"dlq-{int(time.time() - 3 * 3600) * 1000}-1.json").write_text("{}", encoding="utf-8")
    watched = {"name": "production", "bootstrap": cluster.bootstrap.split(","), "canary": {"enabled": False}}
    queue = {"name": "listener-files", "folder": str(tmp_path)}
    with ExporterProcess({"clusters": [{**watched, "dlq": [queue]}]}) as exporter:
        await browser.open(f"http://127.0.0.1:{exporter.port}/")
        text = await browser.text_with(lambda text: "3.0 h" in text, "the age of the dead letter is shown")
    assert "listener-files\tread\t1\t0\t3.0 h\t0" in text


@pytest.mark.parametrize(("width", "height"), [(1366, 768), (390, 844)])
async def test_it_is_readable_at_every_width(
    browser: Browser, exporter: ExporterProcess, width: int, height: int
) -> None:
    await browser.resize(width, height)
    await browser.open(f"http://127.0.0.1:{exporter.port}/")
    await browser.text_with(lambda text: "3 of 3 brokers alive" in text, "the brokers are shown")
    assert await browser.evaluate("document.documentElement.scrollWidth") <= width
    assert await browser.evaluate("parseFloat(getComputedStyle(document.body).fontSize)") >= 14
    assert (await browser.picture()).startswith(b"\x89PNG")


async def test_on_a_phone_what_is_wrong_fits_and_a_reload_keeps_the_place(
    browser: Browser, exporter: ExporterProcess, cluster: EmbeddedCluster
) -> None:
    await browser.resize(390, 300)
    await browser.open(f"http://127.0.0.1:{exporter.port}/")
    cluster.stop_broker(2)
    await browser.text_with(lambda text: "2 of 3 brokers alive" in text, "the dead broker is shown")
    widest = "Math.max(...[...document.querySelectorAll('.wrong td')].map(c => c.getBoundingClientRect().right))"
    assert await browser.evaluate(widest) <= 390
    await browser.evaluate("window.scrollTo(0, 200)")
    clock = "document.querySelector('header span').innerText"
    before = await browser.evaluate(clock)
    end = time.monotonic() + 30
    while (seen := await browser.evaluate(clock)) in {before, None}:
        assert time.monotonic() < end, "the page renews itself"
        await asyncio.sleep(0.1)
    assert seen > before
    await browser.text_with(lambda text: "More" in text, "all of it is there")
    assert await browser.evaluate("window.scrollY") == 200
    links = await browser.evaluate("[...document.querySelectorAll('a')].map(a => a.href)")
    for link in links:
        path = link.partition(str(exporter.port))[2]
        assert exporter.get(path)[0] == 200, link
    assert len(links) >= 6
