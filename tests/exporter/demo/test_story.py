"""`keywatch demo` without a terminal: the story in plain lines, every fault seen in time, and nothing left behind."""

from __future__ import annotations

import re
import subprocess
import urllib.error
import urllib.request

import psutil
import pytest

from keywatch.demo.embedded import EmbeddedCluster
from tests.exporter.commands import keywatch


@pytest.fixture(scope="module")
def told() -> subprocess.CompletedProcess[str]:
    return keywatch("demo", deadline=90)


def test_it_tells_the_story_to_its_end(told: subprocess.CompletedProcess[str]) -> None:
    assert (told.returncode, told.stderr) == (0, "")
    story = [
        "all 3 brokers answer",
        "the consumer gets tired",
        "is killed",
        "comes back",
        "freezes",
        "thaws",
        "wakes up",
        "loses 5 events without a word",
        "5 events are missing",
        "puts it into a file",
        "a dead letter",
    ]
    found = [told.stdout.find(words) for words in story]
    assert -1 not in found
    assert found == sorted(found)


def test_every_fault_is_seen_in_time_and_for_its_reason(told: subprocess.CompletedProcess[str]) -> None:
    seen = re.findall(r"seen after (\d+\.\d) s: (up again|down, \w+)", told.stdout)
    assert [words for _, words in seen] == ["down, refused", "up again", "down, timeout_response", "up again"]
    assert all(float(seconds) < 5 for seconds, _ in seen)
    assert "how long keywatch took" in told.stdout


def test_events_arrive_with_their_delay_and_none_is_missing_before_one_was_lost(
    told: subprocess.CompletedProcess[str],
) -> None:
    before = told.stdout.partition("loses 5 events")[0]
    events = re.findall(r"(\d+) events, (\d+) ms late on average, (\d+) missing", before)
    assert [int(missing) for _, _, missing in events] == [0] * len(events)
    assert int(events[-1][0]) > 500
    (seconds,) = re.findall(r"seen after (\d+\.\d) s: 5 events are missing", told.stdout)
    assert 4 <= float(seconds) < 15


def test_lag_grows_while_the_consumer_is_tired_and_shrinks_again(told: subprocess.CompletedProcess[str]) -> None:
    lags = [int(records) for records in re.findall(r"lag (\d+) records", told.stdout)]
    assert len(lags) > 4
    assert max(lags) > 100
    assert lags[-1] < max(lags) / 2


def test_the_address_was_told_and_nobody_listens_any_more(told: subprocess.CompletedProcess[str]) -> None:
    addresses = set(re.findall(r"http://127\.0\.0\.1:\d+/metrics", told.stdout))
    assert len(addresses) == 1
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(addresses.pop(), timeout=2)  # noqa: S310 - our own address
    assert not [child for child in psutil.Process().children(recursive=True) if "demo" in child.cmdline()]


def test_a_cluster_of_ones_own_is_watched_and_nothing_is_written() -> None:
    with EmbeddedCluster() as cluster:
        cluster.create_topic("mine", 2, 3)
        done = keywatch("demo", "--kafka", cluster.bootstrap, "--seconds", "6")
        assert done.returncode == 0
        assert "brokers 1:up 2:up 3:up" in done.stdout
        assert "nothing is written to the cluster" in done.stdout


def test_a_cluster_of_ones_own_that_is_not_there_is_told() -> None:
    done = keywatch("demo", "--kafka", "127.0.0.1:1", "--seconds", "4")
    assert done.returncode == 1
    assert "down, refused" in done.stdout
